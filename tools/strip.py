"""Strip a notebook to what git keeps: the text of its cells, without outputs and without what editors add.

    python3 tools/strip.py < notebook        git's filter (see .gitattributes)
    python3 tools/strip.py notebook          the same for a file, for git diff
    python3 tools/strip.py --check *.ipynb   names the notebooks that are not stripped

Standard library only: git calls it even if nothing is installed.
"""

import json
import sys
from pathlib import Path

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def stripped(text):
    """Return the text of a notebook as git keeps it, in nbformat's layout."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key == "tags" and value}
    notebook["metadata"] = {"kernelspec": KERNEL}
    return json.dumps(notebook, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def as_kept(text):
    """Return a text as git keeps it. A text that is not a notebook of version 4 does not change."""
    try:
        return stripped(text)
    except (ValueError, LookupError, TypeError):
        return text


def main():
    """Strip or check what the command line names."""
    if sys.argv[1:2] == ["--check"]:
        texts = {path: Path(path).read_text("utf-8") for path in sys.argv[2:]}
        if changed := [path for path, text in texts.items() if as_kept(text) != text]:
            sys.exit(f"These have outputs, or metadata of an editor: {', '.join(changed)}")
        return
    data = Path(sys.argv[1]).read_bytes() if len(sys.argv) > 1 else sys.stdin.buffer.read()
    sys.stdout.buffer.write(as_kept(data.decode("utf-8")).encode())


if __name__ == "__main__":
    main()
