"""Functions that somebody else wrote: their conventions, and calls that end in a sentence when they fail."""

import sys
import traceback
from typing import NamedTuple

import numpy as np

from rnn.model import Params

NAMES = ("W", "U", "V", "b", "c", "h₀")
OTHER_NAMES = {"W": ("Whh", "Wh"), "U": ("Wxh", "Wx"), "V": ("Why", "Wy"), "b": ("bh",), "c": ("by",), "h₀": ("h0",)}


class Diagnosis(NamedTuple):
    """What is wrong: a text to print, and the known mistakes that explain it (none, one or two)."""

    text: str
    mistakes: tuple = ()
    right: bool = False

    def __str__(self):
        return self.text

    def __repr__(self):
        return self.text


class UnusableError(Exception):
    """What the function does that ends the diagnosis, in a sentence."""


class Columns(dict):
    """Arrays by name, as RNN["W"] or as RNN.W."""

    def __getattr__(self, name):
        if name in self:
            return self[name]
        raise AttributeError(f"RNN has no {name!r}; it has {', '.join(self)}")

    __setattr__ = dict.__setitem__


def columns(params):
    """Return parameters in the assignment's conventions: W, U and V the same, b (m, 1) and c (K, 1)."""
    return Columns({name: theta[:, None] if theta.ndim == 1 else theta for name, theta in params._asdict().items()})


def one_hot(codes, K):
    """Return the codes (T,) as one-hot columns (K, T)."""
    return np.eye(K)[:, codes]


def from_columns(forward=None, backward=None):
    """Return (forward, backward) in the conventions of `model`, made from functions in those of the assignment.

    forward(RNN, X, h0) returns H, P, and backward(RNN, X, Y, h0, H, P) the gradients. X and Y are one-hot columns
    (K, T), P is (K, T), h0 (m, 1), and H (m, T + 1) with h0 as its first column, or (m, T) without. RNN has b (m, 1)
    and c (K, 1), as RNN["b"] and as RNN.b. The gradients are a dictionary, an object, or a tuple in the order W, U, V,
    b, c.
    """
    first = 0  # the first of the states 0 to T that the student's H has

    def forward_in_rows(params, x, h0):
        nonlocal first
        H, P = two(forward(columns(params), one_hot(x, len(params.c)), h0[:, None]))
        H = as_array(H, ((len(h0), len(x)), (len(h0), len(x) + 1)), "H, which forward returns,")
        P = as_array(P, ((len(params.c), len(x)),), "P, which forward returns,")
        first = len(x) + 1 - H.shape[1]
        return (np.hstack((h0[:, None], H)) if first else H).T, P.T

    def backward_in_rows(params, x, y, h, p):
        X, Y = one_hot(x, len(params.c)), one_hot(y, len(params.c))
        return backward(columns(params), X, Y, h[:1].T, h[first:].T, p.T)

    return forward and forward_in_rows, backward and backward_in_rows


def from_rows(forward=None, backward=None):
    """Return (forward, backward) as `from_columns` does, for functions that have a row where those have a column.

    The state is tanh(h W + x U + b), with X, Y and P (T, K), h0 (1, m), H (T + 1, m) or (T, m), U (K, m), V (m, K),
    b (1, m) and c (1, K); the gradients are in the shapes of the parameters.
    """

    def forward_in_columns(RNN, X, h0):
        return tuple(map(np.transpose, two(forward(turned(RNN), X.T, h0.T))))

    def backward_in_columns(RNN, X, Y, h0, H, P):
        gradients = by_names(backward(turned(RNN), X.T, Y.T, h0.T, H.T, P.T))
        return {name: None if gradient is None else np.transpose(gradient) for name, gradient in gradients.items()}

    def turned(RNN):
        return Columns({name: theta.T for name, theta in RNN.items()})

    return from_columns(forward and forward_in_columns, backward and backward_in_columns)


def copied(value):
    """Return a copy of an array, or of the arrays of `Params`."""
    return Params(*(theta.copy() for theta in value)) if isinstance(value, Params) else value.copy()


def call(function, name, *arguments, **settings):
    """Return what the function returns; raise UnusableError if it raises, with its message and line."""
    try:
        with np.errstate(all="ignore"):
            return function(*arguments, **settings)
    except UnusableError:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        library = ("site-packages", "dist-packages", sys.prefix + "/lib", __file__)
        own = [frame for frame in frames if not any(part in frame.filename for part in library)]
        where = f", in the line `{own[-1].line}`" if own and own[-1].line else ""
        message = ": " + " ".join(str(error).split()) if str(error) else ""
        raise UnusableError(f"{name} raises {type(error).__name__}{message}{where}.") from None


def as_array(value, shapes, name):
    """Return an array, list, column or row as an array of one of the shapes, or raise UnusableError: also for NaN."""
    try:
        array = np.array(value)
    except ValueError:  # rows of different lengths
        array = np.array("?")
    if array.dtype.kind not in "biuf":
        raise UnusableError(f"{name} is no array of real numbers but of type {type(value).__name__}.")
    array = array.astype(np.result_type(array.dtype, np.float32))
    if len(shapes[0]) == 1 and array.size == max(array.shape, default=0) == shapes[0][0]:
        array = array.reshape(shapes[0])
    if array.shape not in shapes:
        transposed = " It looks transposed." if array.T.shape in shapes else ""
        should = " or ".join(map(str, shapes))
        raise UnusableError(f"{name} has the shape {array.shape}, and should have {should}.{transposed}")
    if not np.isfinite(array).all():
        raise UnusableError(f"{name} has {np.sum(~np.isfinite(array))} values that are not finite (NaN or infinite).")
    return array


def changed(pairs):
    """Return in words the names of the arrays {name: (now, before)} that are not what they were, "" for none."""
    names = []
    for name, (now, before) in pairs.items():
        same = all(map(np.array_equal, now, before)) if isinstance(now, Params) else np.array_equal(now, before)
        names += [] if same else [name]
    return " and ".join(names)


def call_forward(forward, problem):
    """Return h (T + 1, m) and p (T, K) of a `forward`."""
    params, x, h0 = copied(problem.params), problem.x.copy(), problem.h0.copy()
    h, p = two(call(forward, "forward", params, x, h0))
    h = as_array(h, ((len(x) + 1, len(h0)),), "h, which forward returns,")
    p = as_array(p, ((len(x), len(params.c)),), "p, which forward returns,")
    if names := changed({"the parameters": (params, problem.params), "x": (x, problem.x), "h0": (h0, problem.h0)}):
        raise UnusableError(f"forward changes {names}, which it was given: it needs a copy.")
    return h, p


def two(result):
    """Return the two arrays that a `forward` returns."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        number = f"{len(result)} values" if isinstance(result, tuple | list) else f"one {type(result).__name__}"
        raise UnusableError(f"forward returns {number}, and should return two arrays: the states, the probabilities.")
    return result


def call_backward(backward, problem, states):
    """Return ({name: gradient}, names of what was changed in place) of a `backward`, given the states (h, p)."""
    params, x, y, h, p = *map(copied, problem[:3]), *map(copied, states)
    result = call(backward, "backward", params, x, y, h, p)
    before = (problem.params, problem.x, problem.y, *states)
    now = dict(zip(("the parameters", "x", "y", "h", "p"), zip((params, x, y, h, p), before, strict=True), strict=True))
    return as_gradients(result, problem), changed(now)


def as_gradients(result, problem):
    """Return {name: gradient} of what a `backward` returns, that of h_0 where it is there, checked."""
    shapes = {name: theta.shape for name, theta in zip(NAMES, (*problem.params, problem.h0), strict=True)}
    return {
        name: as_array(gradient, (shapes[name],), f"The gradient of {name}")
        for name, gradient in by_names(result).items()
        if gradient is not None
    }


def by_names(result):
    """Return {name: gradient} of what a `backward` returns, None for that of h_0 where it is not there."""
    found = {}
    if _is_plain(result) and len(result) == 2:
        result, found["h₀"] = result
    if result is None:
        raise UnusableError("backward returns None: is there a `return` at its end?")
    if _is_plain(result):
        if len(result) not in (5, 6):
            raise UnusableError(f"backward returns {len(result)} values, and should return those of W, U, V, b, c.")
        result = dict(zip(NAMES, result, strict=False))
    found = {name: by_name(result, name) for name in NAMES} | found
    if gone := [name for name in NAMES[:5] if found[name] is None]:
        has = ", ".join(map(str, result)) if isinstance(result, dict) else f"of type {type(result).__name__}"
        raise UnusableError(f"backward returns no gradient of {' and '.join(gone)}; what it returns is {has}.")
    return found


def _is_plain(result):
    return isinstance(result, tuple | list) and not hasattr(result, "_fields")


def by_name(result, name):
    """Return the gradient of that name in a dictionary or object, under any of its usual names, or None."""
    for alias in (name, *OTHER_NAMES[name]):
        for key in (alias, f"d{alias}", f"grad_{alias}", f"grads_{alias}", f"dL_d{alias}", f"dLd{alias}"):
            if isinstance(result, dict) and key in result:
                return result[key]
            if not isinstance(result, dict) and hasattr(result, key):
                return getattr(result, key)
    return None
