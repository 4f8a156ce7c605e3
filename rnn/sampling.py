"""Text from a trained network: temperature, nucleus, and the distribution of the next character."""

import math

import numpy as np

from rnn.model import forward, softmax

GREEDY = 1e-9  # a temperature so low that the most probable character is always drawn


def check_settings(temperature=1.0, top_p=1.0, length=0):
    """Raise ValueError if the temperature, top-p or length is impossible."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be > 0 and finite, got {temperature}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top-p must be in (0, 1], got {top_p}")
    if length < 0:
        raise ValueError(f"length must be 0 or more characters, got {length}")


def nucleus(p, top_p):
    """Return p (K,) with only its nucleus: the fewest characters whose p sums to at least `top_p`.

    All other characters get 0, and the sum becomes 1 again. Holtzman et al., The curious case of
    neural text degeneration, ICLR 2020.
    """
    order = np.argsort(-p, kind="stable")
    dropped = order[np.searchsorted(np.cumsum(p[order]), top_p) + 1 :]
    truncated = p.copy()
    truncated[dropped] = 0
    return truncated / truncated.sum()


def next_distribution(o, temperature=1.0, top_p=1.0):
    """Return the probabilities (K,) of the next character, in float64, given its scores o (K,)."""
    p = softmax(o.astype(np.float64) / temperature)
    return nucleus(p, top_p) if top_p < 1 else p


def sample(params, h, x, length, rng, temperature=1.0, top_p=1.0):
    """Return the codes (length,) of a text that continues from the state h (m,) and the code x.

    Raises ValueError if a setting is impossible.
    """
    check_settings(temperature, top_p, length)
    W, U, V, b, c = params
    codes = np.empty(length, int)
    for n in range(length):
        h = np.tanh(W @ h + U[:, x] + b)  # the network reads x
        p = next_distribution(V @ h + c, temperature, top_p)
        x = codes[n] = rng.choice(len(p), p=p)  # the next character
    return codes


def state_after(params, codes, h=None):
    """Return the state (m,) after the network has read the codes (T,) from the state h (None: from zero)."""
    h, _ = forward(params, codes, np.zeros_like(params.b) if h is None else h)
    return h[-1]
