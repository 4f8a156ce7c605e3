"""Count what a script can count of the notebooks' style, and fail where a reader would have to work.

    python tools/check.py notebooks/*.ipynb

Of the lines of code (blank lines, comments and `%%prose` cells do not count) at least 60 per cent must be the subject.
Not the subject is a statement that imports, loads an extension, or makes or shows something only to be looked at: one
that speaks of `show`, `plots`, `widget`, `plt`, `fig` or `ax` and gives nothing back, or that assigns `fig`, `ax` or
`formats`. All the rest is: the reading of the text, the settings, the mathematics, the training, the measuring, the
tables of numbers, and the claims. Sentences stand in Markdown or `%%prose`, not in f-strings of more than six words.
"""

import ast
import re
import sys
from pathlib import Path

import nbformat

from report.show import prose

WIDTH, FUNCTIONS, SUBJECT, WORDS = 100, 1, 0.6, 6
SHOWN = {"show", "plots", "widget", "plt", "fig", "ax"}
TO_SHOW = {"fig", "ax", "formats"}


def counted(source):
    """Return the lines of a cell's code that count."""
    return [line for line in source.split("\n") if line.strip() and not line.strip().startswith("#")]


def is_subject(statement):
    """Whether a statement is about the network rather than about showing it."""
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return False
    if isinstance(statement, ast.Assign) and set().union(*map(_names, statement.targets)) & TO_SHOW:
        return False
    return not (isinstance(statement, ast.Expr) and SHOWN & _names(statement))


def _names(statement):
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def is_sentence(node):
    """Whether a part of the code is an f-string with a sentence in it."""
    if not isinstance(node, ast.JoinedStr):
        return False
    return (
        len(re.findall(r"\w{2,}", "".join(part.value for part in node.values if isinstance(part, ast.Constant))))
        > WORDS
    )


def faults_of_prose(source):
    """Yield what is wrong with the expressions of a `%%prose` cell."""
    for expression in prose.expressions(source):
        try:
            tree = ast.parse(prose.divided(expression)[0], mode="eval")
        except SyntaxError:
            yield f"{{{{ {expression} }}}} is no Python expression."
            continue
        if any(isinstance(node, ast.IfExp) for node in ast.walk(tree)):
            yield f"a sentence is chosen by an if, in {{{{ {expression} }}}}."


def faults_of(path):
    """Return (sentences, number of functions, share of the subject) of one notebook."""
    faults, functions, subject, total = [], 0, 0, 0
    for number, cell in enumerate(nbformat.read(path, 4).cells, 1):
        place = f"{path.name}, cell {number}"
        if cell.cell_type != "code" or cell.id == "colab":  # the same in all: tools/address.py writes it
            continue
        if cell.source.startswith("%%prose"):
            faults += [f"{place}: {fault}" for fault in faults_of_prose(cell.source)]
            continue
        lines = counted(cell.source)
        faults += [
            f"{place}: a line of {len(line)} characters, more than {WIDTH}."
            for line in cell.source.split("\n")
            if len(line) > WIDTH
        ]
        try:
            tree = ast.parse(re.sub(r"(?m)^[%!].*$", "", cell.source))
        except SyntaxError as error:
            faults.append(f"{place}: line {error.lineno} is no Python: {error.msg}.")
            continue
        faults += [f"{place}: an f-string has a sentence in it." for node in ast.walk(tree) if is_sentence(node)]
        functions += sum(isinstance(node, ast.FunctionDef | ast.Lambda) for node in ast.walk(tree))
        total += len(lines)
        for statement in tree.body:
            of_it = counted("\n".join(cell.source.split("\n")[statement.lineno - 1 : statement.end_lineno]))
            subject += len(of_it) * is_subject(statement)
    return faults, functions, subject / max(total, 1)


def main():
    """Check the notebooks that are named."""
    faults, all_functions = [], 0
    for path in sorted(map(Path, sys.argv[1:])):
        of_notebook, functions, subject = faults_of(path)
        print(f"{path.name}: {subject:.0%} of the code is the subject, {functions} functions")
        faults += of_notebook
        if subject < SUBJECT:
            faults.append(f"{path.name}: {subject:.0%} of the code is the subject, less than {SUBJECT:.0%}.")
        all_functions += functions
    if all_functions > FUNCTIONS:
        faults.append(f"The notebooks define {all_functions} functions, more than {FUNCTIONS}.")
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
