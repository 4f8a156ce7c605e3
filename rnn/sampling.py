"""Text from a trained network: temperature, nucleus, and the distribution that the next character is drawn from."""

import math

import numpy as np

from rnn.model import forward, softmax

GREEDY = 1e-9  # a temperature at which the most probable character has all of the probability


def check_settings(temperature=1.0, top_p=1.0, length=0):
    """Raise ValueError, in a sentence, for an impossible temperature, top-p or length."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be > 0 and finite, got {temperature}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top-p must be in (0, 1], got {top_p}")
    if length < 0:
        raise ValueError(f"length must be 0 or more characters, got {length}")


def nucleus(p, top_p):
    """Return p (K,) of the fewest characters that together have at least `top_p`, the rest 0.

    Holtzman et al., The curious case of neural text degeneration, ICLR 2020.
    """
    order = np.argsort(-p, kind="stable")
    dropped = order[np.searchsorted(np.cumsum(p[order]), top_p) + 1 :]
    kept = p.copy()
    kept[dropped] = 0
    return kept / kept.sum()


def next_distribution(o, temperature=1.0, top_p=1.0):
    """Return the probabilities (K,), in float64, of the next character, given the scores o (K,)."""
    p = softmax(o.astype(np.float64) / temperature)
    return nucleus(p, top_p) if top_p < 1 else p


def sample(params, h, x, length, rng, temperature=1.0, top_p=1.0):
    """Return the codes (length,) of a text that goes on from the state h (m,) and the code x.

    Raises ValueError for impossible settings.
    """
    check_settings(temperature, top_p, length)
    W, U, V, b, c = params
    codes = np.empty(length, int)
    for n in range(length):
        h = np.tanh(W @ h + U[:, x] + b)  # the network reads x
        p = next_distribution(V @ h + c, temperature, top_p)
        x = codes[n] = rng.choice(len(p), p=p)  # the next character
    return codes


def read(params, codes, h=None):
    """Return the state (m,) after reading the codes (T,), from the state h, which is zero for None."""
    h, _ = forward(params, codes, np.zeros_like(params.b) if h is None else h)
    return h[-1]
