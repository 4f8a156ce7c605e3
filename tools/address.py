"""Write the project's public address into README and into a cell of each notebook.

    python -m tools.address [--check]

The address is in pyproject.toml. If there is none, no file has a link to it. With --check nothing is written; the files
that would change are named.
"""

import re
import sys
import tomllib
from pathlib import Path

from report import notebooks
from report.notebooks import nbformat  # from there it takes a second less (report/__init__.py)

ROOT = Path(__file__).resolve().parent.parent
PAGE, START = "https://{owner}.github.io/{name}/", "notebooks/index.ipynb"
IN_README = re.compile(r"(?s)(?<=<!-- make address -->\n).*?(?=<!-- -->)")

CELL = """\
# On Google Colab: fetch the project and install what it needs. Elsewhere this does nothing.
!test -z "$COLAB_RELEASE_TAG" || (git clone -q {address} project && make -C project hosted && ln -s project/r* .)
"""
SEEN = """\
**To see it without installing anything:**

- [the page]({page}), in which the network runs, and [the paper]({page}report.pdf)
- the notebooks, to run and to change in the browser: all of them on [Binder]({binder}), or
  one by one on Colab, for instance [03_training]({colab}/notebooks/03_training.ipynb)
- an editor in which all is installed: [Codespaces]({codespaces})
"""


def read_address(root=ROOT):
    """Return the public address in pyproject.toml, or None; exit with a sentence if it is not GitHub's."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    address = project.get("urls", {}).get("Repository", "").rstrip("/")
    if address and not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        sys.exit(f"pyproject.toml: Repository must be like https://github.com/name/project, got {address}")
    return address or None


def with_cell(notebook, address):
    """Return the notebook with a cell for Colab after its title, or without one if there is no address."""
    notebook.cells = [cell for cell in notebook.cells if cell.get("id") != "colab"]
    if address:
        source = CELL.format(address=address).rstrip("\n")
        notebook.cells.insert(1, nbformat.v4.new_code_cell(source, id="colab", metadata={"tags": ["live-only"]}))
    return notebook


def where_to_see(address):
    """Return the lines of README about seeing the report without installing it; "" if there is no address."""
    if not address:
        return ""
    owner, name = address.split("/")[-2:]
    return SEEN.format(
        page=PAGE.format(owner=owner, name=name),
        binder=f"https://mybinder.org/v2/gh/{owner}/{name}/HEAD?labpath={START}",
        colab=f"https://colab.research.google.com/github/{owner}/{name}/blob/main",
        codespaces=f"https://codespaces.new/{owner}/{name}",
    )


def main():
    """Write the address, or check that it is written."""
    address = read_address()
    changed = {}
    for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb")):
        before = notebooks.read(path)
        after = with_cell(notebooks.read(path), address)
        if after != before:
            changed[path] = nbformat.writes(after) + "\n"
    readme = ROOT / "README.md"
    before = readme.read_text("utf-8")
    if (after := IN_README.sub(lambda _: where_to_see(address), before)) != before:
        changed[readme] = after
    if "--check" in sys.argv and changed:
        names = ", ".join(str(path.relative_to(ROOT)) for path in changed)
        sys.exit(f"The public address of pyproject.toml is not in {names}: run `make address`.")
    for path, text in changed.items():
        path.write_text(text, "utf-8")
        print(f"{path.relative_to(ROOT)} has {f'the address {address}' if address else 'no address'}")


if __name__ == "__main__":
    main()
