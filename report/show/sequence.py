"""What "One sequence, forward and back" shows: weights, 25 characters, and what a notebook's own functions returned."""

import numpy as np

from report.show import web
from rnn import mistakes, model
from rnn.corpus import split
from rnn.engine.runs import BASELINE, finished
from rnn.engine.training import first_state
from rnn.mistakes import Mistake
from rnn.model import Params

PASSAGE = "Moby Dick moved on, still "  # the characters that are read, if the text has them
CONTEXT = 400  # characters before them, which make the state that is carried in
UPDATES = 40  # sequences at the beginning of training
WARMUP = 2_000  # steps in which the learning rate rises, in the run with warm-up
SAME = 1e-10  # how far apart numbers are that differ by rounding alone, of the larger one


def packed(corpus, problem, forward=model.forward, backward=model.backward, config=BASELINE):
    """Return what the view gets for a browser: the networks there are, and the `problem` with a notebook's functions.

    The networks are that before training and, where they have been trained, the baseline at its end and the same with
    a warm-up. `problem` is a `gradcheck.Problem`.
    """
    T = config.T
    found = corpus.text.find(PASSAGE)
    at = found if found >= 0 else max(0, min(CONTEXT, len(corpus.codes) - T - 1))  # some text is read before it
    shown = corpus.codes[at : at + T + 1]
    view = {
        "vocabulary": corpus.vocabulary,
        "networks": networks(corpus, config),
        "passage": shown.tolist(),
        "context": corpus.codes[max(0, at - CONTEXT) : at].tolist(),
        "beginning": corpus.codes[: UPDATES * T + 1].tolist(),
        "T": T,
        "rate": config.learning_rate,
        "warmup": WARMUP,
        "mistakes": [{"name": name, "label": bug.what} for name, bug in bugs().items()],
    }
    return view | {"problem": packed_problem(problem, corpus.vocabulary, forward, backward)}


def bugs():
    """Return the mistakes that notebook 01 plants, by their names in rnn/mistakes.py."""
    return {name: bug for name, bug in vars(mistakes).items() if isinstance(bug, Mistake) and bug in mistakes.BUGS}


def networks(corpus, config):
    """Return the weights before training, and those that have been trained, each with its name and size."""
    train = split(corpus).train
    runs = {"trained": config, "trained, with warm-up": config.replace(warmup=WARMUP)}
    weights = {"before training": first_state(corpus.K, config).params}
    for label, setting in runs.items():
        run = finished(train, setting)
        if run is not None:
            weights[label] = run.params()
    kinds = {"before training": "<f4"}  # in full, as the trainer has them: the page has them once
    return [
        {"name": name, "m": config.m, "weights": web.pack(params, kinds.get(name, "<f2"))}
        for name, params in weights.items()
    ]


def packed_problem(problem, vocabulary, forward, backward):
    """Return a `Problem` and what a notebook's `forward` and `backward` make of it."""
    params, x, y, h0 = problem
    h, p = forward(params, x, h0)
    gradient, dh0 = backward(params, x, y, h, p)
    letters = vocabulary if len(params.c) == len(vocabulary) else vocabulary[: len(params.c)]
    doubles = [np.asarray(values, "<f8").tobytes() for values in (h, p, dh0)]
    theirs = dict(zip(("h", "p", "dh0"), doubles, strict=True)) | {"gradient": web.pack(gradient, "<f8")}
    theirs["columns"] = wrong_columns(problem, forward, backward).tolist()
    about = {"name": "this notebook’s", "m": len(h0), "vocabulary": letters, "weights": web.pack(params, "<f8")}
    return about | {"x": x.tolist(), "y": y.tolist(), "h0": h0.tolist(), "theirs": theirs}


def wrong_columns(problem, forward, backward):
    """Return in which columns (T,) a notebook's functions differ from `model.forward` and `model.backward`.

    First the states and predictions. Then dL/da_t, column by column: with a vocabulary in which each x_t is a character
    of its own, dL/dU has it in that character's column. Where all of them are right, dL/dW and dL/dU are still sums
    that can miss a term: how much of each column's term they have follows by least squares.
    """
    params, x, y, h0 = problem
    T, K = len(x), len(params.c)
    h, p = model.forward(params, x, h0)
    theirs_h, theirs_p = forward(params, x, h0)
    wrong = _differ(theirs_h[1:], h[1:]) | _differ(theirs_p, p)
    alone = params._replace(U=np.hstack((params.U, params.U[:, x])), V=np.vstack((params.V, np.zeros((T, len(h0))))))
    alone = alone._replace(c=np.append(params.c, np.full(T, -np.inf)))
    padded = np.hstack((p, np.zeros((T, T))))
    da, theirs_da = (
        gradients(alone, K + np.arange(T), y, h, padded)[0].U[:, K:].T for gradients in (model.backward, backward)
    )
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
    return (np.abs(np.asarray(a) - b) > SAME * size).any(axis=1)


def still(problem):
    """Return the view as a figure for paper: characters, states, predictions, and the gradient that comes back."""
    import matplotlib.pyplot as plt

    params, x, y, h0 = problem.params, problem.x, problem.y, problem.h0
    h, p = model.forward(params, x, h0)
    T, wide = len(x), int(np.ceil(np.sqrt(len(h0))))
    fig, axes = plt.subplots(2, T, figsize=(6.3, 1.1), squeeze=False)
    dh = state_gradients(params, y, h, p)
    for t in range(T):
        for ax, values, scale in ((axes[0, t], h[t + 1], 1), (axes[1, t], dh[t], np.abs(dh).max())):
            block = np.full(wide * wide, np.nan)
            block[: len(values)] = values / scale
            ax.imshow(block.reshape(wide, wide), cmap="PuOr_r", vmin=-1, vmax=1)
            ax.set(xticks=[], yticks=[])
    return fig


def state_gradients(params: Params, y, h, p):
    """Return dL/dh_t (T, m) of every column, as `model.backward` makes them on its way."""
    do = p.copy()
    do[np.arange(len(y)), y] -= 1
    dh, later = np.empty_like(h[1:]), np.zeros_like(h[0])
    for t in reversed(range(len(y))):
        dh[t] = params.V.T @ do[t] + later
        later = params.W.T @ (dh[t] * (1 - h[t + 1] ** 2))
    return dh
