"""Notebooks as they are on disk, those without cell ids too, as Google Colab saves them."""

import sys

import nbformat


def read(path):
    """Return the notebook of a file in nbformat 4.5; a cell without an id is called after its number.

    Exits with a sentence where the file is no notebook.
    """
    text = path.read_text("utf-8", "replace")
    try:
        notebook = nbformat.reads(text, as_version=4)
    except Exception as error:  # whatever nbformat makes of it
        why = "git has left its conflict marks in it" if "\n<<<<<<< " in f"\n{text}" else error
        sys.exit(f"{path.name} is no notebook: {why}.")
    for number, cell in enumerate(notebook.cells, 1):
        cell.setdefault("id", f"cell-{number}")
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    return notebook


def code_cells(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
