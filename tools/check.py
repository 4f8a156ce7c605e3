"""Check the style of the notebooks, as far as a script can.

    python -m tools.check notebooks/*.ipynb

- **The subject.** In chapters 01 to 05, at least 70% of the lines of code must be about the subject. (In the study, the
  cells mostly call `report.measure` and show its tables.) These statements are not about the subject: imports; what
  shows a table, a figure or a format, or builds one to show it (`NOT_THE_SUBJECT` has the names that reveal this);
  asserts, and blocks with an assert. Functions and long cells are welcome. Comments, docstrings, `%%prose`, commands
  and the cell of parameters do not count.
- **A cell that the paper leaves out defines nothing that another cell needs.** Without it the rest still runs, and says
  the same. Cells that are left out together, one after the other, may need each other.
- **A cell that repeats a function of rnn** says so in a comment, `# rnn.model.forward, the same as in rnn/model.py`.
  Its function must equal that of the package, except for line breaks. (Chapters 01 to 05.)
- No comprehension inside a comprehension, no line of more than 100 characters, no sentence in an f-string, and no
  sentence in `%%prose` that an `if` chooses.
"""

import ast
import dis
import io
import re
import sys
import tokenize
from pathlib import Path
from types import CodeType

from report import notebooks
from report.show import prose

ROOT = Path(__file__).resolve().parent.parent
WIDTH = 100  # characters in a line
WORDS = 6  # an f-string with more words is a sentence
NEEDED = 0.7  # the share of the subject
NOT_THE_SUBJECT = {"show", "plots", "widget", "plt", "fig", "ax", "pd", "formats", "table", "rows", "columns"}
COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
MARK = re.compile(r"(?m)^# (rnn(?:\.\w+)*)\.(\w+)\b.*$")


def is_assignment(path):
    """Whether a notebook belongs to the assignment (01 to 05) and not to the study."""
    return path.name[:2] <= "05"


def python(source):
    """Return the Python of a cell; the lines of magics become empty."""
    return re.sub(r"(?m)^\s*[%!].*$", "", source)


def code_cells(notebook):
    """Yield (number from 1, source, tag that leaves it out of the paper or None) of a notebook's code cells."""
    for number, cell in enumerate(notebook.cells, 1):
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "code" and "parameters" not in tags:
            yield number, cell.source, next(iter(tags & {"page-only", "not-in-paper", "live-only"}), None)


# ---- the subject


def share_of_the_subject(sources):
    """Return the share of the lines in the cells `sources` that are about the subject."""
    subject, total = 0, 0
    for source in sources:
        docstrings = _lines(node for node in ast.walk(ast.parse(source)) if _is_docstring(node))
        code = {n for n, line in enumerate(source.split("\n"), 1) if line.strip() and not line.strip().startswith("#")}
        subject += len((subject_lines(ast.parse(source).body) & code) - docstrings)
        total += len(code - docstrings)
    return subject / total if total else 1.0


def subject_lines(statements):
    """Return the line numbers of the statements that are about the subject."""
    lines = set()
    for statement in statements:
        body = getattr(statement, "body", [])
        if any(isinstance(inner, ast.Assert) for inner in (statement, *body)):
            continue
        parts = [field for field in ast.iter_child_nodes(statement) if not isinstance(field, ast.stmt)]
        if not isinstance(statement, ast.Import | ast.ImportFrom) and not _names(parts) & NOT_THE_SUBJECT:
            lines |= set(range(statement.lineno, body[0].lineno)) if body else _lines([statement])
        lines |= subject_lines(body) | subject_lines(getattr(statement, "orelse", []))
    return lines


def _names(nodes):
    return {name.id for node in nodes for name in ast.walk(node) if isinstance(name, ast.Name)}


def _lines(nodes):
    return {line for node in nodes for line in range(node.lineno, node.end_lineno + 1)}


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


# ---- what cells need of each other


def made_and_needed(source):
    """Return two sets of names: what a cell of Python defines, and what it needs from earlier cells."""
    made = set()
    needed = set()
    for code in _code_objects(compile(source, "cell", "exec")):
        for instruction in dis.get_instructions(code):
            if instruction.opname in ("STORE_NAME", "STORE_GLOBAL"):
                made.add(instruction.argval)
            elif instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL") and instruction.argval not in made:
                needed.add(instruction.argval)
    return made, needed


def _code_objects(code):
    """Yield the code of a cell, then that of its functions, which run after the cell has defined all names."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _code_objects(constant)


def needed_from_left_out(cells):
    """Yield (number, name, number): a cell, a name that it needs, and the left-out cell that last defined the name."""
    maker = {}  # {name: (number of the cell that defined it, its tag, its stretch)}
    stretch = 0  # the number of a row of cells that are all left out by the same tag, or all not
    before = None
    for number, source, left_out in cells:
        stretch += left_out != before
        before = left_out
        is_prose = source.startswith("%%prose")
        expressions = [prose.divided(inside)[0] for inside in prose.expressions(source)] if is_prose else []
        made, needed = made_and_needed("\n".join(expressions) if is_prose else python(source))
        for name in sorted(needed & maker.keys()):
            number_of_maker, left_out_of_maker, stretch_of_maker = maker[name]
            if left_out_of_maker and stretch_of_maker != stretch and not left_out == left_out_of_maker == "live-only":
                yield number, name, number_of_maker
        maker |= dict.fromkeys(made, (number, left_out, stretch))


# ---- what repeats a function of rnn


def faults_of_repeats(source):
    """Yield sentences about functions of a cell that are not the same as in the package."""
    functions = definitions(source)
    for module, name in MARK.findall(source):
        path = ROOT / f"{module.replace('.', '/')}.py"
        original = definitions(path.read_text("utf-8")).get(name) if path.exists() else None
        if original is None:
            yield f"there is no {module}.{name}."
        elif name not in functions:
            yield f"the comment names {module}.{name}, but the cell does not define {name}."
        elif difference := first_difference(functions[name], original):
            yield f"{name} is not {module}.{name}: {difference}."
    marked = {name for _, name in MARK.findall(source)}
    for path in sorted((ROOT / "rnn").glob("*.py")):
        for name in functions.keys() & definitions(path.read_text("utf-8")).keys() - marked:
            yield f"{name} is also a function of rnn.{path.stem}; the cell must say so: `# rnn.{path.stem}.{name}`."


def definitions(source):
    """Return {name: source} of the functions and classes at the top of a module or a cell."""
    lines = source.split("\n")
    nodes = [node for node in ast.parse(python(source)).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return {node.name: "\n".join(lines[node.lineno - 1 : node.end_lineno]) for node in nodes}


def first_difference(in_cell, in_package):
    """Return in words where two functions first differ, except for line breaks; or None."""
    cell_tokens = _tokens(in_cell)
    package_tokens = _tokens(in_package)
    for (token, line), (package_token, package_line) in zip(cell_tokens, package_tokens, strict=False):
        if token != package_token:
            return f"the cell has `{line.strip()}` where the package has `{package_line.strip()}`"
    common = min(len(cell_tokens), len(package_tokens))
    if len(cell_tokens) > common:
        return f"the cell continues with `{cell_tokens[common][1].strip()}`"
    if len(package_tokens) > common:
        return f"the package continues with `{package_tokens[common][1].strip()}`"
    return None


def _tokens(source):
    """Return [(token, its line)] without layout. Comments count; line breaks and trailing commas do not."""
    layout = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    tokens = [token for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.type not in layout]
    followers = [token.string for token in tokens[1:]] + [""]
    return [
        (" ".join(token.string.split()), token.line)
        for token, follower in zip(tokens, followers, strict=True)
        if (token.string, follower) not in ((",", ")"), (",", "]"), (",", "}"))
    ]


# ---- single cells


def is_sentence(node):
    """Whether a node is an f-string with a sentence in it."""
    if not isinstance(node, ast.JoinedStr):
        return False
    words = "".join(part.value for part in node.values if isinstance(part, ast.Constant))
    return len(re.findall(r"\w{2,}", words)) > WORDS


def is_nested(node):
    """Whether a node is a comprehension with another one inside it."""
    inner = (isinstance(child, COMPREHENSIONS) for child in ast.walk(node) if child is not node)
    return isinstance(node, COMPREHENSIONS) and any(inner)


def faults_of_prose(source):
    """Yield sentences about the expressions of a `%%prose` cell."""
    for expression in prose.expressions(source):
        try:
            tree = ast.parse(prose.divided(expression)[0], mode="eval")
        except SyntaxError:
            yield f"{{{{ {expression} }}}} is not a Python expression."
            continue
        if any(isinstance(node, ast.IfExp) for node in ast.walk(tree)):
            yield f"an if chooses a sentence, in {{{{ {expression} }}}}."


def faults_of_code(source):
    """Yield (kind, sentence) for each fault in a cell of Python."""
    for line in source.split("\n"):
        if len(line) > WIDTH:
            yield "style", f"a line of {len(line)} characters, more than {WIDTH}."
    for node in ast.walk(ast.parse(python(source))):
        if is_sentence(node):
            yield "style", "an f-string has a sentence in it."
        if is_nested(node):
            yield "nested", f"a comprehension inside a comprehension, line {node.lineno}."


def faults_of(path):
    """Return ([(kind, sentence)] for the faults of a notebook, the share of the subject)."""
    cells = list(code_cells(notebooks.read(path)))
    faults = []
    for number, source, _ in cells:
        try:
            if source.startswith("%%prose"):
                found = [("style", fault) for fault in faults_of_prose(source)]
            else:
                found = list(faults_of_code(source))
                if is_assignment(path):
                    found += [("repeats", fault) for fault in faults_of_repeats(source)]
        except SyntaxError as error:
            found = [("Python", f"line {error.lineno} is not Python: {error.msg}.")]
        faults += [(kind, f"{path.name}, cell {number}: {fault}") for kind, fault in found]
    if any(kind == "Python" for kind, _ in faults):
        return faults, 1.0
    share = share_of_the_subject(python(source) for _, source, _ in cells if not source.startswith("%%prose"))
    if is_assignment(path) and share < NEEDED:
        why = f"{share:.0%} of the code is about the subject, less than {NEEDED:.0%}."
        faults.append(("subject", f"{path.name}: {why}"))
    for number, name, maker in needed_from_left_out(cells):
        why = f"needs {name} from cell {maker}, which the paper leaves out."
        faults.append(("left out", f"{path.name}, cell {number}: {why}"))
    return faults, share


def main():
    """Check the notebooks that are named."""
    faults = []
    for path in sorted(map(Path, sys.argv[1:])):
        notebook_faults, share = faults_of(path)
        print(f"{path.name}: {share:.0%} of the code is about the subject")
        faults += [sentence for _, sentence in notebook_faults]
    sys.exit("\n".join(faults) or 0)


if __name__ == "__main__":
    main()
