"""Show figures, tables, texts and code, as HTML in Jupyter and as Markdown in the report.

Captions are in Markdown cells; report/README.md says how to write them.
"""

import dataclasses
import html
import inspect
import io
import json
import re

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Code, display
from tabulate import tabulate

from report.show.characters import inline, named
from report.show.plots import INK
from report.show.prose import RESULTS, missing, text
from report.show.svg import shortened
from report.show.web import packed_curves

NO_BREAK = "\N{NO-BREAK SPACE}"


def figure(fig, name, alt):
    """Show a figure. `alt` describes it in a sentence, for readers who cannot see it."""
    outlines = svg_of(fig, "path")
    fig.set_layout_engine("none")  # the layout must not change again
    letters = svg_of(fig, "none")
    if curves := packed_curves(fig):  # the page shows their values under the pointer
        letters = letters.replace(">", f'>\n<metadata class="curves">{html.escape(json.dumps(curves))}</metadata>', 1)
    letters = shortened(letters)
    plt.close(fig)
    in_jupyter = themed(outlines).replace("<svg ", f'<svg role="img" aria-label="{_attribute(alt)}" ', 1)
    markdown = f'![caption](figures/{name}.svg){{#fig-{name} alt="{_attribute(alt)}"}}'
    bundle = {"text/html": in_jupyter, "image/svg+xml": letters, "text/markdown": markdown, "text/plain": alt}
    display(bundle, raw=True)


def svg_of(fig, fonttype):
    """Return a figure as SVG, with letters as outlines ("path") or as text ("none"); always the same bytes."""
    file = io.StringIO()
    with plt.rc_context({"svg.fonttype": fonttype, "svg.hashsalt": "rnn"}):
        fig.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    # Matplotlib's rule for `*` is one for the whole page, whose styles a browser would compute anew at each figure
    rule = '<style type="text/css">*{stroke-linejoin: round; stroke-linecap: butt}</style>'
    return svg.replace(rule, "").replace("<svg ", '<svg stroke-linejoin="round" ', 1)


def themed(svg):
    """Return HTML with the SVG in the colour of the surrounding text; it shrinks only while it stays readable."""
    size = re.search(r' width="([\d.]+)pt" height="[\d.]+pt"', svg)
    svg = svg.replace(size[0], ' style="width: 100%; height: auto"', 1).replace(INK, "currentColor")
    box = f"min-width: 30em; max-width: {1.6 * float(size[1]):.0f}px"
    colour = "color: var(--jp-content-font-color1, inherit)"
    return f'<div style="overflow-x: auto; {colour}"><div style="{box}">{svg}</div></div>'


def table(frame, name, formats=None, bold=None):
    """Show a DataFrame, with its index if that has a name.

    `formats` is {column: format or function}, or one format or function for all columns. Numbers are right-aligned and
    text is left-aligned. Missing values are a dash. Headers are Markdown; text in cells is literal. The row with the
    index `bold` is bold.
    """
    has_index = any(name is not None for name in frame.index.names)
    columns = frame.reset_index() if has_index else frame
    if not isinstance(formats, dict):
        formats = dict.fromkeys(frame.columns, formats or "")
    cells = [[_cell(value, formats.get(column, "")) for value in columns[column]] for column in columns]
    lines = [list(line) for line in zip(*cells, strict=True)]
    if bold is not None:
        at = list(frame.index).index(bold)
        lines[at] = [cell and f"**{cell}**" for cell in lines[at]]
    sides = ["left" if _is_text(columns[column]) else "right" for column in columns]
    headers = [str(column) for column in columns]
    bundle = {
        "text/html": _html_table(headers, lines, sides),
        "text/markdown": f"{_pipe_table(headers, lines, sides)}\n\n: caption {{#tbl-{name}}}",
        "text/plain": tabulate(lines, headers),
    }
    display(bundle, raw=True)


def _is_text(values):
    return all(isinstance(value, str) for value in values if not missing(value))


def _pipe_table(headers, lines, sides):
    """Return a table as Markdown; its cells are Markdown."""
    piped = [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in line] for line in (headers, *lines)]
    return tabulate(piped, tablefmt="pipe", headers="firstrow", disable_numparse=True, colalign=sides)


def _html_table(headers, lines, sides):
    """Return a table as HTML for Jupyter; its cells are Markdown."""

    def row(tag, line):
        cells = zip(sides, line, strict=True)
        return "".join(f'<{tag} style="text-align: {side}">{_in_html(cell)}</{tag}>' for side, cell in cells)

    rows = [row("th", headers), *(row("td", line) for line in lines)]
    return f'<table style="font-variant-numeric: tabular-nums">{"".join(f"<tr>{cells}</tr>" for cells in rows)}</table>'


def _cell(value, spec):
    """Return a value as Markdown. Numbers and short words are not broken over lines."""
    if isinstance(value, str):
        return inline(value) if len(value) > 12 else inline(value).replace(" ", NO_BREAK)
    if missing(value):
        return "—"
    if isinstance(value, float) and value.is_integer() and spec in (",", "d"):  # a column with gaps has floats
        value = int(value)
    return (spec(value) if callable(spec) else text(value, spec)).replace(" ", NO_BREAK)


def _in_html(markdown):
    """Return a cell as HTML for Jupyter. Escaped dollars are hidden, or Jupyter would set a formula between them."""
    inside = re.fullmatch(r"\*\*(.*)\*\*", markdown, re.DOTALL)
    shown = html.escape(inside[1] if inside else markdown, quote=False)
    shown = re.sub(r"\\\$", '<span class="mathjax_ignore">$</span>', shown)
    shown = re.sub(r"\\(&lt;|&gt;|&amp;|[!-/:-@[-`{-~])", r"\1", shown)
    return f"<b>{shown}</b>" if inside else shown


def texts(labelled, name, wrap=True):
    """Show texts {label: text}, exactly to the last character. Long lines are broken if `wrap`."""
    shown = "".join(
        f'<p style="font-size: 90%; opacity: 0.75; margin: 0.8em 0 0.2em">{html.escape(label)}</p>'
        f'<pre style="white-space: {"pre-wrap" if wrap else "pre"}">{html.escape(named(text))}</pre>'
        for label, text in labelled.items()
    )
    blocks = "\n\n".join(
        f"[{inline(label)}]{{.labels}}\n\n{verbatim(named(text), '' if wrap else 'lines')}"
        for label, text in labelled.items()
    )
    fence = ":" * 4
    markdown = f"{fence} {{#fig-{name} .texts}}\n{blocks}\n{fence}"
    plain = "\n\n".join(f"{label}\n{text}" for label, text in labelled.items())
    display({"text/html": shown, "text/markdown": markdown, "text/plain": plain}, raw=True)


def source(function):
    """Show the source code of a function."""
    code = inspect.getsource(function).rstrip()
    colours = Code(code, language="python")
    bundle = {"text/html": colours._repr_html_(), "text/markdown": f"```python\n{code}\n```", "text/plain": code}
    display(bundle, raw=True)


def side_by_side(truth, text, width):
    """Return two texts next to each other, `width` characters a line, with a caret under the first wrong character.

    A line break is shown as ↵.
    """
    right = next((n for n, (a, b) in enumerate(zip(truth, text, strict=False)) if a != b), len(text))
    lines = []
    for begin in range(0, len(truth), width):
        true_line, line = (named(whole[begin : begin + width].replace("\n", "↵")) for whole in (truth, text))
        lines.append(f"{begin + 1:>4}  {true_line:<{width}}  {line}")
        if begin <= right < begin + len(line):
            lines.append(" " * (4 + 2 + width + 2 + right - begin) + f"^ {right + 1}")
    return "\n".join(lines)


def results(**values):
    """Keep values for the report's abstract, which can name them in braces with a format. Nothing is shown."""
    display({RESULTS: {name: _plain(value) for name, value in values.items()}, "text/plain": ""}, raw=True)


def _plain(value):
    """Return a value for JSON; NaN becomes None."""
    if dataclasses.is_dataclass(value):
        return tuple(map(_plain, dataclasses.astuple(value)))
    return None if missing(value) else np.asarray(value).item()


def verbatim(text, kind=""):
    """Return a Markdown block that shows `text` unchanged. Its fence is longer than any run of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{kind}\n{text}\n{fence}"


def scientific(x, digits=1):
    """Return a small or large number in words that Markdown leaves alone, such as 2.1 × 10⁻⁹."""
    significand, exponent = f"{x:.{digits}e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{significand} × 10{power}".replace(" ", "\N{NO-BREAK SPACE}") if float(x) else "0"


def _attribute(text):
    return html.escape(text).replace("\\", "\\\\").replace("$", "&#36;")
