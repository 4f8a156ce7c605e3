"""What notebooks show, and how. `%load_ext report.show` sets the style of figures and adds the magic `%%prose`.

prose    sentences with measured numbers in them
outputs  figures, tables, texts, code, and results for the abstract
plots    the figures
live     a loss curve that grows
widget   the sampler and the trainer, in Jupyter and in the page
web      what a browser gets: scripts, networks, texts, curves
"""

import dataclasses
import importlib

__all__ = [
    "epochs",
    "figure",
    "inline",
    "live_loss",
    "results",
    "scientific",
    "settings",
    "side_by_side",
    "source",
    "table",
    "texts",
]


# JupyterLab colours `%%prose` as Python, and shows the text twice once it has run. So its source is hidden then, unless
# the cell is being edited, like that of a Markdown cell. Other cells that show Markdown keep their source.
HIDDEN_SOURCE = """<style>
.jp-CodeCell:not(.jp-mod-active):has(> .jp-Cell-outputWrapper .rnn-prose) > .jp-Cell-inputWrapper {
  display: none;
}
</style>"""


def __getattr__(name):
    """Import the functions that draw only when they are used: report/execute.py needs `prose` without Matplotlib."""
    if name in __all__:
        return getattr(
            importlib.import_module("report.show.live" if name == "live_loss" else "report.show.outputs"), name
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(ipython):
    """Add `%%prose` and `%%piece`, show a Series as a table, and set the figures' style (`%load_ext report.show`)."""
    from IPython.display import display

    from report.show.pieces import piece
    from report.show.plots import use_style
    from report.show.prose import prose

    ipython.register_magic_function(prose, "cell", "prose")
    ipython.register_magic_function(piece, "cell", "piece")
    in_html = ipython.display_formatter.formatters["text/html"]
    for module in ("pandas", "pandas.core.series"):  # the module of the class since pandas 3, and before
        in_html.for_type_by_name(module, "Series", lambda series: series.to_frame()._repr_html_())
    use_style()
    display({"text/html": HIDDEN_SOURCE, "text/markdown": "", "text/plain": ""}, raw=True)


def settings(config, network):
    """Return in words how a configuration differs from that of the network."""
    words = []
    for field in dataclasses.fields(config):
        name, value = field.name, getattr(config, field.name)
        if name not in ("epochs", "seed", "snapshot_every") and value != getattr(network, name):
            words.append(_WORDS.get((name, value), f"{_NAMES.get(name, name)} {value}"))
    return ", ".join(words) or "the assignment’s"


def describe(corpus):
    """Return sentences about a corpus: its size, its vocabulary, and what was changed while reading it."""
    sentence = f"{corpus.title}: {len(corpus.codes):,} characters, {corpus.K:,} of them distinct."
    return " ".join((sentence, *corpus.notes))


def about(corpus, run):
    """Return {name: value} of what the abstract says about a `Run`: its text, its settings and its steps."""
    text = {"text_id": corpus.id, "text": describe(corpus), "sha256": corpus.sha256}
    return text | vars(run.config) | {"steps": len(run.losses)}


def epochs(n):
    """Return a number of epochs in words: "half an epoch", "1 epoch", "7 epochs"."""
    return "half an epoch" if n == 0.5 else f"{n} epoch{'s' * (n > 1)}"


_NAMES = {"learning_rate": "η", "sigma": "σ", "clip": "clipped at", "warmup": "warm-up"}
_WORDS = {("optimizer", "adam"): "Adam", ("sigma", None): "σ scaled", ("decay", True): "η falls to 0"}
