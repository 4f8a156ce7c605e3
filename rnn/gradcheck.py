"""Numerical gradients to compare with those of `backward`, and `diagnose`, which names the mistake in your own code."""

import numpy as np

from rnn import model
from rnn.diagnosis import (
    Diagnosis,
    columns,
    diagnose,
    diagnose_sampler,
    diagnose_update,
    from_columns,
    from_rows,
    one_hot,
)
from rnn.model import Params
from rnn.problem import Problem, make_problem

__all__ = [
    "Diagnosis",
    "Problem",
    "analytic_gradients",
    "centred_differences",
    "columns",
    "complex_step",
    "diagnose",
    "diagnose_sampler",
    "diagnose_update",
    "from_columns",
    "from_rows",
    "make_problem",
    "one_hot",
    "relative_error",
    "relative_errors",
]


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
