"""Whether a reader has changed the code of a notebook. The report's claims only hold for the original code."""

import ast
import inspect
import textwrap


def unchanged(function, original):
    """Return whether a function has the code of the original, except for comments and docstrings."""
    return ast.dump(_without_docstring(function)) == ast.dump(_without_docstring(original))


def _without_docstring(function):
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return tree
