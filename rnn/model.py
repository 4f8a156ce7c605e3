"""The mathematics of the vanilla RNN. The same letters in the text and in the code.

    a_t = W h_{t-1} + U x_t + b      h_t = tanh a_t
    o_t = V h_t + c                  p_t = softmax o_t
    L = - sum over t of log p_t[y_t]

K is the size of the vocabulary, m the number of hidden units, T the length of a sequence. x_t is one-hot in the
formula and an integer code in the code: U x_t is column x[t] of U. L is the sum over the sequence, in nats.
"""

from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters; a gradient and an optimiser's memory are `Params` too."""

    W: np.ndarray  # (m, m)
    U: np.ndarray  # (m, K)
    V: np.ndarray  # (K, m)
    b: np.ndarray  # (m,)
    c: np.ndarray  # (K,)


def init_params(K, m, rng, sigma=0.01, dtype=np.float32):
    """Return `Params` with W, U, V drawn from N(0, sigma^2) and biases of zero."""
    W = rng.normal(0, sigma, (m, m))
    U = rng.normal(0, sigma, (K, m)).T  # the transpose, so that a column, which is what a step reads, is contiguous
    V = rng.normal(0, sigma, (K, m))
    return Params(*(theta.astype(dtype) for theta in (W, U, V, np.zeros(m), np.zeros(K))))


def softmax(o):
    """Return exp(o) over its sum along the last axis; complex o too, as the complex-step derivative needs."""
    e = np.exp(o - o.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def forward(params, x, h0):
    """Return the states h (T + 1, m), h[0] being h0, and the predictions p (T, K) of the characters x (T,)."""
    W, U, V, b, c = params
    T = len(x)
    h = np.empty((T + 1, len(b)), np.result_type(W, h0))
    h[0] = h0
    u = U.T[x] + b  # (T, m)
    for t in range(T):
        h[t + 1] = np.tanh(W @ h[t] + u[t])
    p = softmax(h[1:] @ V.T + c)
    return h, p


def cross_entropy(p, y):
    """Return L, the summed cross-entropy in nats per sequence, of predictions p (T, K) and targets y (T,)."""
    return -np.log(p[np.arange(len(y)), y]).sum()


def loss(params, x, y, h0):
    """Return L in nats per sequence, for x and y (T,) and the carried-in state h0 (m,)."""
    _, p = forward(params, x, h0)
    return cross_entropy(p, y)


def backward(params, x, y, h, p):
    """Return dL/dparams and dL/dh_0 (m,), from the h and p of `forward`."""
    W, U, V, b, _ = params
    T = len(x)
    do = p.copy()  # dL/do_t = p_t - one-hot(y_t)
    do[np.arange(T), y] -= 1  # (T, K)
    dh = do @ V  # (T, m), what reaches h_t from o_t
    da = np.empty_like(dh)
    from_next = np.zeros_like(b)  # W^T dL/da_{t+1}, what reaches h_t from h_{t+1}
    for t in reversed(range(T)):
        da[t] = (dh[t] + from_next) * (1 - h[t + 1] ** 2)
        from_next = W.T @ da[t]
    dU = np.zeros_like(U)
    np.add.at(dU.T, x, da)
    dW, dV, db, dc = da.T @ h[:-1], do.T @ h[1:], da.sum(axis=0), do.sum(axis=0)
    return Params(dW, dU, dV, db, dc), from_next


def adagrad(theta, memory, gradient, learning_rate, clip):
    """One step of AdaGrad (Duchi et al., 2011), in place, of the gradient clipped to [-clip, clip]."""
    g = np.clip(gradient, -clip, clip)
    memory += g * g
    theta -= learning_rate * g / np.sqrt(memory + 1e-8)


def train_step(params, memory, x, y, h0, learning_rate, clip):
    """One step of training, `params` and `memory` changed in place; return the loss (nats per sequence) and h_T (m,).

    The readable reference: `kernel.advance` does the same for many steps, compiled, and a test holds one to the other.
    """
    h, p = forward(params, x, h0)
    gradient, _ = backward(params, x, y, h, p)
    for theta, theta_memory, d_theta in zip(params, memory, gradient, strict=True):
        adagrad(theta, theta_memory, d_theta, learning_rate, clip)
    return cross_entropy(p, y), h[-1]
