"""`%%prose`: Markdown with measured numbers in it, which can be read before and after it has run.

    %%prose
    After {{ len(losses):, }} steps the loss is **{{ losses[-1]:.2f }}** nats.

Double braces contain Python, with an optional format after a colon. LaTeX does not change, not even \\frac{{x}}{{y}}.
The values are kept with the output, so words can be changed without running the cell again.
"""

import re
from numbers import Number

from rnn.corpus import UserError

RESULTS = "application/vnd.rnn.results+json"  # {name: a value that the abstract may show}
KEPT = "application/vnd.rnn.prose+json"  # {what is in braces: its value as text}
MARK = '<div class="rnn-prose"></div>\n\n'  # by which Jupyter knows the cells whose source is hidden
WIDEST = 200  # characters of a value
# double braces right after a command, _ or ^ are LaTeX, as in \frac{{x}}{{y}}; all others are a value, group 1
_BRACES = re.compile(r"(?:\\[A-Za-z]+|[_^])(?:\{\{\S[^{}]*\}\})+|\{\{(.+?)\}\}(?!\})", re.DOTALL)


class ProseError(UserError, ValueError):
    """An expression in prose that fails. The message says which one, in which line, and why."""


def expressions(body):
    """Return the expressions in a cell's body, with their formats, in order and each once."""
    return list(dict.fromkeys(match[1].strip() for match in _values(body)))


def _values(body):
    """Return the matches of the values in a cell's body."""
    return [match for match in _BRACES.finditer(body) if match[1]]


def fill(body, values):
    """Return the body as Markdown with `values` {expression with format: text} filled in."""
    return unbroken(_BRACES.sub(lambda match: values[match[1].strip()] if match[1] else match[0], body))


def text(value, spec=""):
    """Return a value as text for a sentence, with a true minus sign, and a dash if it is missing.

    Raises ValueError or TypeError if the format does not fit the value.
    """
    if missing(value):
        return "—"
    if max(map(int, re.findall(r"\d+", spec)), default=0) > WIDEST:
        raise ValueError(f"the format {spec} asks for more than {WIDEST} characters")
    shown = format(value, spec)
    return shown if isinstance(value, str) else re.sub(r"(?<![\w$^{])-(?=\d)", "−", shown)


def missing(value):
    """Whether a value is None, NaN, or pandas' NA or NaT."""
    is_missing_in_pandas = type(value).__name__ in ("NAType", "NaTType")  # importing pandas takes a second
    return value is None or is_missing_in_pandas or (isinstance(value, Number) and value != value)


def bundle(body, values):
    """Return what a cell of prose displays, {kind: data}, from its body and the values of its expressions."""
    markdown = fill(body.strip("\n"), values)
    return {"text/markdown": markdown, "text/plain": markdown, KEPT: values}


def unbroken(markdown):
    """Return Markdown in which a value and its interval stay on one line."""
    return markdown.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def evaluate(body, namespace):
    """Return {expression with format: text} of a body; raise ProseError for the first that fails."""
    values = {}
    for match in _values(body):
        inside = match[1].strip()
        line = body[: match.start()].count("\n") + 2  # the magic is the first line
        try:
            expression, spec = divided(inside)
            values[inside] = text(eval(expression, namespace), spec)
        except Exception as error:
            raise ProseError(f"Line {line}: {{{{ {inside} }}}} fails, {type(error).__name__}: {error}") from None
    return values


def divided(inside):
    """Return (expression, format). The format begins at the first colon that has a complete expression before it.

    Raises SyntaxError if there is no expression.
    """
    ends = [len(inside), *(at for at, character in enumerate(inside) if character == ":")]
    for end in ends:
        try:
            compile(inside[:end].strip(), "prose", "eval")
        except SyntaxError:
            continue
        return inside[:end].strip(), inside[end + 1 :].strip()
    raise SyntaxError("this is not a Python expression")


def prose(line, body):
    """Show the body of a cell as Markdown, with the values of its expressions (the magic `%%prose`)."""
    from IPython import get_ipython
    from IPython.display import display

    data = bundle(body, evaluate(body, get_ipython().user_ns))
    display(data | {"text/markdown": MARK + data["text/markdown"]}, raw=True)
