"""A problem to compare gradients on: a small network and one sequence of characters."""

from typing import NamedTuple

import numpy as np

from rnn.model import Params, init_params


class Problem(NamedTuple):
    """One sequence on which gradients are compared."""

    params: Params
    x: np.ndarray  # (T,)
    y: np.ndarray  # (T,)
    h0: np.ndarray  # (m,)


def make_problem(codes, K, rng, m=5, T=25, sigma=0.01, h0_sigma=0.0, largest_K=100):
    """Return a `Problem` in float64: the first T codes, weights from N(0, sigma^2), h0 from N(0, h0_sigma^2).

    A check moves every weight, and a Chinese text has thousands of characters. So if K is larger than `largest_K`, the
    vocabulary is cut down to `largest_K` characters, those of the sequence among them.
    """
    codes = codes[: T + 1]
    if largest_K < K:
        K = largest_K
        codes = np.unique(codes, return_inverse=True)[1]
    params = init_params(K, m, rng, sigma, np.float64)
    return Problem(params, codes[:T], codes[1:], rng.normal(0, h0_sigma, m) if h0_sigma else np.zeros(m))
