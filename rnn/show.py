"""Figures, tables, texts and prose with numbers: one display each, as HTML in Jupyter and as Markdown in the report."""

import contextlib
import html
import inspect
import re
import string
import time

import matplotlib.pyplot as plt
from IPython.display import Markdown, display
from tabulate import tabulate

from rnn.corpus import ROOT
from rnn.words import agreement


def prose(markdown):
    """Show a paragraph of Markdown; numbers come into the text this way, measured and not typed."""
    display(Markdown(_unbroken(markdown)))


def figure(fig, corpus, name, caption, alt):
    """Save a figure as figures/<text>/<name>.svg, and show it with a caption and a text for who cannot see it."""
    path = ROOT / "figures" / corpus.id / f"{name}.svg"
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(fig)
    svg = path.read_text("utf-8")
    svg = svg[svg.index("<svg") :]
    markdown = f'![{caption}]({path.relative_to(ROOT)}){{#fig-{name} alt="{_attribute(alt)}"}}'
    _display(name, "Figure", f"<div style='background: white'>{svg}</div>", caption, _unbroken(markdown))


def table(rows, headers, name, caption, align=None):
    """Show a table of strings under a caption; `align` has a word for each column, right or left."""
    align = align or ["left"] + ["right"] * (len(headers) - 1)
    rows = [[_unbroken(str(cell)) for cell in row] for row in rows]
    settings = {"headers": headers, "disable_numparse": True, "colalign": align}
    in_pipes = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    markdown = f"{tabulate(in_pipes, tablefmt='pipe', **settings)}\n\n: {caption} {{#tbl-{name}}}"
    _display(name, "Table", tabulate(rows, tablefmt="html", **settings), caption, markdown)


def texts(labelled, name, caption, wrap=True):
    """Show texts, {label: text}, each as it is to the last character, under a caption; `wrap` may break long lines."""
    shown = "".join(
        f"<p><b>{html.escape(label)}</b></p><pre style='white-space: pre-wrap'>{html.escape(text)}</pre>"
        for label, text in labelled.items()
    )
    blocks = "\n\n".join(
        f"**{label}**\n\n{verbatim(text, '' if wrap else 'lines')}" for label, text in labelled.items()
    )
    fence = ":" * 4
    markdown = f"{fence} {{#fig-{name} .texts}}\n{blocks}\n\n{fence} caption\n{caption}\n{fence}\n{fence}"
    _display(name, "Figure", shown, caption, markdown)


def source(function):
    """Show the source of a function, where the code is the point."""
    display(Markdown(f"```python\n{inspect.getsource(function).rstrip()}\n```"))


def side_by_side(truth, text, width):
    """Return both texts in lines of `width` characters, line breaks as ↵, a caret under the first wrong character."""
    right = agreement(text, truth)
    lines = []
    for begin in range(0, len(truth), width):
        left, other = (whole[begin : begin + width].replace("\n", "↵") for whole in (truth, text))
        lines.append(f"{begin + 1:>4}  {left:<{width}}  {other}")
        if begin <= right < begin + len(other):
            lines.append(" " * (4 + 2 + width + 2 + right - begin) + f"^ {right + 1}")
    return "\n".join(lines)


def results(**values):
    """Keep values for the report's abstract, which may name them in braces; nothing is shown."""
    display({"application/vnd.rnn.results+json": values, "text/plain": ""}, raw=True)


def verbatim(text, kind=""):
    """Return Markdown of a block that shows `text` as it is: the fence is longer than any run of backticks in it."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{kind}\n{text}\n{fence}"


@contextlib.contextmanager
def live_loss(every=1.0):
    """Show a loss curve that grows: yield a function for `training.train` to call; the curve goes when it is done."""
    curve, shown_at = ([], []), time.monotonic()
    handle = display({"text/plain": ""}, raw=True, display_id=True)

    def watch(step, losses):
        nonlocal shown_at
        curve[0].append(step)
        curve[1].append(losses.mean())
        if handle and time.monotonic() - shown_at > every:
            fig, ax = plt.subplots(figsize=(6, 2))
            ax.plot(*curve)
            ax.set(xlabel="training step", ylabel="loss (nats per sequence)")
            handle.update(fig)
            plt.close(fig)
            shown_at = time.monotonic()

    try:
        yield watch
    finally:
        if handle:
            handle.update({"text/plain": ""}, raw=True)


def scientific(x, digits=0):
    """Return a small or large number as Markdown, $2.1 \\times 10^{-9}$."""
    significand, exponent = f"{x:.{digits}e}".split("e")
    return f"${significand} \\times 10^{{{int(exponent)}}}$"


def inline(text):
    """Return a short text for the middle of a sentence of Markdown, every character of it literal."""
    return re.sub(f"([{re.escape(string.punctuation)}])", r"\\\1", text.replace("\n", "↵"))


def _unbroken(markdown):
    """Keep a number and its interval in one line."""
    return markdown.replace(" ± ", "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}")


def _attribute(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _display(name, kind, body, caption, markdown):
    identifier = f"{'fig' if kind == 'Figure' else 'tbl'}-{name}"
    linked = re.sub(r"\[([^\]]+)\]\((#[\w-]+)\)", r"<a href='\2'>\1</a>", html.escape(caption))
    in_jupyter = f"<figure id='{identifier}'>{body}<figcaption><i>{kind}.</i> {linked}</figcaption></figure>"
    display({"text/html": in_jupyter, "text/markdown": markdown, "text/plain": f"{kind}: {caption}"}, raw=True)
