"""The mean loss in Autograd's NumPy, which finds its gradient by itself: to hold `model.backward` against."""

import autograd.numpy as np


def mean_loss(params, x, y):
    """Return the mean loss, in nats per character, of x and y (T,); `params` are those of `Params`, and h_0 (m,)."""
    W, U, V, b, c, h = params
    total = 0.0
    for code, target in zip(x, y, strict=True):
        h = np.tanh(W @ h + U[:, code] + b)
        o = V @ h + c
        total = total + np.log(np.exp(o).sum()) - o[target]
    return total / len(x)
