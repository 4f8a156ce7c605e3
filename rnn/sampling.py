"""Text from a trained network: temperature, nucleus, and the distribution of the next character."""

import math

import numpy as np

from rnn import model
from rnn.corpus import decode, encode
from rnn.engine import kernel

GREEDY = 1e-9  # a temperature at which the most probable character is all there is


def check_settings(temperature=1.0, top_p=1.0, length=0):
    """Raise ValueError, in a sentence, for a temperature, top-p or length that means nothing."""
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature must be > 0 and finite, got {temperature}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top-p must be in (0, 1], got {top_p}")
    if length < 0:
        raise ValueError(f"length must be 0 or more characters, got {length}")


def next_distribution(o, temperature=1.0, top_p=1.0):
    """Return the probabilities (K,), in float64, that the next character is drawn from, given the scores o (K,).

    First the temperature, p = softmax(o / temperature); then the nucleus, the fewest most probable characters that
    together have at least the probability `top_p`, renormalised (Holtzman et al., 2020).
    """
    o = np.asarray(o, np.float64)
    p = model.softmax((o - o.max()) / temperature)
    if top_p < 1:
        order = np.argsort(-p, kind="stable")
        outside = order[np.searchsorted(np.cumsum(p[order]), top_p) + 1 :]
        p[outside] = 0
        p /= p.sum()
    return p


def read(params, x, h=None):
    """Return the state (m,) after reading the codes x (T,), from the state h, which is zero for None."""
    h, _ = model.forward(params, x, np.zeros_like(params.b) if h is None else h)
    return h[-1]


def sample(params, prime, length, rng, temperature=1.0, top_p=1.0):
    """Return the codes (length,) of a text that goes on from the codes `prime` (at least one), drawn with `rng`.

    The state is zero before `prime`. Raises ValueError for settings that mean nothing and for an empty `prime`.
    """
    check_settings(temperature, top_p, length)
    if len(prime) == 0:
        raise ValueError("the priming text must have at least one character")
    return kernel.sample(params, read(params, prime), rng.random(length), temperature, top_p)


def sample_text(params, vocabulary, prime, length, seed, temperature=1.0, top_p=1.0):
    """Return `length` characters that go on from the text `prime`; the same seed gives the same text.

    Raises ValueError, in a sentence, for characters that are not in the vocabulary and where `sample` does.
    """
    rng = np.random.default_rng(seed)
    return decode(sample(params, encode(prime, vocabulary), length, rng, temperature, top_p), vocabulary)
