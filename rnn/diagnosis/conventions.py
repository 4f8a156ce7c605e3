"""Calling functions that somebody else wrote: their conventions, and one sentence for each way in which they fail."""

import sys
import traceback
from typing import NamedTuple

import numpy as np

from rnn.model import Params

NAMES = ("W", "U", "V", "b", "c", "h₀")
OTHER_NAMES = {"W": ("Whh", "Wh"), "U": ("Wxh", "Wx"), "V": ("Why", "Wy"), "b": ("bh",), "c": ("by",), "h₀": ("h0",)}


class Diagnosis(NamedTuple):
    """The result of a diagnosis. Print it to read it."""

    text: str
    mistakes: tuple = ()  # the known mistakes that explain what is wrong: none, one or two
    right: bool = False  # whether no mistake was found

    def __str__(self):
        return self.text

    def __repr__(self):
        return self.text


class UnusableError(Exception):
    """A function that cannot be diagnosed further. The message says in one sentence what it does."""


class Columns(dict):
    """Arrays by name: RNN["W"] and RNN.W are the same."""

    def __getattr__(self, name):
        if name in self:
            return self[name]
        raise AttributeError(f"RNN has no {name!r}; it has {', '.join(self)}")

    __setattr__ = dict.__setitem__


def columns(params):
    """Return `Params` in the assignment's conventions: b is (m, 1) and c is (K, 1); W, U and V do not change."""
    return Columns({name: theta[:, None] if theta.ndim == 1 else theta for name, theta in params._asdict().items()})


def one_hot(codes, K):
    """Return the codes (T,) as one-hot columns (K, T)."""
    return np.eye(K)[:, codes]


def from_columns(forward=None, backward=None):
    """Return (forward, backward) in the conventions of `model`, from functions in those of the assignment.

    forward(RNN, X, h0) returns (H, P), and backward(RNN, X, Y, h0, H, P) returns the gradients. X and Y are one-hot
    columns (K, T), P is (K, T), and h0 is (m, 1). H is (m, T + 1) if its first column is h0, and (m, T) if not. RNN has
    b (m, 1) and c (K, 1), as RNN["b"] and as RNN.b. The gradients are a dictionary, an object with attributes, or a
    tuple in the order W, U, V, b, c.
    """
    first = 0  # the number of the first state in the student's H: 0 if it contains h0, else 1

    def forward_in_rows(params, x, h0):
        nonlocal first
        H, P = state_and_probabilities(forward(columns(params), one_hot(x, len(params.c)), h0[:, None]))
        H = as_array(H, ((len(h0), len(x)), (len(h0), len(x) + 1)), "H, which forward returns,")
        P = as_array(P, ((len(params.c), len(x)),), "P, which forward returns,")
        first = len(x) + 1 - H.shape[1]
        return (np.hstack((h0[:, None], H)) if first else H).T, P.T

    def backward_in_rows(params, x, y, h, p):
        X, Y = one_hot(x, len(params.c)), one_hot(y, len(params.c))
        return backward(columns(params), X, Y, h[:1].T, h[first:].T, p.T)

    return forward and forward_in_rows, backward and backward_in_rows


def from_rows(forward=None, backward=None):
    """Return (forward, backward) in the conventions of `model`, from functions whose vectors are rows.

    They are called as in `from_columns`, and the state is tanh(h W + x U + b). X, Y and P are (T, K), h0 is (1, m), and
    H is (T + 1, m) or (T, m). RNN has U (K, m), V (m, K), b (1, m) and c (1, K), and the gradients have the same
    shapes.
    """

    def forward_in_columns(RNN, X, h0):
        return tuple(map(np.transpose, state_and_probabilities(forward(turned(RNN), X.T, h0.T))))

    def backward_in_columns(RNN, X, Y, h0, H, P):
        gradients = by_names(backward(turned(RNN), X.T, Y.T, h0.T, H.T, P.T))
        return {name: None if gradient is None else np.transpose(gradient) for name, gradient in gradients.items()}

    def turned(RNN):
        return Columns({name: theta.T for name, theta in RNN.items()})

    return from_columns(forward and forward_in_columns, backward and backward_in_columns)


def copied(value):
    """Return a copy of an array or of `Params`."""
    return Params(*(theta.copy() for theta in value)) if isinstance(value, Params) else value.copy()


def call(function, name, *arguments, **settings):
    """Return the function's result. If it raises, raise UnusableError with its message and the line of its code."""
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
    """Return an array, list, column or row as an array that has one of the shapes.

    Raises UnusableError if it has another shape, if it is not real, and if it has NaN or infinite values.
    """
    try:
        array = np.array(value)
    except ValueError:  # rows of different lengths
        array = np.array("?")
    if array.dtype.kind not in "biuf":
        raise UnusableError(f"{name} is not an array of real numbers, but of type {type(value).__name__}.")
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
    """Return the names of the arrays {name: (now, before)} that have changed, joined by "and"."""
    names = []
    for name, (now, before) in pairs.items():
        same = all(map(np.array_equal, now, before)) if isinstance(now, Params) else np.array_equal(now, before)
        names += [] if same else [name]
    return " and ".join(names)


def call_forward(forward, problem):
    """Return the checked results h (T + 1, m) and p (T, K) of a `forward`."""
    params = copied(problem.params)
    x = problem.x.copy()
    h0 = problem.h0.copy()
    h, p = state_and_probabilities(call(forward, "forward", params, x, h0))
    h = as_array(h, ((len(x) + 1, len(h0)),), "h, which forward returns,")
    p = as_array(p, ((len(x), len(params.c)),), "p, which forward returns,")
    if names := changed({"the parameters": (params, problem.params), "x": (x, problem.x), "h0": (h0, problem.h0)}):
        raise UnusableError(f"forward changes {names} in place: let it work on a copy.")
    return h, p


def state_and_probabilities(result):
    """Return the result of a `forward`; raise UnusableError if it is not two arrays."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        number = f"{len(result)} values" if isinstance(result, tuple | list) else f"one {type(result).__name__}"
        raise UnusableError(f"forward returns {number}, and should return two arrays: states and probabilities.")
    return result


def call_backward(backward, problem, states):
    """Return ({name: gradient}, names of the arguments changed in place) of a `backward`, given (h, p) of `forward`."""
    before = (problem.params, problem.x, problem.y, *states)
    arguments = [copied(argument) for argument in before]
    result = call(backward, "backward", *arguments)
    pairs = dict(zip(("the parameters", "x", "y", "h", "p"), zip(arguments, before, strict=True), strict=True))
    return as_gradients(result, problem), changed(pairs)


def as_gradients(result, problem):
    """Return the checked {name: gradient} from the result of a `backward`, with that of h_0 if there is one."""
    shapes = {name: theta.shape for name, theta in zip(NAMES, (*problem.params, problem.h0), strict=True)}
    return {
        name: as_array(gradient, (shapes[name],), f"The gradient of {name}")
        for name, gradient in by_names(result).items()
        if gradient is not None
    }


def by_names(result):
    """Return {name: gradient} from the result of a `backward`; the gradient of h_0 is None if there is none."""
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
        has = ", ".join(map(str, result)) if isinstance(result, dict) else f"an object of type {type(result).__name__}"
        raise UnusableError(f"backward returns no gradient of {' and '.join(gone)}; it returns {has}.")
    return found


def _is_plain(result):
    return isinstance(result, tuple | list) and not hasattr(result, "_fields")


def by_name(result, name):
    """Return the gradient of `name` from a dictionary or object, under any of its usual names, or None."""
    for alias in (name, *OTHER_NAMES[name]):
        for key in (alias, f"d{alias}", f"grad_{alias}", f"grads_{alias}", f"dL_d{alias}", f"dLd{alias}"):
            if isinstance(result, dict) and key in result:
                return result[key]
            if not isinstance(result, dict) and hasattr(result, key):
                return getattr(result, key)
    return None
