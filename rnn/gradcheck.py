"""Numerical gradients to compare with those of `backward`, and `diagnose`, which names the mistake in your own code."""

import numpy as np

from rnn import model
from rnn.diagnosis import diagnose, diagnose_sampler, diagnose_update, from_columns, from_rows
from rnn.model import Params
from rnn.problem import Problem, make_problem

__all__ = [
    "Problem",
    "analytic_gradients",
    "centred_differences",
    "complex_step",
    "diagnose",
    "diagnose_sampler",
    "diagnose_update",
    "from_columns",
    "from_rows",
    "make_problem",
    "relative_error",
    "relative_errors",
]


def analytic_gradients(problem, forward=model.forward, backward=model.backward):
    """Return {name: gradient} of the five parameters and h_0, by back-propagation."""
    params, x, y, h0 = problem
    h, p = forward(params, x, h0)
    gradient, dh0 = backward(params, x, y, h, p)
    return gradient._asdict() | {"h₀": dh0}


def centred_differences(loss, params, x, y, h0, delta=1e-4):
    """Return {name: gradient} of the five parameters and h_0, by centred differences."""
    gradients = {}
    for name, theta in (params._asdict() | {"h₀": h0}).items():
        gradients[name] = np.zeros(theta.shape)
        for index in np.ndindex(theta.shape):  # every number of the array
            value = theta[index]
            theta[index] = value + delta
            above = loss(params, x, y, h0)
            theta[index] = value - delta
            below = loss(params, x, y, h0)
            theta[index] = value
            gradients[name][index] = (above - below) / (2 * delta)
    return gradients


def complex_step(loss, params, x, y, h0, delta=1e-30):
    """Return {name: gradient} of the five parameters and h_0, as Im L(theta + i delta) / delta.

    Nothing is subtracted, so no digits cancel: Squire and Trapp, Using complex variables to
    estimate derivatives of real functions, SIAM Review 40(1), 1998.
    """
    params = Params(*(theta.astype(complex) for theta in params))
    h0 = h0.astype(complex)
    gradients = {}
    for name, theta in (params._asdict() | {"h₀": h0}).items():
        gradients[name] = np.zeros(theta.shape)
        for index in np.ndindex(theta.shape):
            value = theta[index]
            theta[index] = value + 1j * delta
            gradients[name][index] = loss(params, x, y, h0).imag / delta
            theta[index] = value
    return gradients


def relative_error(g_a, g_n):
    """Return |g_a - g_n| / (|g_a| + |g_n|) of each component; it is 0 where both are 0."""
    size = np.abs(g_a) + np.abs(g_n)
    return np.abs(g_a - g_n) / np.where(size > 0, size, 1)


def relative_errors(problem, numerical, forward=model.forward, backward=model.backward):
    """Return {name: relative errors in the parameter's shape} between back-propagation and `numerical` gradients."""
    analytic = analytic_gradients(problem, forward, backward)
    return {name: relative_error(analytic[name], numerical[name]) for name in numerical}
