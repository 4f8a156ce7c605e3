"""Check a text and describe it. With a target, first write it there with the lines of each paragraph joined.

python -m tools.text [text [target]]
"""

import re
import sys
import unicodedata
from pathlib import Path

from report import show
from rnn.corpus import MOBY_DICK, MOBY_DICK_SHA256, CorpusError, read_corpus, split


def join_lines(text):
    """Return a text in which each paragraph is one line. Blank and indented lines do not change.

    A line break becomes a space, or nothing between two characters of a script without spaces (Chinese, Japanese).
    """
    text = re.sub(r"^[^\S\n]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"(?<=([^\n]))\n(?=(\S))", lambda ends: "" if all(map(without_spaces, ends.groups())) else " ", text)


def without_spaces(character):
    """Whether a character belongs to a script without spaces between words: a wide character, but not Korean."""
    korean = unicodedata.name(character, "").startswith("HANGUL")
    return unicodedata.east_asian_width(character) in "WF" and not korean


def write_joined(source, target):
    """Write `source` to `target` with joined lines and return the `Corpus`; raise CorpusError if it cannot be used."""
    part = target.with_suffix(".part")
    try:
        part.write_text(join_lines(read_corpus(source).text), "utf-8", newline="\n")
        corpus = read_corpus(part)
        split(corpus)
        if target.resolve() == MOBY_DICK.resolve():
            if not corpus.is_moby_dick:
                raise CorpusError(
                    f"{source} is not the expected text: joined, its SHA-256 is {corpus.sha256}, "
                    f"expected {MOBY_DICK_SHA256}."
                )
            print(f"data/moby-dick.txt: its SHA-256 was checked, {corpus.sha256}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return corpus


def main():
    """Check, write and describe the text that the command line names."""
    source, target = (*sys.argv[1:], None, None)[:2]
    try:
        corpus = write_joined(source, Path(target)) if target else read_corpus(source)
        split(corpus)
    except (CorpusError, OSError) as error:
        sys.exit(f"The text cannot be used. {error}")
    print(show.describe(corpus))


if __name__ == "__main__":
    main()
