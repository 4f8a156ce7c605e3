"""Whether a network knows what it does not know: its probabilities, one temperature, the entropy of what it writes."""

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from report.measure.memory import losses_at, states
from report.measure.statistics import Estimate
from rnn.model import softmax


def reliability(p, y, edges):
    """Return how often what has a probability happens: a DataFrame with a row for each two neighbouring `edges`.

    p (n, K) are predictions of the characters y (n,). Columns: the mean probability "said", the share that "happened"
    as an `Estimate`, over all characters that had such a probability, and their number "n". Empty rows are left out.
    """
    happened = np.zeros(p.shape, bool)
    happened[np.arange(len(y)), y] = True
    row, rows = np.digitize(p, edges), len(edges) + 1
    n, said, hits = (np.bincount(row.ravel(), of, rows) for of in (None, p.ravel(), happened.ravel()))
    # a place counts as one, however many of its characters are in a row
    of_place = np.zeros((len(y), rows))
    np.add.at(of_place, (np.arange(len(y))[:, None], row), happened - p)
    half = 1.96 * np.sqrt((of_place**2).sum(axis=0)) / np.maximum(n, 1)
    table = pd.DataFrame({"said": said / np.maximum(n, 1), "happened": hits / np.maximum(n, 1), "half": half, "n": n})
    table = table[1:-1][n[1:-1] > 0]
    table["happened"] = [Estimate(*pair) for pair in zip(table["happened"], table.pop("half"), strict=True)]
    return table


def scores(params, h, codes):
    """Return the scores o (N - 1, K) of what follows each of the codes (N,), read from the state h, and what does."""
    of_text = states(params, codes[:-1], h)
    return of_text[1:] @ params.V.T + params.c, codes[1:]


def fitted_temperature(o, y):
    """Return the temperature at which scores o (n, K) predict the characters y (n,) best (Guo et al., 2017)."""
    found = minimize_scalar(lambda log: losses_at(o, y, np.exp(log)).mean(), bounds=(-2, 2), method="bounded")
    return float(np.exp(found.x))


def entropy(p):
    """Return the entropy in bits of distributions along the last axis."""
    return -(p * np.log2(np.maximum(p, 1e-30))).sum(axis=-1)


def entropies(params, h, length, temperature=1.0, *, seed):
    """Return the entropies (length, n) in bits of the next character while n texts are drawn from the states h (n, m).

    They are of the distributions that the characters are drawn from, at the temperature.
    """
    W, U, V, b, c = params
    rng, of_texts = np.random.default_rng(seed), np.empty((length, len(h)))
    for n in range(length):
        p = softmax((h @ V.T + c) / temperature)
        of_texts[n] = entropy(p)
        total = p.cumsum(axis=1)
        drawn = (total <= rng.random((len(h), 1)) * total[:, -1:]).sum(axis=1)
        h = np.tanh(h @ W.T + U.T[drawn.clip(max=len(c) - 1)] + b)
    return of_texts


def crossing(x, values, level):
    """Return where ascending `values` at x reach a level, by straight lines between them; NaN outside."""
    order = np.argsort(values)
    return float(np.interp(level, np.asarray(values)[order], np.asarray(x)[order], left=np.nan, right=np.nan))
