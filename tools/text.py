"""Say what a text is, for the Makefile, after writing it with joined lines if a second path is given.

python tools/text.py [text [target]]
"""

import re
import sys
from pathlib import Path

from report import show
from rnn.corpus import CorpusError, read_corpus, split


def join_lines(text):
    """Return a text in which a paragraph is one line: its line breaks are spaces; blank and indented lines stay."""
    return re.sub(r"(?<=[^\n])\n(?=\S)", " ", text)


def main():
    """Read the command line."""
    source, target = (*sys.argv[1:], None, None)[:2]
    try:
        corpus = read_corpus(source)
        if target:
            Path(target).write_text(join_lines(corpus.text), "utf-8", newline="\n")
            corpus = read_corpus(target)
        split(corpus)
    except CorpusError as error:
        sys.exit(f"The text cannot be used. {error}")
    print(show.describe(corpus))


if __name__ == "__main__":
    main()
