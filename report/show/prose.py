"""`%%prose`: Markdown with measured numbers in it, which reads as a sentence before and after it has run.

    %%prose
    After {{ len(losses):, }} steps the loss is **{{ losses[-1]:.2f }}** nats.

Double braces hold Python, with an optional format after a colon. LaTeX does not change, not even \\frac{{x}}{{y}}. The
values are kept with the output, so that changed words need no new run.
"""

import re
from numbers import Number

from rnn.corpus import UserError

RESULTS = "application/vnd.rnn.results+json"  # {name: a value that the abstract may show}
KEPT = "application/vnd.rnn.prose+json"  # {what is in braces: its value as text}
MARK = '<div class="rnn-prose"></div>\n\n'  # by which Jupyter knows the cells whose source is hidden
WIDEST = 200  # characters of a value
# what follows a command, _ or ^ without a space inside is LaTeX, as in \frac{{x}}{{y}}; the rest is a value, group 1
_BRACES = re.compile(r"(?:\\[A-Za-z]+|[_^])(?:\{\{\S[^{}]*\}\})+|\{\{(.+?)\}\}(?!\})", re.DOTALL)


class ProseError(UserError, ValueError):
    """An expression in prose that fails; the message says which, in which line, and why."""


def expressions(body):
    """Return the expressions with their formats in a cell's body, in order, each once."""
    return list(dict.fromkeys(match[1].strip() for match in _values(body)))


def _values(body):
    """Return the matches of the values in a cell's body."""
    return [match for match in _BRACES.finditer(body) if match[1]]


def fill(body, values):
    """Return the Markdown of a body, given its values {expression with format: text}."""
    return unbroken(_BRACES.sub(lambda match: values[match[1].strip()] if match[1] else match[0], body))


def text(value, spec=""):
    """Return a value as a sentence has it: with a true minus, and a dash for what is not a number."""
    if missing(value):
        return "—"
    if max(map(int, re.findall(r"\d+", spec)), default=0) > WIDEST:
        raise ValueError(f"the format {spec} asks for more than {WIDEST} characters")
    shown = format(value, spec)
    return shown if isinstance(value, str) else re.sub(r"(?<![\w$^{])-(?=\d)", "−", shown)


def missing(value):
    """Whether a value is None, a number that is not one, or what pandas has in their place."""
    of_pandas = type(value).__name__ in ("NAType", "NaTType")  # which takes a second to import
    return value is None or of_pandas or (isinstance(value, Number) and value != value)


def bundle(body, values):
    """Return what a cell of prose displays, {kind: data}, given its body and the values of its expressions."""
    markdown = fill(body.strip("\n"), values)
    return {"text/markdown": markdown, "text/plain": markdown, KEPT: values}


def unbroken(markdown):
    """Keep a value and its interval in one line."""
    return markdown.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def evaluate(body, namespace):
    """Return {expression with format: text} of a body; raise ProseError for the first that fails."""
    values = {}
    for match in _values(body):
        inside = match[1].strip()
        line = body[: match.start()].count("\n") + 2  # the magic's own is the first
        try:
            expression, spec = divided(inside)
            values[inside] = text(eval(expression, namespace), spec)
        except Exception as error:
            raise ProseError(f"Line {line}: {{{{ {inside} }}}} fails, {type(error).__name__}: {error}") from None
    return values


def divided(inside):
    """Return (expression, format): the format begins at the first colon with a whole expression before it."""
    ends = [len(inside), *(at for at, character in enumerate(inside) if character == ":")]
    for end in ends:
        try:
            compile(inside[:end].strip(), "prose", "eval")
        except SyntaxError:
            continue
        return inside[:end].strip(), inside[end + 1 :].strip()
    raise SyntaxError("this is no Python expression")


def prose(line, body):
    """Show the body of a cell as Markdown, with the values of its expressions (the magic `%%prose`)."""
    from IPython import get_ipython
    from IPython.display import display

    data = bundle(body, evaluate(body, get_ipython().user_ns))
    display(data | {"text/markdown": MARK + data["text/markdown"]}, raw=True)
