"""What a browser gets: the modules of web/ as one script, and networks, texts and curves packed for them."""

import base64
import gzip
import json
import re

import numpy as np

from rnn.corpus import ROOT, decode, split
from rnn.engine.runs import Config
from rnn.sampling import state_after

WEB, BUILT = ROOT / "web", ROOT / "build" / "web"
SETTINGS = json.loads((WEB / "settings.json").read_text("utf-8"))  # what each setting may be, as in web/settings.mjs
# what imports comes later
SHARED = ("settings", "network", "characters", "digits", "elements", "cells", "model", "gradients", "text", "ngrams")
MOVING = ("file", "worker", "loss", "trainer", "sampler", "lens", "sequence", "workers")
MODULES_OF = {"page": (*SHARED, *MOVING, "curves", "reader", "page"), "jupyter": (*SHARED, *MOVING, "jupyter")}
STYLES_OF = {"page": ("widgets", "reader", "sequence"), "jupyter": ("jupyter", "widgets", "sequence")}
PAGE_BYTES = 3_000_000  # of weights in the page, in base64
PAGE_CHARACTERS = 3_000_000  # of the text there, as in web/text.mjs
PASSAGE = "And thus, through the serene tranquillities"  # where the first screen begins to read, if that is held out
READ, BEFORE = 1_000, 1_000  # characters that the first screen reads, and those before them that make its state


def complaint(name, value):
    """Return why `value` cannot be the setting `name`, in a sentence, or "": as in web/settings.mjs."""
    rule = SETTINGS[name]
    if "among" in rule:
        right = any(value is known or (isinstance(known, str) and value == known) for known in rule["among"])
    elif "pattern" in rule:
        right = isinstance(value, str) and re.fullmatch(rule["pattern"], value, re.ASCII) is not None
    elif value is None or isinstance(value, bool | str):
        right = value is None and rule.get("none", False)
    else:
        above = rule.get("above", -np.inf)
        least = rule.get("least", -np.inf)
        right = above < value <= rule["most"] and value >= least and (not rule.get("whole") or value == int(value))
    return "" if right else f"{rule['name']} must be {rule['must']}, got {value!r}."


def script(target):
    """Return the script of the "page" or of "jupyter", which workers run too: each module in a function of its own."""
    *modules, last = MODULES_OF[target]
    table = f"const TABLE = {json.dumps(SETTINGS)};"
    whole = "\n".join([table, *map(_in_function, modules), _without_imports(last)])
    return whole if target == "jupyter" else f'(() => {{\n"use strict";\n{whole}\n}})();\n'


def _in_function(name):
    """Return a module of web/ as a statement that defines what it exports; what else it has stays inside."""
    source = _without_imports(name)
    exports = re.findall(r"(?m)^export (?:async )?(?:function|class|const) (\w+)", source)
    names = ", ".join(exports)
    body = re.sub(r"(?m)^export ", "", source)
    return f"const {{ {names} }} = (() => {{\n{body}return {{ {names} }};\n}})();"


def _without_imports(name):
    source = (WEB / f"{name}.mjs").read_text("utf-8")
    return re.sub(r"(?m)^import .*\n|^ *//.*\n|^ +", "", source)  # comments and indents stay in web/


def style(target):
    """Return the style sheet of what is moved in the "page" or in "jupyter"."""
    return "\n".join((WEB / f"{name}.css").read_text("utf-8") for name in STYLES_OF[target])


def markup(name):
    """Return the HTML of the "sampler", the "trainer" or the "sequence"."""
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


def pack(params, dtype="<f4"):
    """Return weights as bytes, one array after the other, U transposed; float16 ("<f2") where they all fit in it."""
    flat = np.concatenate([theta.ravel() for theta in params._replace(U=params.U.T)])
    fits = dtype != "<f2" or np.abs(flat).max(initial=0) < np.finfo(dtype).max
    return flat.astype(dtype if fits else "<f4").tobytes()


def packed_text(corpus):
    """Return the beginning of a text for a browser, with the end of its part for training if the text is whole."""
    cut = len(corpus.codes) > PAGE_CHARACTERS
    return {
        "vocabulary": corpus.vocabulary,
        "end": None if cut else len(split(corpus).train.codes),
        "text": gzip.compress(corpus.part(0, PAGE_CHARACTERS).text.encode(), mtime=0),
    }


def packed_network(run, name, prime, room, units=None, dtype="<f4"):
    """Return a `Run` for the sampler: its weights at as many steps as `room` bytes have place for, the last among them.

    With each step is the state that training carries there, from which a text is drawn. `units` gives names to some of
    the units, {name: number}.
    """
    n = room // (np.dtype(dtype).itemsize * sum(theta.size for theta in run.params()))
    snapshots = []
    for step in spread(run.snapshots, n):
        state = run.state(step)
        # the first weights are those that the trainer begins from, in full: the page has them once
        packed = pack(state.params, dtype if step else "<f4")
        snapshots.append({"step": step, "weights": packed, "h": state.h[-1].astype("<f4").tobytes()})
    named = {label: int(unit) for label, unit in (units or {}).items()}
    about = {"name": name, "vocabulary": run.vocabulary, "m": run.config.m, "prime": prime}
    return about | {"snapshots": snapshots, "units": named}


def passage(corpus):
    """Return where the first screen begins to read: in the part for tests, at a line's beginning if there is one."""
    part = split(corpus).test
    text = corpus.part(part.start, part.stop).text
    at = text.find(PASSAGE)
    if at < 0:
        at = text.find("\n", 0, len(text) // 2) + 1
    return part.start + at


def packed_reading(run, corpus, steps, surprise=None):
    """Return what the first screen reads: text that no training has seen, and the states before it at some `steps`.

    The last step's weights are here, those of others with the sampler's. `surprise(text, codes, K)` returns
    (n, bits): how many bits each of the `codes` costs an n-gram that has counted the codes `text`.
    """
    at = passage(corpus)
    before, read_ = corpus.codes[max(0, at - BEFORE) : at], corpus.codes[at : at + READ]
    states = [(step, run.state(step)) for step in steps]
    packed = {
        "title": corpus.title,
        "vocabulary": run.vocabulary,
        "m": run.config.m,
        "text": decode(read_, corpus.vocabulary),
        "snapshots": [{"step": steps[-1], "weights": pack(states[-1][1].params, "<f2")}],
        "states": [
            {"step": step, "h": state_after(s.params, before, s.h[-1]).astype("<f4").tobytes()} for step, s in states
        ],
    }
    if surprise is not None:
        n, bits = surprise(split(corpus).train.codes, np.concatenate((before, read_)), corpus.K)
        packed["gram"] = {"n": n, "bits": _rounded(bits[len(before) :], 3)}
    return packed


def spread(steps, n):
    """Return at most n of the ascending `steps`, at least one: the last, the first, and those most apart in a log."""
    if n >= len(steps):
        return list(steps)
    chosen = [steps[-1], steps[0]][: max(n, 1)]
    logs = np.log(np.maximum(steps, 0.5))
    distances = np.abs(logs - logs[-1])  # to the nearest one chosen
    distances[0] = 0
    while len(chosen) < n:
        farthest = int(distances.argmax())
        chosen.append(steps[farthest])
        distances = np.minimum(distances, np.abs(logs - logs[farthest]))
    return sorted(chosen)


def packed_training(run, corpus, smoothed, alpha):
    """Return a `Run` for the trainer: the text, the first weights, and its loss smoothed by alpha to compare with.

    `repeats` says whether the trainer can take the same run again: not if the run takes several sequences a step, say,
    or if the page has no room for the text and the first weights.
    """
    config, parts = run.config, split(corpus)
    same = ("m", "T", "learning_rate", "sigma", "clip", "epochs", "seed", "optimizer", "dtype", "engine")
    plain = Config(**{name: getattr(config, name) for name in same})  # all else as the trainer has it
    is_plain = run.first_step == 0 and config == plain and config.optimizer in ("adagrad", "adam")
    text = packed_text(corpus)
    cut = text["end"] is None
    weights = pack(run.params(run.snapshots[0]))
    is_light = len(weights) <= PAGE_BYTES
    steps = np.unique(np.geomspace(1, len(smoothed), 500).astype(int))
    settings = {"m": config.m, "T": config.T, "rate": config.learning_rate, "seed": config.seed, "sigma": config.sigma}
    settings["clip"] = config.clip if np.isfinite(config.clip) else None
    settings["optimizer"] = "adam" if config.optimizer == "adam" else "adagrad"
    return text | {
        "title": corpus.title,
        "settings": settings,
        "repeats": is_plain and is_light and not cut,
        "cut": cut,
        "heldOut": None if cut else parts.validation.stop,
        "alpha": alpha,
        "curve": [[int(step), round(float(smoothed[step - 1]), 2)] for step in steps],
        "weights": weights if run.snapshots[0] == 0 and is_light else None,
    }


CURVE_POINTS = 250  # of a curve, as far apart in the figure as they can be
LEAST_POINTS = 8  # of a line that is a curve


def packed_curves(fig):
    """Return the panels of a figure that has been drawn: where they are, in shares of its size, their axes, and curves.

    A curve is a line of some points; its name is its label. In a panel without labels it is that of a line of the same
    colour in another panel, or else the panel's title or what its y axis is.
    """
    labels = {ax: _labels(ax) for ax in fig.axes}
    colours = {line.get_color(): label for ax in fig.axes for line, label in labels[ax].items()}
    panels = []
    for ax in fig.axes:
        name = ax.get_title() or ax.get_ylabel().partition(" (")[0]
        curves = []
        for line in ax.get_lines():
            label = labels[ax].get(line) if labels[ax] else colours.get(line.get_color(), name)
            points = np.array(line.get_data(orig=False), float)
            points = points[:, np.isfinite(points).all(axis=0)]
            if label and points.shape[1] >= LEAST_POINTS:
                across = ax.transData.transform(points.T)[:, 0]
                wanted = np.linspace(across[0], across[-1], CURVE_POINTS)
                x, y = points[:, np.unique(np.searchsorted(across, wanted).clip(max=len(across) - 1))]
                curves.append({"name": label, "x": _rounded(x, 7), "y": _rounded(y, 5)})
        if curves:
            (left, bottom), (right, top) = ax.get_position().get_points()
            shared = (panel.get_xlabel() for panel in [ax, *ax.get_shared_x_axes().get_siblings(ax)])
            xlabel = next(filter(None, shared), "")  # the lowest of panels with one axis has it
            axis = {"name": xlabel.removesuffix(" (thousands)"), "log": ax.get_xscale() == "log"}
            axis |= dict(zip(("from", "to"), map(float, ax.get_xlim()), strict=True))
            panels.append({"box": _rounded((left, 1 - top, right, 1 - bottom), 4), "x": axis, "curves": curves})
    return panels


def _labels(ax):
    """Return what the legend of a panel calls its lines, those with error bars too, {line: label}."""
    handles, labels = ax.get_legend_handles_labels()
    lines = [getattr(handle, "lines", [handle])[0] for handle in handles]
    return {line: label for line, label in zip(lines, labels, strict=True) if line in ax.get_lines()}


def _rounded(values, digits):
    return [int(value) if value == int(value) else float(f"{value:.{digits}g}") for value in values]
