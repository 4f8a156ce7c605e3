"""What the Makefile has to know before it begins, on one line: the cores, the text's folder, the chapters.

    CORPUS=path JOIN_LINES=1 CHAPTERS=01-05 python -m tools.plan

The words are: how many cores this process has; the name of the folder for what is made from the text, or `default`; the
name of the choice of chapters, or `all`; the notebooks. Standard library alone.
"""

import os
import re
import sys
import zlib
from pathlib import Path

from report import chapters
from rnn.engine.cores import cores


def text_folder(path, joined=False):
    """Return a folder's name that follows a text's name and its content, so that a changed text is another one.

    A text that cannot be read has no checksum: reading it says why.
    """
    path = Path(path).expanduser()
    try:
        checksum = zlib.crc32(path.read_bytes())
    except OSError:
        checksum = ""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", path.stem)[:80]
    return f"{name}-{checksum}{'-joined' if joined else ''}"


def main():
    """Print the words."""
    text, choice = os.environ.get("CORPUS"), os.environ.get("CHAPTERS", "")
    folder = text_folder(text, bool(os.environ.get("JOIN_LINES"))) if text else "default"
    try:
        notebooks = [f"notebooks/{path.name}" for path in chapters.chosen(choice)]
        print(cores(), folder, chapters.label(choice), *notebooks)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
