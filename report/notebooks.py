"""Read notebooks, including those without cell ids, which Google Colab saves."""

import sys

import nbformat


def read(path):
    """Return the notebook in a file, in nbformat 4.5. A cell without an id gets its number as its id.

    Exits with a sentence if the file is not a notebook.
    """
    text = path.read_text("utf-8", "replace")
    try:
        notebook = nbformat.reads(text, as_version=4)
    except Exception as error:  # nbformat raises many kinds of errors
        why = "git has left its conflict marks in it" if "\n<<<<<<< " in f"\n{text}" else error
        sys.exit(f"{path.name} is not a notebook: {why}.")
    for number, cell in enumerate(notebook.cells, 1):
        cell.setdefault("id", f"cell-{number}")
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    return notebook


def code_cells(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
