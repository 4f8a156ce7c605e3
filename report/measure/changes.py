"""Whether a reader has changed the code of a notebook: what is claimed of the report's holds for that alone."""

import ast
import inspect
import textwrap


def unchanged(function, original):
    """Return whether a function of a notebook has the code of the package's, comments and docstrings apart."""
    ours, theirs = (ast.parse(textwrap.dedent(inspect.getsource(source))).body[0] for source in (function, original))
    return ast.dump(_without_docstring(ours)) == ast.dump(_without_docstring(theirs))


def _without_docstring(tree):
    if ast.get_docstring(tree) is not None:
        del tree.body[0]
    return tree
