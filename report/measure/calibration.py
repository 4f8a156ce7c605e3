"""Whether predicted probabilities are right: reliability, a fitted temperature, and entropy while writing."""

import itertools

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from report.measure.estimates import Estimate
from report.measure.statistics import mean_where
from rnn import model, sampling
from rnn.model import softmax

EDGES = np.logspace(-5, 0, 16)  # of the bins of probabilities


def reliability(p, y, edges=EDGES):
    """Return how often predictions come true: a DataFrame with a row for each bin of probabilities between `edges`.

    p (n, K) are predictions of the characters y (n,). Each p[t, k] belongs to a bin. Columns: the mean probability
    "predicted"; the share that "happened", an `Estimate`; and the number "n" in the bin. Empty bins are left out.
    """
    happened = np.zeros(p.shape, bool)
    happened[np.arange(len(y)), y] = True
    row = np.digitize(p, edges)
    rows = len(edges) + 1
    n = np.bincount(row.ravel(), minlength=rows)
    predicted, hits = (np.bincount(row.ravel(), values.ravel(), rows) / np.maximum(n, 1) for values in (p, happened))
    # the probabilities at one place are not independent, so their deviations are summed first
    by_place = np.zeros((len(y), rows))
    np.add.at(by_place, (np.arange(len(y))[:, None], row), happened - p)
    half = 1.96 * np.sqrt((by_place**2).sum(axis=0)) / np.maximum(n, 1)
    estimates = [Estimate(*pair) for pair in zip(hits, half, strict=True)]
    table = pd.DataFrame({"predicted": predicted, "happened": estimates, "n": n})
    return table[1:-1][n[1:-1] > 0]


def scores(params, h, codes):
    """Return (o, y): scores (N - 1, K) of the next character after each of the codes (N,), and that character (N - 1,).

    The network reads from the state h (m,). The scores are log p, which differs from V h + c by a constant in each row.
    """
    _, p = model.forward(params, codes[:-1], h)
    return np.log(np.maximum(p, np.finfo(p.dtype).tiny)), codes[1:]


def losses_at(o, y, temperature=1):
    """Return the bits (n,) of the characters y (n,) at a temperature, given scores o (n, K)."""
    z = o / temperature
    z = z - z.max(axis=1, keepdims=True)
    return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]) / np.log(2)


def fitted_temperature(o, y):
    """Return the temperature at which scores o (n, K) predict the characters y (n,) best (Guo et al., 2017)."""
    found = minimize_scalar(lambda log: losses_at(o, y, np.exp(log)).mean(), bounds=(-2, 2), method="bounded")
    return float(np.exp(found.x))


def entropy(p):
    """Return the entropy, in bits, of distributions along the last axis."""
    return -(p * np.log2(np.maximum(p, 1e-30))).sum(axis=-1)


def entropies(params, h, x, length, seed=0):
    """Return the entropy of the next character, in bits (length, n), while a network writes n texts.

    Text number i starts from the state h[i] (m,) and the character x[i].
    """
    bits = np.empty((length, len(h)))
    for number, (state, code) in enumerate(zip(h, x, strict=True)):
        drawn = sampling.sample(params, state, code, length, np.random.default_rng([seed, number]))
        _, p = model.forward(params, np.r_[code, drawn[:-1]], state)
        bits[:, number] = entropy(p)
    return bits


def table(networks, codes, validation, test):
    """Return a DataFrame with a row for each of {label: `Run`}: a temperature and what it gains on codes[test].

    The temperature is fitted on codes[validation]. The gain is an `Estimate` in bits per character.
    """
    rows = []
    for run in networks.values():
        state = run.state()
        temperature = fitted_temperature(*scores(state.params, state.h[-1], codes[validation]))
        o, y = scores(state.params, state.h[-1], codes[test])
        loss = losses_at(o, y)
        gain = mean_where(loss - losses_at(o, y, temperature), y >= 0)
        rows.append({"fitted τ": temperature, "gain": gain, "held-out loss": loss.mean()})
    return pd.DataFrame(rows, pd.Index(networks, name="network"))


def reliabilities(networks, codes, part):
    """Return {label: `reliability` on codes[part]} for {label: `Run`}."""
    tables = {}
    for label, run in networks.items():
        state = run.state()
        o, y = scores(state.params, state.h[-1], codes[part])
        tables[label] = reliability(softmax(o), y)
    return tables


def entropies_while_writing(networks, text, first, texts, length):
    """Return {label: `entropies` (length, texts)} for {label: `Run`}.

    Each network reads the codes `text`. From the place `first` on it writes texts that start at equal distances.
    """
    places = np.linspace(first, len(text) - 1, texts).astype(int)
    by_network = {}
    for label, run in networks.items():
        state = run.state()
        h = state.h[-1]
        states = []
        for begin, end in itertools.pairwise((0, *places)):
            h = sampling.state_after(state.params, text[begin:end], h) if end > begin else h
            states.append(h)
        by_network[label] = entropies(state.params, states, text[places], length)
    return by_network
