"""What "One sequence, forward and back" shows: weights, 25 characters, and what a notebook's own functions returned."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from report.show import web
from report.show.characters import named
from rnn import mistakes, model
from rnn.corpus import split
from rnn.engine.runs import BASELINE, finished
from rnn.engine.training import first_state
from rnn.gradcheck import Problem
from rnn.mistakes import Mistake
from rnn.model import Params
from rnn.sampling import state_after

PASSAGE = "Moby Dick moved on, still "  # the characters that are read, if the text has them
CONTEXT = 400  # characters before them, which make the state that is carried in
UPDATES = 40  # sequences at the beginning of training
WARMUP = 2_000  # steps in which the learning rate rises, in the run with warm-up
UNTRAINED, TRAINED, NOTEBOOKS = "before training", "trained", "this notebook’s"
SAME = 1e-10  # how far apart numbers are that differ by rounding alone, of the larger one


def packed(corpus, problem, forward=model.forward, backward=model.backward, config=BASELINE):
    """Return what the view gets for a browser: the networks there are, and the `problem` with a notebook's functions.

    `problem` is a `gradcheck.Problem`.
    """
    known = problems(corpus, config)
    # the first weights in full, as the trainer has them: the page has them once
    kinds = {name: "<f4" if name == UNTRAINED else "<f2" for name in known}
    sequences = min(UPDATES, (len(corpus.codes) - 1) // config.T)
    ours = [packed_problem(name, known[name], corpus.vocabulary, kind) for name, kind in kinds.items()]
    notebooks = packed_problem(NOTEBOOKS, problem, corpus.vocabulary, "<f8")
    return {
        "problems": [*ours, notebooks | {"theirs": packed_returned(problem, forward, backward)}],
        "first": _shown(known),
        "training": {
            "from": UNTRAINED,
            "codes": corpus.codes[: sequences * config.T + 1].tolist(),
            "T": config.T,
            "rate": config.learning_rate,
            "warmup": WARMUP,
            "clip": config.clip,
            "updates": sequences - 1,  # after the last of them one more sequence is shown
        },
        "mistakes": [{"name": name, "label": bug.what} for name, bug in bugs().items()],
    }


def bugs():
    """Return the mistakes that notebook 01 plants, by their names in rnn/mistakes.py."""
    return {name: bug for name, bug in vars(mistakes).items() if isinstance(bug, Mistake) and bug in mistakes.BUGS}


def networks(corpus, config=BASELINE):
    """Return {name: Params} of the weights before training, trained, and with a warm-up, as far as there are runs."""
    train = split(corpus).train
    runs = {TRAINED: config, "trained, with warm-up": config.replace(warmup=WARMUP)}
    weights = {UNTRAINED: first_state(corpus.K, config).params}
    for label, setting in runs.items():
        run = finished(train, setting)
        if run is not None:
            weights[label] = run.params()
    return weights


def passage(corpus, T):
    """Return the codes that make the state that is carried in, and those after them that the view reads (T + 1,)."""
    found = corpus.text.find(PASSAGE)
    at = found if found >= 0 else max(0, min(CONTEXT, len(corpus.codes) - T - 1))
    return corpus.codes[max(0, at - CONTEXT) : at], corpus.codes[at : at + T + 1]


def problems(corpus, config=BASELINE):
    """Return {name: Problem} of the `networks` on the `passage`, in double precision."""
    context, codes = passage(corpus, config.T)
    found = {}
    for name, params in networks(corpus, config).items():
        doubles = Params(*(theta.astype(float) for theta in params))
        found[name] = Problem(doubles, codes[:-1], codes[1:], state_after(doubles, context))
    return found


def _shown(names):
    """Return which of the `problems` is shown first: the trained network, if there is one."""
    return TRAINED if TRAINED in names else UNTRAINED


def packed_problem(name, problem, vocabulary, dtype):
    """Return a `Problem` with a name for a browser, its weights as numbers of a type ("<f2", "<f4" or "<f8")."""
    params, x, y, h0 = problem
    return {
        "name": name,
        "m": len(h0),
        "vocabulary": vocabulary[: len(params.c)],
        "weights": web.pack(params, dtype),
        "x": x.tolist(),
        "y": y.tolist(),
        "h0": _in_bytes(h0),
    }


def _in_bytes(values):
    return np.asarray(values, "<f8").tobytes()


def packed_returned(problem, forward, backward):
    """Return what a notebook's `forward` and `backward` make of a `Problem`, and in which columns that is wrong."""
    params, x, y, h0 = problem
    h, p = forward(params, x, h0)
    gradient, dh0 = backward(params, x, y, h, p)
    return {
        "h": [_in_bytes(h_t) for h_t in h],
        "p": [_in_bytes(p_t) for p_t in p],
        "gradient": web.pack(gradient, "<f8"),
        "dh0": _in_bytes(dh0),
        "wrong": wrong_columns(problem, forward, backward).tolist(),
    }


def wrong_columns(problem, forward, backward):
    """Return in which columns (T,) a notebook's functions differ from `model.forward` and `model.backward`.

    First the states and predictions. Then dL/da_t, column by column. Where all of them are right, dL/dW and dL/dU are
    still sums that can miss a term: how much of each column's term they have follows by least squares.
    """
    params, x, y, h0 = problem
    T, K = len(x), len(params.c)
    h, p = model.forward(params, x, h0)
    theirs_h, theirs_p = forward(params, x, h0)
    wrong = _differ(theirs_h[1:], h[1:]) | _differ(theirs_p, p)
    da, theirs_da = (state_gradients(gradients, params, x, y, h, p) for gradients in (model.backward, backward))
    wrong |= _differ(theirs_da, da)
    if wrong.any():
        return wrong
    theirs, _ = backward(params, x, y, h, p)
    inputs = {"W": h[:-1], "U": np.eye(K)[x]}
    for name, by in inputs.items():
        terms = np.stack([np.outer(da[t], by[t]).ravel() for t in range(T)], axis=1)  # (size, T)
        missing = getattr(theirs, name).ravel() - terms.sum(axis=1)
        shares = np.linalg.lstsq(terms, missing, rcond=None)[0]
        if np.allclose(terms @ shares, missing, rtol=1e-6, atol=1e-12 * np.abs(terms).max(initial=0)):
            wrong |= np.abs(shares) > 1e-6
    return wrong


def _differ(a, b):
    """Return which rows of two arrays (T, n) differ by more than rounding."""
    size = np.abs(b).max(initial=1e-300)
    return ~(np.abs(np.asarray(a) - b) <= SAME * size).all(axis=1)  # NaN differs too


def state_gradients(backward, params, x, y, h, p):
    """Return dL/da_t (T, m) as a `backward` makes them on its way.

    With a vocabulary in which each x_t is a character of its own, dL/dU has it in that character's column.
    """
    (T, K), m = p.shape, len(params.b)
    alone = Params(
        params.W,
        np.hstack((params.U, params.U[:, x])),
        np.vstack((params.V, np.zeros((T, m)))),
        params.b,
        np.append(params.c, np.full(T, -np.inf)),
    )
    gradient, _ = backward(alone, K + np.arange(T), y, h, np.hstack((p, np.zeros((T, T)))))
    return gradient.U[:, K:].T


COLOURS = LinearSegmentedColormap.from_list("cells", ["#b08a3e", "#ffffff", "#0b5cad"])  # as in web/cells.mjs
CELL = 6  # pixels
SHOWN = str.maketrans(" \n\t", "␣↵⇥")  # as in web/characters.mjs


def still(corpus, config=BASELINE):
    """Return the view as a figure for paper: characters, states, probabilities, and the gradient that comes back."""
    known = problems(corpus, config)
    params, x, y, h0 = known[_shown(known)]
    T = len(x)
    h, p = model.forward(params, x, h0)
    do = p - np.eye(corpus.K)[y]
    da = state_gradients(model.backward, params, x, y, h, p)
    from_next = np.vstack((da[1:] @ params.W, np.zeros_like(da[:1])))
    dh = do @ params.V + from_next
    fig, axes = plt.subplots(3, 1, figsize=(6.3, 1.2), height_ratios=(1, 1.2, 1), layout="none")
    fig.subplots_adjust(left=0.07, right=0.995, top=0.86, bottom=0.01, hspace=0.55)
    axes[0].imshow(_blocks(h[1:]), **_AS_CELLS, extent=(0, T, 0, 1))
    axes[1].bar(np.arange(T) + 0.45, p[np.arange(T), y], 0.5, color="#0b5cad")
    axes[2].imshow(_blocks(dh / np.quantile(np.abs(dh), 0.99)), **_AS_CELLS, extent=(0, T, 0, 1))
    labels = ("$h_t$", "$p_t[y_t]$", r"$\partial L/\partial h_t$")
    for ax, label, letters in zip(axes, labels, (x, y, None), strict=True):
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0, pad=1.5)
        ax.set(xlim=(0, T), ylim=(0, 1), yticks=[0.5], yticklabels=[label], xticks=[])
        if letters is not None:
            names = [named(corpus.vocabulary[code].translate(SHOWN)) for code in letters]
            ax.set_xticks(np.arange(T) + 0.45, names, family="DejaVu Sans Mono", fontsize=7.5)
    axes[0].xaxis.tick_top()
    axes[1].spines.bottom.set_visible(True)
    return fig


_AS_CELLS = {"cmap": COLOURS, "vmin": -1, "vmax": 1, "aspect": "auto", "interpolation": "none"}


def _blocks(values):
    """Return rows of numbers (T, m) as one picture: a block of cells for each, with a gap after it."""
    wide = int(np.ceil(np.sqrt(values.shape[1])))
    cells = np.full((len(values), wide * wide), np.nan)
    cells[:, : values.shape[1]] = np.sign(values) * np.abs(values) ** 0.75
    blocks = np.pad(cells.reshape(-1, wide, wide), ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
    return np.hstack(blocks).repeat(CELL, axis=0).repeat(CELL, axis=1)
