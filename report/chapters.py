"""The chapters of the report: all numbered notebooks in notebooks/, or those that CHAPTERS names.

    python -m report.chapters ["01-05"]    prints "all" or a name for the choice, then the notebooks in order
    python -m report.chapters --left-out   prints which files in notebooks/ are no chapters, and why

Standard library only: make runs this before anything is installed.
"""

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
NAME = re.compile(r"(?!00)(\d\d)_[\w.-]+\.ipynb")
COPY = re.compile(r"-Copy\d+\.ipynb$|-checkpoint\.ipynb$")


def taken(folder=FOLDER):
    """Return the notebooks of a folder that can be chapters, in order."""
    return sorted(path for path in folder.glob("*.ipynb") if NAME.fullmatch(path.name) and not COPY.search(path.name))


def left_out(folder=FOLDER):
    """Return a sentence for each notebook that is no chapter, except for the start page."""
    names = sorted({path.name for path in folder.glob("*.ipynb")} - {path.name for path in taken(folder)})
    why = "is not in the report: name a chapter like 10_mine.ipynb, from 01 to 99, without spaces and without -Copy1."
    return [f"notebooks/{name} {why}" for name in names if name != "index.ipynb"]


def chosen(chapters="", folder=FOLDER):
    """Return the notebooks that `chapters` names ("01-05", "1,3", "01 03-05"; "" for all).

    Raises ValueError if a part of it is not a number or a range, or names no notebook.
    """
    notebooks = {path: int(path.name[:2]) for path in taken(folder)}
    wanted = set()
    for part in re.split(r"[\s,]+", chapters.strip()):
        if part in ("", "all"):
            continue
        if not (ends := re.fullmatch(r"(\d+)(?:-(\d+))?", part)):
            raise ValueError(f"CHAPTERS must be like 01-05 or 01,03, got {chapters}")
        numbers = range(int(ends[1]), int(ends[2] or ends[1]) + 1)
        if not set(numbers) & set(notebooks.values()):
            raise ValueError(f"CHAPTERS: no notebook has a number in {part}")
        wanted.update(numbers)
    return [path for path, number in notebooks.items() if not wanted or number in wanted]


def label(chapters, folder=FOLDER):
    """Return the folder's name for a choice of chapters: "chapters-01-03-04" for "1,3-4", "all" for ""."""
    if not chapters.strip():
        return "all"
    return "-".join(["chapters", *dict.fromkeys(path.name[:2] for path in chosen(chapters, folder))])


def main():
    """Print what the command line asks for."""
    if sys.argv[1:] == ["--left-out"]:
        print("\n".join(left_out()))
        return
    chapters = " ".join(sys.argv[1:])
    try:
        print(label(chapters), *(f"notebooks/{path.name}" for path in chosen(chapters)))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
