"""Figures, tables, texts and code: one display each, as HTML in Jupyter and as Markdown in the report.

Captions are in Markdown cells: report/README.md says how to write one.
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
    """Show a figure; `alt` says what is to be seen in it, in a sentence for readers who cannot see it."""
    outlines = svg_of(fig, "path")
    fig.set_layout_engine("none")  # all has its place now
    letters = svg_of(fig, "none")
    if curves := packed_curves(fig):  # whose values the page tells
        letters = letters.replace(">", f'>\n<metadata class="curves">{html.escape(json.dumps(curves))}</metadata>', 1)
    letters = shortened(letters)
    plt.close(fig)
    in_jupyter = themed(outlines).replace("<svg ", f'<svg role="img" aria-label="{_attribute(alt)}" ', 1)
    markdown = f'![caption](figures/{name}.svg){{#fig-{name} alt="{_attribute(alt)}"}}'
    bundle = {"text/html": in_jupyter, "image/svg+xml": letters, "text/markdown": markdown, "text/plain": alt}
    display(bundle, raw=True)


def svg_of(fig, fonttype):
    """Return a figure as SVG, the same bytes each time: its letters as outlines ("path") or as text ("none")."""
    file = io.StringIO()
    with plt.rc_context({"svg.fonttype": fonttype, "svg.hashsalt": "rnn"}):
        fig.savefig(file, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    return svg[svg.index("<svg") :]


def themed(svg):
    """Return SVG in HTML whose ink has the colour of the text around, and which shrinks as far as one can read it."""
    size = re.search(r' width="([\d.]+)pt" height="[\d.]+pt"', svg)
    svg = svg.replace(size[0], ' style="width: 100%; height: auto"', 1).replace(INK, "currentColor")
    box = f"min-width: 30em; max-width: {1.6 * float(size[1]):.0f}px"
    colour = "color: var(--jp-content-font-color1, inherit)"
    return f'<div style="overflow-x: auto; {colour}"><div style="{box}">{svg}</div></div>'


def table(frame, name, formats=None, bold=None):
    """Show a DataFrame of values, with its index if that has a name.

    `formats` is {column: format or function}, or one of these for all. Numbers are on the right and text on the left;
    what is missing is a dash. Headers are Markdown, text in cells is literal. The row whose index is `bold` is bold.
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
    """Return a table as Markdown, given its cells as Markdown."""
    piped = [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in line] for line in (headers, *lines)]
    return tabulate(piped, tablefmt="pipe", headers="firstrow", disable_numparse=True, colalign=sides)


def _html_table(headers, lines, sides):
    """Return a table as HTML for Jupyter, given its cells as Markdown."""

    def row(tag, line):
        cells = zip(sides, line, strict=True)
        return "".join(f'<{tag} style="text-align: {side}">{_in_html(cell)}</{tag}>' for side, cell in cells)

    rows = [row("th", headers), *(row("td", line) for line in lines)]
    return f'<table style="font-variant-numeric: tabular-nums">{"".join(f"<tr>{cells}</tr>" for cells in rows)}</table>'


def _cell(value, spec):
    """Return a value as Markdown; numbers and short words stay in one line."""
    if isinstance(value, str):
        return inline(value) if len(value) > 12 else inline(value).replace(" ", NO_BREAK)
    if missing(value):
        return "—"
    if isinstance(value, float) and value.is_integer() and spec in (",", "d"):  # a column with a gap has floats
        value = int(value)
    return (spec(value) if callable(spec) else text(value, spec)).replace(" ", NO_BREAK)


def _in_html(markdown):
    """Return a cell for Jupyter, which typesets what is between dollars; escaped dollars are hidden from it."""
    inside = re.fullmatch(r"\*\*(.*)\*\*", markdown, re.DOTALL)
    shown = html.escape(inside[1] if inside else markdown, quote=False)
    shown = re.sub(r"\\\$", '<span class="mathjax_ignore">$</span>', shown)
    shown = re.sub(r"\\(&lt;|&gt;|&amp;|[!-/:-@[-`{-~])", r"\1", shown)
    return f"<b>{shown}</b>" if inside else shown


def texts(labelled, name, wrap=True):
    """Show texts, {label: text}, each exactly to the last character; `wrap` may break long lines."""
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
    """Show the source of a function, where the code is the point."""
    code = inspect.getsource(function).rstrip()
    colours = Code(code, language="python")
    bundle = {"text/html": colours._repr_html_(), "text/markdown": f"```python\n{code}\n```", "text/plain": code}
    display(bundle, raw=True)


def side_by_side(truth, text, width):
    """Return both texts in lines of `width` characters, line breaks as ↵, a caret under the first wrong character."""
    right = next((n for n, (a, b) in enumerate(zip(truth, text, strict=False)) if a != b), len(text))
    lines = []
    for begin in range(0, len(truth), width):
        left, other = (named(whole[begin : begin + width].replace("\n", "↵")) for whole in (truth, text))
        lines.append(f"{begin + 1:>4}  {left:<{width}}  {other}")
        if begin <= right < begin + len(other):
            lines.append(" " * (4 + 2 + width + 2 + right - begin) + f"^ {right + 1}")
    return "\n".join(lines)


def results(**values):
    """Keep values for the report's abstract, which may name them in braces, with a format; nothing is shown."""
    display({RESULTS: {name: _plain(value) for name, value in values.items()}, "text/plain": ""}, raw=True)


def _plain(value):
    """Return a value as JSON has it, which knows no NaN."""
    if dataclasses.is_dataclass(value):
        return tuple(map(_plain, dataclasses.astuple(value)))
    return None if missing(value) else np.asarray(value).item()


def verbatim(text, kind=""):
    """Return Markdown of a block that shows `text` unchanged: the fence is longer than any run of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{kind}\n{text}\n{fence}"


def scientific(x, digits=1):
    """Return a small or large number as Markdown, 2.1 × 10^-9^."""
    significand, exponent = f"{x:.{digits}e}".split("e")
    power = str(int(exponent)).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{significand} × 10{power}".replace(" ", "\N{NO-BREAK SPACE}") if float(x) else "0"


def _attribute(text):
    return html.escape(text).replace("\\", "\\\\").replace("$", "&#36;")
