"""Print what the Makefile needs to know first, on one line: the cores, the text's folder, the chapters.

    CORPUS=path JOIN_LINES=1 CHAPTERS=01-05 python -m tools.plan

The words are the number of cores; the name of the folder for results of the text, or `default`; the name of the choice
of chapters, or `all`; and the notebooks. Standard library only.
"""

import os
import re
import sys
import zlib
from pathlib import Path

from report import chapters
from rnn.engine.cores import cores


def text_folder(path, joined=False):
    """Return the folder's name for a text, from its name and a checksum, so that a changed text gets another folder.

    If the text cannot be read, the checksum is missing; a later command then says why.
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
    text = os.environ.get("CORPUS")
    choice = os.environ.get("CHAPTERS", "")
    folder = text_folder(text, bool(os.environ.get("JOIN_LINES"))) if text else "default"
    try:
        notebooks = [f"notebooks/{path.name}" for path in chapters.chosen(choice)]
        print(cores(), folder, chapters.label(choice), *notebooks)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
