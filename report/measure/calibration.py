"""Whether a network knows what it does not know: its probabilities, one temperature, the entropy of what it writes."""

import itertools

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar

from report.measure.estimates import Estimate
from report.measure.statistics import mean_where
from rnn import model, sampling
from rnn.model import softmax

EDGES = np.logspace(-5, 0, 16)  # of the probabilities that are taken together


def reliability(p, y, edges=EDGES):
    """Return how often what has a probability happens: a DataFrame with a row for each two neighbouring `edges`.

    p (n, K) are predictions of the characters y (n,). Columns: the mean probability "predicted", the share that
    "happened" as an `Estimate`, over all characters that had such a probability, and their number "n". Empty rows are
    left out.
    """
    happened = np.zeros(p.shape, bool)
    happened[np.arange(len(y)), y] = True
    row, rows = np.digitize(p, edges), len(edges) + 1
    n = np.bincount(row.ravel(), minlength=rows)
    predicted, hits = (np.bincount(row.ravel(), values.ravel(), rows) / np.maximum(n, 1) for values in (p, happened))
    # a place counts as one, however many of its characters are in a row
    of_place = np.zeros((len(y), rows))
    np.add.at(of_place, (np.arange(len(y))[:, None], row), happened - p)
    half = 1.96 * np.sqrt((of_place**2).sum(axis=0)) / np.maximum(n, 1)
    estimates = [Estimate(*pair) for pair in zip(hits, half, strict=True)]
    table = pd.DataFrame({"predicted": predicted, "happened": estimates, "n": n})
    return table[1:-1][n[1:-1] > 0]


def scores(params, h, codes):
    """Return the scores o (N - 1, K) of what follows each of the codes (N,), read from the state h, and what does.

    The scores are log p, which differ from V h + c by a constant in each row.
    """
    _, p = model.forward(params, codes[:-1], h)
    return np.log(np.maximum(p, np.finfo(p.dtype).tiny)), codes[1:]


def losses_at(o, y, temperature=1):
    """Return the bits (n,) for the characters y (n,), given scores o (n, K), at a temperature."""
    z = o / temperature
    z = z - z.max(axis=1, keepdims=True)
    return (np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(y)), y]) / np.log(2)


def fitted_temperature(o, y):
    """Return the temperature at which scores o (n, K) predict the characters y (n,) best (Guo et al., 2017)."""
    found = minimize_scalar(lambda log: losses_at(o, y, np.exp(log)).mean(), bounds=(-2, 2), method="bounded")
    return float(np.exp(found.x))


def entropy(p):
    """Return the entropy in bits of distributions along the last axis."""
    return -(p * np.log2(np.maximum(p, 1e-30))).sum(axis=-1)


def entropies(params, h, x, length, seed=0):
    """Return the entropies (length, n) in bits of the next character while a network writes n texts.

    Text number i is drawn from the state h[i] (m,) and the character x[i].
    """
    of_texts = np.empty((length, len(h)))
    for number, (state, code) in enumerate(zip(h, x, strict=True)):
        drawn = sampling.sample(params, state, code, length, np.random.default_rng([seed, number]))
        _, p = model.forward(params, np.r_[code, drawn[:-1]], state)
        of_texts[:, number] = entropy(p)
    return of_texts


def table(networks, codes, validation, test):
    """Return what a temperature gains on codes[test]: a DataFrame with a row for each of {label: `Run`}.

    It is fitted on codes[validation]. The gain is an `Estimate` in bits per character.
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
    """Return the `reliability` of {label: `Run`} on codes[part], {label: DataFrame}."""
    tables = {}
    for label, run in networks.items():
        state = run.state()
        o, y = scores(state.params, state.h[-1], codes[part])
        tables[label] = reliability(softmax(o), y)
    return tables


def written(networks, text, first, texts, length):
    """Return the `entropies` of {label: `Run`} while each writes, {label: (length, texts)}.

    Each reads the codes `text`, and writes from places after `first` on, at equal distances.
    """
    places = np.linspace(first, len(text) - 1, texts).astype(int)
    of_networks = {}
    for label, run in networks.items():
        state = run.state()
        h = state.h[-1]
        states = []
        for begin, end in itertools.pairwise((0, *places)):
            h = sampling.read(state.params, text[begin:end], h) if end > begin else h
            states.append(h)
        of_networks[label] = entropies(state.params, states, text[places], length)
    return of_networks
