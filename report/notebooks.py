"""Notebooks as they are on disk, those without cell ids too, as Google Colab saves them."""

import nbformat


def read(path):
    """Return the notebook of a file in nbformat 4.5; a cell without an id is called after its number."""
    notebook = nbformat.read(path, as_version=4)
    for number, cell in enumerate(notebook.cells, 1):
        cell.setdefault("id", f"cell-{number}")
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    return notebook


def code_cells(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
