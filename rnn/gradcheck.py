"""Numerical gradients, to compare with those of `backward`, and whether your own code has a known mistake."""

from typing import NamedTuple

import numpy as np

from rnn import model
from rnn.model import Params


class Problem(NamedTuple):
    """One sequence on which gradients are compared."""

    params: Params
    x: np.ndarray  # (T,)
    y: np.ndarray  # (T,)
    h0: np.ndarray  # (m,)


def make_problem(codes, K, rng, m=5, T=25, sigma=0.01, h0_sigma=0.0, largest_K=100):
    """Return a `Problem` in float64: the first T codes, weights from N(0, sigma^2), h0 from N(0, h0_sigma^2).

    Of a larger vocabulary than `largest_K` only the characters that occur are kept, and as many others as fill it:
    a check moves every weight there is, and there are thousands of characters in Chinese.
    """
    codes = codes[: T + 1]
    if largest_K < K:
        K, codes = largest_K, np.unique(codes, return_inverse=True)[1]
    params = model.init_params(K, m, rng, sigma, np.float64)
    return Problem(params, codes[:T], codes[1:], rng.normal(0, h0_sigma, m) if h0_sigma else np.zeros(m))


def analytic_gradients(problem, forward=model.forward, backward=model.backward):
    """Return {name: gradient} for the five parameters and h_0, from `forward` and `backward`."""
    params, x, y, h0 = problem
    h, p = forward(params, x, h0)
    gradient, dh0 = backward(params, x, y, h, p)
    return gradient._asdict() | {"h₀": dh0}


def centred_differences(loss, params, x, y, h0, delta=1e-4):
    """Return {name: gradient} by centred differences, one for each number theta."""
    gradients = {}
    for name, theta in (params._asdict() | {"h₀": h0}).items():
        gradients[name] = np.zeros(theta.shape)
        for index in np.ndindex(theta.shape):  # each number of the array
            kept = theta[index]
            theta[index] = kept + delta
            above = loss(params, x, y, h0)
            theta[index] = kept - delta
            below = loss(params, x, y, h0)
            theta[index] = kept
            gradients[name][index] = (above - below) / (2 * delta)
    return gradients


def complex_step(loss, params, x, y, h0, delta=1e-30):
    """Return {name: gradient}, Im L(theta + i delta) / delta for each number theta.

    No difference, so no cancellation: Squire and Trapp, Using complex variables to estimate
    derivatives of real functions, SIAM Review 40(1), 1998.
    """
    params = Params(*(theta.astype(complex) for theta in params))
    h0 = h0.astype(complex)
    gradients = {}
    for name, theta in (params._asdict() | {"h₀": h0}).items():
        gradients[name] = np.zeros(theta.shape)
        for index in np.ndindex(theta.shape):
            kept = theta[index]
            theta[index] = kept + 1j * delta
            gradients[name][index] = loss(params, x, y, h0).imag / delta
            theta[index] = kept
    return gradients


def relative_error(g_a, g_n):
    """Return |g_a - g_n| / (|g_a| + |g_n|) of each component, 0 where both are 0."""
    size = np.abs(g_a) + np.abs(g_n)
    return np.abs(g_a - g_n) / np.where(size > 0, size, 1)


def relative_errors(problem, numerical, forward=model.forward, backward=model.backward):
    """Return {name: relative errors}, arrays in the shapes of the parameters, for gradients from one of the above."""
    analytic = analytic_gradients(problem, forward, backward)
    return {name: relative_error(analytic[name], numerical[name]) for name in numerical}


def __getattr__(name):
    """Import `diagnose` and what belongs to it when it is first asked for."""
    from rnn import diagnosis

    if name in diagnosis.__all__:
        return getattr(diagnosis, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
