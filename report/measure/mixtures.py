"""Several predictors as one, by the mean of their probabilities; only those of the true characters are needed."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp


def mixture(losses, weights=None):
    """Return -log p (n,), in nats, of predictors whose losses (one a row, in nats) are given: p is their mean p.

    `weights`, which sum to 1, are each one's in the mean; equal ones for None, an ensemble.
    """
    weights = np.full(len(losses), 1 / len(losses)) if weights is None else np.asarray(weights)
    return -logsumexp(-np.asarray(losses, float), axis=0, b=weights[:, None])


def best_weight(losses, others):
    """Return the weight, from 0 to 1, of the first in a mixture of two predictors that makes its mean loss least.

    `losses` and `others` (n,) are theirs in nats, on the validation part. The mean loss is convex in the weight.
    """
    found = minimize_scalar(
        lambda weight: mixture((losses, others), (weight, 1 - weight)).mean(), bounds=(0, 1), method="bounded"
    )
    return float(found.x)
