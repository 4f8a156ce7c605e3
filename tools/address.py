"""Write the project's public address wherever it must stand: in each notebook's first cell, and in README.

    python tools/address.py [--check]

It is the one of pyproject.toml. With --check nothing is written: what would change is said.
"""

import re
import sys
import tomllib
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
PAGE, START = "https://{owner}.github.io/{name}/", "notebooks/index.ipynb"
IN_README = re.compile(r"(?s)(?<=<!-- make address -->\n).*?(?=<!-- -->)")

CELL = """\
# On Google Colab: fetch the project and its text, and install it. Elsewhere this does nothing.
import sys

if "google.colab" in sys.modules:
    !git clone -q --depth 1 {address} project
    !make -C project hosted PYTHON={{sys.executable}}
    sys.path.insert(0, "project")
"""
SEEN = """\
- [the page]({page}), in which the network runs, and [the paper]({page}report.pdf)
- the notebooks, to run and to change in the browser: all of them on [Binder]({binder}), or
  one by one on Colab, for instance [03_training]({colab}/notebooks/03_training.ipynb)
- an editor in which all is installed: [Codespaces]({codespaces})
"""


def read_address(root=ROOT):
    """Return the public address, as pyproject.toml has it; exit with a sentence if it is none of GitHub's."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    address = project["urls"]["Repository"].rstrip("/")
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        sys.exit(f"pyproject.toml: Repository must be like https://github.com/name/project, got {address}")
    return address


def with_cell(notebook, address):
    """Give a notebook the cell for Colab, behind its title."""
    notebook.cells = [cell for cell in notebook.cells if cell.id != "colab"]
    source, tags = CELL.format(address=address).rstrip("\n"), {"tags": ["live-only"]}
    notebook.cells.insert(1, nbformat.v4.new_code_cell(source, id="colab", metadata=tags))
    return notebook


def where_to_see(address):
    """Return the lines of README that say where the report is seen without installing it."""
    owner, name = address.split("/")[-2:]
    return SEEN.format(
        page=PAGE.format(owner=owner, name=name),
        binder=f"https://mybinder.org/v2/gh/{owner}/{name}/HEAD?labpath={START}",
        colab=f"https://colab.research.google.com/github/{owner}/{name}/blob/main",
        codespaces=f"https://codespaces.new/{owner}/{name}",
    )


def main():
    """Write, or check."""
    address, changed = read_address(), {}
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        before, after = nbformat.read(path, 4), with_cell(nbformat.read(path, 4), address)
        if after != before:
            changed[path] = nbformat.writes(after) + "\n"
    readme = ROOT / "README.md"
    before = readme.read_text("utf-8")
    if (after := IN_README.sub(lambda _: where_to_see(address), before)) != before:
        changed[readme] = after
    if "--check" in sys.argv and changed:
        names = ", ".join(str(path.relative_to(ROOT)) for path in changed)
        sys.exit(f"Without the public address of pyproject.toml, which `make address` writes: {names}")
    for path, text in changed.items():
        path.write_text(text, "utf-8")
        print(f"{path.relative_to(ROOT)} has the address {address}")


if __name__ == "__main__":
    main()
