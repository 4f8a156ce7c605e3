"""Mixtures: several predictors as one, by the weighted mean of their probabilities of the true character."""

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from report.measure.statistics import mean_of_stretches, stretches

ROUNDS = 200  # of expectation maximisation


def mixture(losses, weights=None):
    """Return -log p (n,), in nats, where p is the mean probability of predictors with the losses (predictors, n).

    `weights` (predictors,) sum to 1; None means equal weights.
    """
    weights = np.full(len(losses), 1 / len(losses)) if weights is None else np.asarray(weights)
    return -logsumexp(-np.asarray(losses, float), axis=0, b=weights[:, None])


def best_weights(losses):
    """Return the weights (predictors,) that minimise the mean loss of the `mixture` of losses (predictors, n).

    The mean loss is convex in the weights, and expectation maximisation finds its minimum: in each round, a weight
    becomes the mean share of its predictor in the mixture's probability.
    """
    losses = np.asarray(losses, float)
    weights = np.full(len(losses), 1 / len(losses))
    for _ in range(ROUNDS):
        weights = (weights[:, None] * np.exp(mixture(losses, weights) - losses)).mean(axis=1)
    return weights / weights.sum()


def fitted(names, validation, test):
    """Return the test losses (n,), in nats, of the mixture of `names` with the weights that are best on validation.

    `validation` and `test` are {name: losses (n,) in nats}.
    """
    weights = best_weights([validation[name] for name in names])
    return mixture([test[name] for name in names], weights)


def table(mixtures, validation, test, control):
    """Return a DataFrame with a row for each of `mixtures` {label: names}; see `fitted`.

    The bits and the differences from the mixture `control` are `Estimate`s.
    """
    bits = {label: fitted(names, validation, test) / np.log(2) for label, names in mixtures.items()}
    rows = []
    for label, names in mixtures.items():
        weights = best_weights([validation[name] for name in names])
        rows.append(
            {
                "weights": " : ".join(f"{weight:.2f}" for weight in weights),
                "test, bits": mean_of_stretches([stretch.mean() for stretch in stretches(bits[label])]),
                "minus the control": mean_of_stretches(
                    [part.mean() for part in stretches(bits[label] - bits[control])]
                ),
            }
        )
    frame = pd.DataFrame(rows, pd.Index(mixtures, name="mixture"))
    frame.loc[control, "minus the control"] = None
    return frame
