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
SHORTEST_TO_HOLD_OUT = 1_000  # a twentieth of less is too little to judge by
REHEARSAL = 20_000  # characters of the text that a rehearsal takes


class UserError(Exception):
    """An error whose message says all there is to say: a notebook shows it alone, without a traceback."""

    def _render_traceback_(self):  # what IPython asks for
        return [str(self)]


class CorpusError(UserError, ValueError):
    """A text that cannot be used; the message is one sentence for the person who chose it."""


class Corpus(NamedTuple):
    """A text, or a part of one, as integer codes into the text's own sorted vocabulary."""

    name: str  # the file's name without its ending; the folders of what is made from the text are called after it
    sha256: str  # of the whole file's bytes, before anything is dropped
    vocabulary: str  # the K distinct characters of the whole text, sorted by code point
    codes: np.ndarray  # (N,), the smallest unsigned integers that hold K
    notes: tuple[str, ...] = ()  # what was changed while reading, in sentences
    span: tuple[int, int] | None = None  # of a part: its first character's number, and its last one's plus 1

    @property
    def K(self):
        """The number of distinct characters."""
        return len(self.vocabulary)

    @property
    def id(self):
        """A folder's name for what is made from this text, different for different texts and parts."""
        part = f"-{self.span[0]}-{self.span[1]}" if self.span else ""
        return re.sub(r"[^A-Za-z0-9._-]", "_", self.name)[:80] + part + f"-{self.sha256[:8]}"

    @property
    def is_moby_dick(self):
        """Whether this is the whole default text, which the measured claims are about."""
        return self.sha256 == MOBY_DICK_SHA256 and self.span is None

    @property
    def text(self):
        """The text as a string."""
        return decode(self.codes, self.vocabulary)

    @property
    def excerpt(self):
        """The first 20 million characters as a string: the whole of any book."""
        return self.part(0, LARGE).text

    @property
    def start(self):
        """A text to prime a sample with: the first 100 characters, which follow a state of zero in training too."""
        return decode(self.codes[:100], self.vocabulary)

    def part(self, begin, end):
        """Return the corpus of the characters from number `begin` up to but not `end`, in the same vocabulary."""
        codes, before = self.codes[begin:end], self.span[0] if self.span else 0
        return self._replace(codes=codes, span=(before + begin, before + begin + len(codes)))


class Split(NamedTuple):
    """A text in three contiguous parts: to train on, to choose by, to report."""

    train: Corpus
    validation: slice  # of the codes of the whole text
    test: slice


def split(corpus, held_out=0.05):
    """Return the `Split` whose last two parts have the share `held_out` of the text each, the last of them its end.

    Raises CorpusError for a text that is too short.
    """
    N = len(corpus.codes)
    if N < SHORTEST_TO_HOLD_OUT:
        raise CorpusError(f"{corpus.name} has {N} characters; {SHORTEST_TO_HOLD_OUT:,} are needed, to hold some out.")
    n = int(held_out * N)
    return Split(corpus.part(0, N - 2 * n), slice(N - 2 * n, N - n), slice(N - n, N))


def encode(text, vocabulary):
    """Return the codes of `text`; raise ValueError if it has a character that is not in the vocabulary.

    An accented letter that is one character where the network's text has two, or two where it has one, is taken as the
    text has it (Unicode's forms NFC and NFD).
    """
    known = _points(vocabulary)
    for form in ("NFC", "NFD"):
        if not set(text) <= set(vocabulary):
            other = unicodedata.normalize(form, text)
            text = other if set(other) <= set(vocabulary) else text
    unknown = sorted(set(text) - set(vocabulary))
    if unknown:
        listed = ", ".join(f"{character!r}" for character in unknown[:10])
        raise ValueError(f"the network has never seen {listed}: use only characters of the text it was trained on")
    return np.searchsorted(known, _points(text)).astype(np.min_scalar_type(len(known) - 1))


def decode(codes, vocabulary):
    """Return the text of `codes`."""
    return _points(vocabulary)[codes].tobytes().decode("utf-32-le")


def read_corpus(path=None, quick=False):
    """Return the `Corpus` of a UTF-8 text file, the default text for None; its beginning alone if `quick`.

    A byte-order mark is dropped and CRLF or CR becomes LF; `notes` says so. Raises CorpusError with one sentence for
    what is no text to train on.
    """
    path = _existing(MOBY_DICK if path is None else path)
    try:
        data = path.read_bytes()
        text, notes = _plain(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path} is not UTF-8: byte {error.start:,} (counted from 0) is no part of a character; save it as UTF-8."
        ) from None
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror}.") from None
    except MemoryError:
        raise CorpusError(f"{path} does not fit into memory. {TAKE_A_PART}") from None
    sha256 = hashlib.sha256(data).hexdigest()
    if path.resolve() == MOBY_DICK.resolve() and sha256 != MOBY_DICK_SHA256:
        raise CorpusError(
            f"{path} is not the expected text: its SHA-256 is {sha256}, expected {MOBY_DICK_SHA256}; "
            "delete it and run `make data`, or keep it under another name and use CORPUS=path."
        )
    vocabulary = _vocabulary(text, path)
    name = os.fsencode(path.stem).decode("utf-8", "replace")
    corpus = Corpus(name, sha256, vocabulary, encode(text, vocabulary), tuple(notes))
    return corpus.part(0, REHEARSAL) if quick else corpus


def _existing(path):
    """Return the path of a file that can be read repeatedly."""
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
    """Return a text without a byte-order mark, all line ends plain, and sentences that say what was changed."""
    notes = []
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append("Line ends of Windows (CRLF) or old Macs (CR) became plain ones (LF).")
    if text.startswith("\ufeff"):
        text = text[1:]
        notes.append("A byte-order mark at the beginning was dropped.")
    if len(text) > LARGE:
        notes.append(f"Training on more than {LARGE:,} characters takes hours. {TAKE_A_PART}")
    return text, notes


def _vocabulary(text, path):
    """Return the sorted characters of a text; raise CorpusError if nothing can be learned from it."""
    vocabulary = "".join(sorted(set(text)))
    if not text:
        raise CorpusError(f"{path} is empty.")
    if "\0" in vocabulary:
        raise CorpusError(f"{path} has NUL characters, as a text in UTF-16 or a binary file has: save it as UTF-8.")
    if len(text) < SHORTEST:
        raise CorpusError(f"{path} has {len(text)} characters; one sequence and its target take {SHORTEST}.")
    if len(vocabulary) == 1:
        raise CorpusError(f"{path} has a single distinct character, {vocabulary!r}: there is nothing to predict.")
    return vocabulary


def _points(text):
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
