"""A text, its vocabulary, and its characters as integer codes."""

import hashlib
import os
import re
import stat
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).resolve().parent.parent  # the project's folder, wherever Jupyter was started
MOBY_DICK = ROOT / "data" / "moby-dick.txt"
MOBY_DICK_SHA256 = "64b0151da9b9241306a47a9af9f5dde1e68378a21a314f859c1b025e1f708733"  # its lines joined
LARGE = 20_000_000  # characters: seventeen times Moby-Dick
TAKE_A_PART = "Take a part of it: `head -n 50000 long.txt > part.txt` takes the first 50,000 lines."
SHORTEST = 26  # characters: one sequence of 25 and its last target
SHORTEST_TO_HOLD_OUT = 1_000  # characters: a twentieth of a shorter text is too short for a test
REHEARSAL = 12_000  # characters: a rehearsal uses only the beginning of the text


class UserError(Exception):
    """An error whose message is enough: a notebook shows only the message, without a traceback."""

    def _render_traceback_(self):  # IPython calls this
        return [str(self)]


class CorpusError(UserError, ValueError):
    """A text that cannot be used. The message is one sentence for the person who chose the text."""


class Corpus(NamedTuple):
    """A text, or a part of one, as integer codes into the text's sorted vocabulary."""

    name: str  # the file's name without its ending; folders for results of this text are named after it
    sha256: str  # of all bytes of the file, before anything is dropped
    vocabulary: str  # the K distinct characters of the whole text, sorted by code point
    codes: np.ndarray  # (N,), the smallest unsigned integers that hold K
    notes: tuple[str, ...] = ()  # sentences that say what was changed while reading
    span: tuple[int, int] | None = None  # of a part: the number of its first character, and of its last one plus 1

    @property
    def K(self):
        """The number of distinct characters."""
        return len(self.vocabulary)

    @property
    def id(self):
        """The name of the folder for results of this text. Different texts and parts have different names."""
        part = f"-{self.span[0]}-{self.span[1]}" if self.span else ""
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.name)[:80] + part + f"-{self.sha256[:8]}"

    @property
    def is_moby_dick(self):
        """Whether this is the whole default text. The claims in the notebooks are about that text."""
        return self.sha256 == MOBY_DICK_SHA256 and self.span is None

    @property
    def title(self):
        """The name that a report uses."""
        return "Moby-Dick" if self.sha256 == MOBY_DICK_SHA256 else self.name

    @property
    def text(self):
        """The text as a string."""
        return decode(self.codes, self.vocabulary)

    @property
    def excerpt(self):
        """The first 20 million characters as a string, which is all of any book."""
        return self.part(0, LARGE).text

    @property
    def start(self):
        """The first 100 characters, to prime a sample with. In training too they follow a state of zero."""
        return decode(self.codes[:100], self.vocabulary)

    def part(self, begin, end):
        """Return the `Corpus` of the characters from `begin` to before `end`, in the same vocabulary."""
        codes = self.codes[begin:end]
        before = self.span[0] if self.span else 0
        return self._replace(codes=codes, span=(before + begin, before + begin + len(codes)))


class Split(NamedTuple):
    """A text in three contiguous parts: for training, for choosing (validation), and for reporting (test)."""

    train: Corpus
    validation: slice  # of the codes of the whole text
    test: slice


def split(corpus, held_out=0.05):
    """Return the `Split` of a text. Validation and test each get the share `held_out`; the test is the end of the text.

    Raises CorpusError if the text is too short.
    """
    N = len(corpus.codes)
    if N < SHORTEST_TO_HOLD_OUT:
        raise CorpusError(
            f"{corpus.name} has {N} characters, but {SHORTEST_TO_HOLD_OUT:,} are needed to hold some of them out: "
            "choose a longer text."
        )
    n = int(held_out * N)
    return Split(corpus.part(0, N - 2 * n), slice(N - 2 * n, N - n), slice(N - n, N))


def encode(text, vocabulary):
    """Return the codes of `text` (N,), in the smallest unsigned integers that hold K.

    Unicode writes an accented letter as one character (NFC) or as two (NFD). If the vocabulary has only one of the two
    forms, `text` is converted to it. Raises ValueError if a character is not in the vocabulary.
    """
    known = _points(vocabulary)
    for form in ("NFC", "NFD"):
        if not set(text) <= set(vocabulary):
            normalized = unicodedata.normalize(form, text)
            text = normalized if set(normalized) <= set(vocabulary) else text
    unknown = sorted(set(text) - set(vocabulary))
    if unknown:
        listed = ", ".join(f"{character!r}" for character in unknown[:10])
        raise ValueError(f"the network has never seen {listed}: use only characters of the text it was trained on")
    return np.searchsorted(known, _points(text)).astype(np.min_scalar_type(len(known) - 1))


def decode(codes, vocabulary):
    """Return the text that has these codes."""
    return _points(vocabulary)[codes].tobytes().decode("utf-32-le")


def read_corpus(path=None, quick=False):
    """Return the `Corpus` of a UTF-8 text file. The path None is the default text; `quick` takes only its beginning.

    A byte-order mark is dropped, and CRLF or CR becomes LF; `notes` says so. Raises CorpusError, with one sentence, if
    the file cannot be trained on.
    """
    path = _existing(MOBY_DICK if path is None else path)
    try:
        data = path.read_bytes()
        text, notes = _plain(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path} is not UTF-8: byte {error.start:,} (counted from 0) is not part of a character. Save it as UTF-8."
        ) from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from None
    except MemoryError:
        raise CorpusError(f"{path} does not fit into memory. {TAKE_A_PART}") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if path.resolve() == MOBY_DICK.resolve() and sha256 != MOBY_DICK_SHA256:
        raise CorpusError(
            f"{path} is not the expected text: its SHA-256 is {sha256}, expected {MOBY_DICK_SHA256}. "
            "Delete it and run `make data`, or keep it under another name and use CORPUS=path."
        )
    vocabulary = _vocabulary(text, path)
    name = os.fsencode(path.stem).decode("utf-8", "replace")
    corpus = Corpus(name, sha256, vocabulary, encode(text, vocabulary), tuple(notes))
    return corpus.part(0, REHEARSAL) if quick else corpus


def _existing(path):
    """Return the path of a regular file; raise CorpusError if there is none. A pipe could not be read twice."""
    try:
        path = Path(path).expanduser()
        path = path if path.is_absolute() or path.exists() else ROOT / path
        mode = path.stat().st_mode
    except FileNotFoundError:
        get_it = "run `make data` to fetch it" if path == MOBY_DICK else "check the path"
        raise CorpusError(f"{path} does not exist: {get_it}.") from None
    except (OSError, RuntimeError, ValueError) as error:  # a name too long, no home, a NUL in the name
        raise CorpusError(f"{str(path)!r} cannot be a text's path: {error}.") from None
    if not stat.S_ISREG(mode):
        raise CorpusError(f"{path} is a {'folder' if stat.S_ISDIR(mode) else 'device or a pipe'}: name a text file.")
    return path


def _plain(text):
    """Return (text, notes): the text with LF line ends and no byte-order mark, and sentences about what was changed."""
    notes = []
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("Windows (CRLF) or old Mac (CR) line ends were changed to LF.")
    if text.startswith("\ufeff"):
        text = text[1:]
        notes.append("A byte-order mark at the beginning was dropped.")
    if len(text) > LARGE:
        notes.append(f"Training on more than {LARGE:,} characters takes hours. {TAKE_A_PART}")
    return text, notes


def _vocabulary(text, path):
    """Return the sorted distinct characters of a text; raise CorpusError if nothing can be learned from it."""
    vocabulary = "".join(sorted(set(text)))
    if not text:
        raise CorpusError(f"{path} is empty.")
    if "\0" in vocabulary:
        raise CorpusError(f"{path} has NUL characters, like a text in UTF-16 or a binary file: save it as UTF-8.")
    if len(text) < SHORTEST:
        raise CorpusError(f"{path} has {len(text)} characters, but one sequence and its target need {SHORTEST}.")
    if len(vocabulary) == 1:
        raise CorpusError(f"{path} has a single distinct character, {vocabulary!r}: there is nothing to predict.")
    return vocabulary


def _points(text):
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
