"""Classic bugs: each a `backward` that is wrong in one way, for a check of gradients to find."""

import numpy as np

from rnn import model
from rnn.model import Params


def drop_h0_term_of_W(params, x, y, h, p):
    """The original report's: the column of h_0 is left zero, so the carried-in state does not reach dL/dW."""
    return model.backward(params, x, y, np.concatenate((np.zeros_like(h[:1]), h[1:])), p)


def clip_first(params, x, y, h, p):
    """The gradient is clipped before it is checked, instead of in the update."""
    gradient, dh0 = model.backward(params, x, y, h, p)
    return Params(*(np.clip(d_theta, -5, 5) for d_theta in gradient)), dh0


def transpose_W(params, x, y, h, p):
    """W where W transposed belongs, on the way back through time."""
    return model.backward(params._replace(W=params.W.T), x, y, h, p)


def forget_tanh(params, x, y, h, p):
    """dL/da_t = dL/dh_t: the factor 1 - h_t^2 is forgotten."""
    do = p.copy()
    do[np.arange(len(y)), y] -= 1
    da = do @ params.V
    for t in reversed(range(len(x) - 1)):
        da[t] += params.W.T @ da[t + 1]
    dU = np.zeros_like(params.U)
    np.add.at(dU.T, x, da)
    return Params(da.T @ h[:-1], dU, do.T @ h[1:], da.sum(axis=0), do.sum(axis=0)), params.W.T @ da[0]


def drop_bias(params, x, y, h, p):
    """The gradient of b is never computed."""
    gradient, dh0 = model.backward(params, x, y, h, p)
    return gradient._replace(b=np.zeros_like(gradient.b)), dh0


def shift_targets(params, x, y, h, p):
    """The character itself is taken for the one to predict: targets off by one."""
    return model.backward(params, x, x, h, p)


BUGS = {
    "the h₀ term of W dropped (the original's)": drop_h0_term_of_W,
    "clipped before the check": clip_first,
    "W where its transpose belongs": transpose_W,
    "the derivative of tanh forgotten": forget_tanh,
    "the gradient of b dropped": drop_bias,
    "targets off by one in the gradient": shift_targets,
}
