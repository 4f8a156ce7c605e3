"""Number the captions, references and equations of notebooks (see `report.numbering`), or check that they are numbered.

    python -m tools.number [--check] notebooks/*.ipynb

It writes the notebooks that change. With --check it writes nothing and says which would change. Both report references
that lead nowhere.
"""

import sys
from pathlib import Path

from report.notebooks import nbformat, read
from report.numbering import numbered


def main():
    """Number the notebooks that are named, or check them."""
    check = "--check" in sys.argv
    paths = [Path(name) for name in sys.argv[1:] if name != "--check"]
    notebooks = {path: read(path) for path in sorted(paths)}
    before = {path: [cell.source for cell in notebook.cells] for path, notebook in notebooks.items()}
    faults = numbered(notebooks)
    for path, notebook in notebooks.items():
        if [cell.source for cell in notebook.cells] != before[path]:
            if check:
                faults.append(f"{path.name}: figures, tables or equations are out of order: run `make number`.")
            else:
                nbformat.write(notebook, path)
                print(f"{path.name}: renumbered")
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
