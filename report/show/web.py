"""What a browser gets: the modules of web/ as one script, and networks, texts and curves packed for them."""

import base64
import gzip
import json
import re

import numpy as np

from rnn.corpus import ROOT, split
from rnn.engine.runs import Config

WEB, BUILT = ROOT / "web", ROOT / "build" / "web"
MODULES = ("network", "sampler", "text", "ngrams", "file", "worker", "trainer", "workers")  # what imports comes later
MODULES_OF = {"page": (*MODULES, "curves", "page"), "jupyter": (*MODULES, "jupyter")}
STYLES_OF = {"page": ("widgets",), "jupyter": ("jupyter", "widgets")}
PAGE_BYTES = 3_000_000  # of weights in the page, in base64
PAGE_CHARACTERS = 3_000_000  # of the text there, as in web/text.mjs


def script(of):
    """Return the script of the "page" or of "jupyter": modules that need not import one another; workers run it too."""
    modules = "\n".join((WEB / f"{name}.mjs").read_text("utf-8") for name in MODULES_OF[of])
    return re.sub(r"(?m)^import .*\n|^export (?!default)", "", modules)


def style(of):
    """Return the style sheet of what is moved in the "page" or in "jupyter"."""
    return "\n".join((WEB / f"{name}.css").read_text("utf-8") for name in STYLES_OF[of])


def markup(name):
    """Return the HTML of the "sampler" or the "trainer"."""
    return (WEB / f"{name}.html").read_text("utf-8")


def kernels():
    """Return the trainer's kernels that have been compiled, the fastest first."""
    paths = (BUILT / name for name in ("kernel-fused.wasm", "kernel.wasm"))
    return [path.read_bytes() for path in paths if path.exists()]


def as_json(packed):
    """Return what is packed as JSON, its bytes in base64."""
    return json.dumps(packed, default=lambda data: base64.b64encode(data).decode())


def as_message(packed):
    """Return (content, buffers) of a message to Jupyter: in the place of bytes, the number of their buffer."""
    buffers = []

    def place(data):
        buffers.append(data)
        return {"buffer": len(buffers) - 1}

    return json.loads(json.dumps(packed, default=place)), buffers


def pack(params):
    """Return weights as bytes: float32, one array after the other, U transposed."""
    arrays = [theta.ravel().astype("<f4") for theta in params._replace(U=params.U.T)]
    return np.concatenate(arrays).tobytes()


def packed_text(corpus):
    """Return the beginning of a text for a browser, with the end of its part for training if the text is whole."""
    cut = len(corpus.codes) > PAGE_CHARACTERS
    return {
        "vocabulary": corpus.vocabulary,
        "end": None if cut else len(split(corpus).train.codes),
        "text": gzip.compress(corpus.part(0, PAGE_CHARACTERS).text.encode(), mtime=0),
    }


def packed_network(run, name, prime, room, units=None):
    """Return a `Run` for the sampler: its weights at as many steps as `room` bytes have place for, the last among them.

    `units` gives names to some of its units, {name: number}.
    """
    n = room // (4 * sum(theta.size for theta in run.params()))
    snapshots = [{"step": step, "weights": pack(run.params(step))} for step in spread(run.snapshots, n)]
    named = {label: int(unit) for label, unit in (units or {}).items()}
    about = {"name": name, "vocabulary": run.vocabulary, "m": run.config.m, "prime": prime}
    return about | {"snapshots": snapshots, "units": named}


def spread(steps, n):
    """Return at most n of the ascending `steps`, at least one: the last, the first, and others on a log scale."""
    if n >= len(steps):
        return list(steps)
    if n < 3 or len(steps) < 3:
        return [steps[0], steps[-1]] if n > 1 and len(steps) > 1 else [steps[-1]]
    wanted = np.geomspace(steps[1], steps[-1], n - 1)
    return sorted({steps[0], *(min(steps, key=lambda step: abs(step - w)) for w in wanted)})


def packed_training(run, corpus, smoothed, alpha):
    """Return a `Run` for the trainer: the text, the first weights, and its loss smoothed by alpha to compare with.

    `repeats` says whether the trainer can take the same run again: not if the run takes several sequences a step, or in
    another order, say.
    """
    config, parts = run.config, split(corpus)
    same = ("m", "T", "learning_rate", "sigma", "clip", "epochs", "seed", "optimizer", "dtype", "engine")
    plain = Config(**{name: getattr(config, name) for name in same})  # all else as the trainer has it
    text = packed_text(corpus)
    cut = text["end"] is None
    weights = pack(run.params(run.snapshots[0]))
    steps = np.unique(np.geomspace(1, len(smoothed), 500).astype(int))
    settings = {"m": config.m, "T": config.T, "rate": config.learning_rate, "seed": config.seed, "sigma": config.sigma}
    settings["clip"] = config.clip if np.isfinite(config.clip) else None
    settings["optimizer"] = "adam" if config.optimizer == "adam" else "adagrad"
    return text | {
        "name": corpus.name,
        "settings": settings,
        "repeats": run.first_step == 0 and config == plain and config.optimizer in ("adagrad", "adam"),
        "cut": cut,
        "heldOut": None if cut else parts.validation.stop,
        "alpha": alpha,
        "curve": [[int(step), round(float(smoothed[step - 1]), 2)] for step in steps],
        "weights": weights if run.snapshots[0] == 0 and len(weights) <= PAGE_BYTES else None,
    }


CURVE_POINTS = 250  # of a curve, as far apart in the figure as they can be
LEAST_POINTS = 8  # of a line that is a curve


def packed_curves(fig):
    """Return the panels of a figure that has been drawn: where they are, in shares of its size, their axes, and curves.

    A curve is a line of some points; its name is its label, or else the panel's title or what its y axis is.
    """
    panels = []
    for ax in fig.axes:
        name = ax.get_title() or ax.get_ylabel().partition(" (")[0]
        curves = []
        for line in ax.get_lines():
            label = name if line.get_label().startswith("_") else line.get_label()
            points = np.array(line.get_data(orig=False), float)
            points = points[:, np.isfinite(points).all(axis=0)]
            if label and points.shape[1] >= LEAST_POINTS:
                across = ax.transData.transform(points.T)[:, 0]
                wanted = np.linspace(across[0], across[-1], CURVE_POINTS)
                x, y = points[:, np.unique(np.searchsorted(across, wanted).clip(max=len(across) - 1))]
                curves.append({"name": label, "x": _rounded(x, 7), "y": _rounded(y, 5)})
        if curves:
            (left, bottom), (right, top) = ax.get_position().get_points()
            axis = {"name": ax.get_xlabel().removesuffix(" (thousands)"), "log": ax.get_xscale() == "log"}
            axis |= dict(zip(("from", "to"), map(float, ax.get_xlim()), strict=True))
            panels.append({"box": _rounded((left, 1 - top, right, 1 - bottom), 4), "x": axis, "curves": curves})
    return panels


def _rounded(values, digits):
    return [int(value) if value == int(value) else float(f"{value:.{digits}g}") for value in values]
