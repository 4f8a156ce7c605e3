"""The mathematics of the vanilla RNN. The code has the letters of the formulas.

    a_t = W h_{t-1} + U x_t + b      h_t = tanh a_t
    o_t = V h_t + c                  p_t = softmax o_t
    L = - sum over t of log p_t[y_t]

K is the size of the vocabulary, m the number of hidden units, T the length of a sequence. In the formula x_t is
one-hot; in the code it is an integer, and U x_t is column x[t] of U. L is the sum over the sequence, in nats.
"""

from typing import NamedTuple

import numpy as np


class Params(NamedTuple):
    """The parameters. A gradient, and an optimiser's memory of gradients, are `Params` too."""

    W: np.ndarray  # (m, m)
    U: np.ndarray  # (m, K)
    V: np.ndarray  # (K, m)
    b: np.ndarray  # (m,)
    c: np.ndarray  # (K,)


class Memory(NamedTuple):
    """What an optimiser remembers, zero before the first step."""

    squares: Params  # of the gradients: AdaGrad sums them, Adam keeps their running mean
    means: Params  # Adam's running mean of the gradients; the other rules leave it zero
    updates: np.ndarray  # (1,), the number of steps


def init_params(K, m, rng, sigma=0.01, dtype=np.float32):
    """Return `Params` with W, U, V drawn from N(0, sigma^2) and biases of zero.

    With sigma None they are scaled to the size of each matrix, as in the assignment since 2025.
    """
    W = rng.normal(0, (2 * m) ** -0.5 if sigma is None else sigma, (m, m))
    U = rng.normal(0, (2 * K) ** -0.5 if sigma is None else sigma, (m, K))
    V = rng.normal(0, m**-0.5 if sigma is None else sigma, (K, m))
    return Params(*(theta.astype(dtype) for theta in (W, U, V, np.zeros(m), np.zeros(K))))


def init_memory(params):
    """Return the `Memory` of an optimiser that has seen no gradient."""
    squares = Params(*(np.zeros_like(theta) for theta in params))
    means = Params(*(np.zeros_like(theta) for theta in params))
    return Memory(squares, means, updates=np.zeros(1, np.int64))


def softmax(o):
    """Return exp(o) over its sum along the last axis. For the complex step, o may be complex."""
    e = np.exp(o - o.real.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def forward(params, x, h0):
    """Return the states h (T + 1, m), with h[0] = h0, and the probabilities p (T, K)."""
    W, U, V, b, c = params
    T = len(x)
    h = np.empty((T + 1, len(b)), np.result_type(W, h0))
    h[0] = h0
    for t in range(T):
        a = W @ h[t] + U[:, x[t]] + b
        h[t + 1] = np.tanh(a)
    o = h[1:] @ V.T + c  # (T, K), all times at once
    p = softmax(o)
    return h, p


def cross_entropy(p, y):
    """Return L, the summed cross-entropy of p (T, K) and y (T,), in nats."""
    tiny = np.finfo(p.dtype).tiny  # keeps log finite where p is rounded to 0
    return -np.log(p[np.arange(len(y)), y] + tiny).sum()


def loss(params, x, y, h0):
    """Return L in nats per sequence, for x and y (T,) and the carried-in state h0 (m,)."""
    _, p = forward(params, x, h0)
    return cross_entropy(p, y)


def backward(params, x, y, h, p):
    """Return (dL/dparams, dL/dh_0), as `Params` and (m,), from the h and p of `forward`."""
    W, U, V, b, _ = params
    T = len(x)
    do = p.copy()
    do[np.arange(T), y] -= 1  # dL/do_t = p_t - y_t, y_t one-hot; (T, K)
    da = np.empty((T, len(b)), p.dtype)
    from_next = np.zeros_like(b)  # W^T dL/da_{t+1}, which is zero at the last character
    for t in reversed(range(T)):
        dh = V.T @ do[t] + from_next
        da[t] = dh * (1 - h[t + 1] ** 2)
        from_next = W.T @ da[t]
    dW = da.T @ h[:-1]
    dU = np.zeros_like(U)
    np.add.at(dU.T, x, da)  # da_t x_t^T adds da_t to column x[t]
    dV = do.T @ h[1:]
    db = da.sum(axis=0)
    dc = do.sum(axis=0)
    dh0 = from_next
    return Params(dW, dU, dV, db, dc), dh0


def adagrad(theta, squares, means, g, learning_rate, n):
    """One step of AdaGrad (Duchi et al., 2011), in place."""
    squares += g * g
    theta -= learning_rate * g / np.sqrt(squares + 1e-8)


def adam(theta, squares, means, g, learning_rate, n):
    """Step number n, from 1, of Adam (Kingma and Ba, 2015), in place."""
    means += (1 - 0.9) * (g - means)
    squares += (1 - 0.999) * (g * g - squares)
    theta -= learning_rate * (means / (1 - 0.9**n)) / (np.sqrt(squares / (1 - 0.999**n)) + 1e-8)


def sgd(theta, squares, means, g, learning_rate, n):
    """One step of stochastic gradient descent, in place."""
    theta -= learning_rate * g


# a notebook may add its own; `engine.training` then trains with it if engine="numpy"
OPTIMIZERS = {"adagrad": adagrad, "adam": adam, "sgd": sgd}


def train_step(params, memory, x, y, h0, learning_rate, clip, optimizer="adagrad"):
    """Take one step of training on B sequences x and y (B, T), from the states h0 (B, m); return (loss, gradient).

    The loss is the mean over the B sequences, in nats per sequence. The gradient (`Params`) is that of the mean; it is
    returned before clipping, and each component is clipped to [-clip, clip] for the update. `params`, `memory` and h0
    change in place; h0 becomes h_T. `kernel.advance` does the same for many steps, compiled, and a test compares the
    two.
    """
    B = len(x)
    mean_loss = 0.0
    mean_gradient = Params(*(np.zeros_like(theta) for theta in params))
    for s in range(B):
        h, p = forward(params, x[s], h0[s])
        gradient, _ = backward(params, x[s], y[s], h, p)
        mean_loss += cross_entropy(p, y[s]) / B
        for mean, d_theta in zip(mean_gradient, gradient, strict=True):
            mean += d_theta / B
        h0[s] = h[-1]
    memory.updates[0] += 1
    for theta, squares, means, d_theta in zip(params, memory.squares, memory.means, mean_gradient, strict=True):
        g = np.clip(d_theta, -clip, clip)
        OPTIMIZERS[optimizer](theta, squares, means, g, learning_rate, memory.updates[0])
    return mean_loss, mean_gradient


def learn(params, codes, steps, T=25, eta=0.1, clip=5.0, rest=False):
    """Train `params` in place by AdaGrad; return the losses (steps,) and the last state (m,).

    The losses are in nats per sequence of T characters. The state is carried through the codes
    (N,), and starts from zero at their beginning. With `rest`, the loop also trains on the shorter
    sequence at their end. `engine.training.train` takes the same steps, compiled.
    """
    squares = [np.zeros_like(theta) for theta in params]  # AdaGrad's memory, s
    starts = range(0, len(codes) - 1 if rest else len(codes) - T, T)
    losses = []
    for n in range(steps):
        start = starts[n % len(starts)]
        if start == 0:
            h = np.zeros_like(params.b)  # (m,)
        y = codes[start + 1 : start + T + 1]  # (T,)
        x = codes[start : start + len(y)]  # (T,)
        states, p = forward(params, x, h)  # (T + 1, m), (T, K)
        gradient, _ = backward(params, x, y, states, p)
        for theta, s, g in zip(params, squares, gradient, strict=True):
            g = np.clip(g, -clip, clip)
            s += g**2
            theta -= eta * g / np.sqrt(s + 1e-8)
        h = states[-1]  # carried into the next sequence
        losses.append(cross_entropy(p, y))
    return np.array(losses), h
