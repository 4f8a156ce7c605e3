"""Known mistakes, and `plant`, which puts them into correct code. Each mistake changes one line.

BACKWARD and FORWARD change `model.backward` and `model.forward`; BUGS are the six that the view of one sequence offers.
They come from the original report, from questions and issues about the assignments DD2424 (KTH) and CS231n (Stanford)
and about min-char-rnn and makemore, and from our own first attempts.
"""

import functools
import inspect
import textwrap
from typing import NamedTuple

import numpy as np


class Mistake(NamedTuple):
    """A mistake in words, a correct line of code, and the line or lines that the mistake makes of it."""

    what: str
    right: str
    wrong: str

    @property
    def adds(self):
        """Whether the mistake keeps the correct line and adds lines after it."""
        return self.wrong.startswith(self.right + "\n")


@functools.cache
def source_lines(function):
    """Return the source of a function as a tuple of lines."""
    return tuple(textwrap.dedent(inspect.getsource(function)).split("\n"))


def plant(function, *mistakes):
    """Return `function` with the mistakes planted in the order given.

    Raises ValueError if the line that a mistake changes is not there once, for example because an earlier mistake has
    changed it.
    """
    lines = list(source_lines(function))
    for mistake in mistakes:
        places = [place for place, line in enumerate(lines) if line.split("  #")[0].strip() == mistake.right]
        if len(places) != 1:
            found = f"{len(places)} times in {function.__name__}"
            raise ValueError(f"{mistake.what}: the line `{mistake.right}` occurs {found}, and should occur once.")
        (place,) = places
        indent = " " * (len(lines[place]) - len(lines[place].lstrip()))
        lines[place : place + 1] = [indent + line for line in mistake.wrong.split("\n")]
    namespace = dict(function.__globals__)
    exec("\n".join(lines), namespace)
    return namespace[function.__name__]


def plant_both(function, first, second):
    """Return `function` with two mistakes, or None if both change the same line."""
    for order in ((first, second), (second, first)):
        try:
            return plant(function, *order)
        except ValueError:
            continue
    return None


H0_DROPPED = Mistake(
    "the h₀ term of dW is dropped (the original report’s mistake)",
    "dW = da.T @ h[:-1]",
    "dW = da[1:].T @ h[1:-1]",
)
CLIPPED = Mistake(
    "the gradient is clipped before the check, and not in the update",
    "return Params(dW, dU, dV, db, dc), dh0",
    "dW, dU, dV, db, dc = (np.clip(g, -5, 5) for g in (dW, dU, dV, db, dc))\nreturn Params(dW, dU, dV, db, dc), dh0",
)
W_NOT_TRANSPOSED = Mistake(
    "W is not transposed on the way back through time",
    "from_next = W.T @ da[t]",
    "from_next = W @ da[t]",
)
TANH_FORGOTTEN = Mistake("the factor 1 - h² of tanh is forgotten", "da[t] = dh * (1 - h[t + 1] ** 2)", "da[t] = dh")
B_DROPPED = Mistake("the gradient of b is never computed", "db = da.sum(axis=0)", "db = np.zeros_like(b)")
TARGETS_ARE_INPUTS = Mistake(
    "the targets are off by one: x is taken for y",
    "do[np.arange(T), y] -= 1",
    "do[np.arange(T), x] -= 1",
)
BUGS = (H0_DROPPED, CLIPPED, W_NOT_TRANSPOSED, TANH_FORGOTTEN, B_DROPPED, TARGETS_ARE_INPUTS)

MEAN = Mistake(
    "a mean where the sum belongs, everywhere",
    "do[np.arange(T), y] -= 1",
    "do[np.arange(T), y] -= 1\ndo /= T",
)
SUM = Mistake(
    "a sum where the mean belongs, everywhere",
    "return Params(dW, dU, dV, db, dc), dh0",
    "dW, dU, dV, db, dc, dh0 = (T * g for g in (dW, dU, dV, db, dc, dh0))\nreturn Params(dW, dU, dV, db, dc), dh0",
)
IN_PLACE = Mistake(
    "backward changes one of its arguments in place, so a second call differs",
    "do = p.copy()",
    "do = p",
)


def _changes(right, mistakes):
    return tuple(Mistake(what, right, wrong) for wrong, what in mistakes.items())


DO = (
    TARGETS_ARE_INPUTS,
    MEAN,
    *_changes(
        "do[np.arange(T), y] -= 1",
        {
            "pass": "the one-hot term is forgotten: dL/do is p - y, not p",
            "do[np.arange(T), y] += 1": "the one-hot vector is added: dL/do is p - y, not p + y",
            "do[np.arange(T), np.roll(y, -1)] -= 1": "the targets are off by one: y[t + 1] is taken for y[t]",
            "do[np.arange(T), y] -= 1\ndo = -do": "the sign: y - p where p - y belongs",
        },
    ),
)
NEXT = (
    W_NOT_TRANSPOSED,
    *_changes(
        "dh = V.T @ do[t] + from_next",
        {"dh = V.T @ do[t]": "no gradient comes from t + 1: it is not added to dh"},
    ),
    *_changes(
        "from_next = W.T @ da[t]",
        {
            "from_next = W.T @ dh": "dh is passed back where da belongs",
            "from_next = da[t]": "da is passed back without W",
            "from_next = W.T @ (V.T @ do[t] * (1 - h[t + 1] ** 2))": "the gradient reaches back one character only: "
            "what came from t + 1 is not passed on",
            "from_next = from_next + W.T @ da[t]": "what comes from t + 1 is summed over the steps: "
            "each step must pass on only its own gradient",
        },
    ),
)
TANH = (
    TANH_FORGOTTEN,
    *_changes(
        "da[t] = dh * (1 - h[t + 1] ** 2)",
        {
            "da[t] = dh * (1 - np.arctanh(h[t + 1]) ** 2)": "a where h belongs: tanh′ is 1 - h², not 1 - a²",
            "da[t] = dh * (1 - np.tanh(h[t + 1]) ** 2)": "tanh is taken twice: tanh′ is 1 - tanh(a)² = 1 - h², "
            "not 1 - tanh(h)²",
            "da[t] = dh * (1 - h[t] ** 2)": "tanh′ of the previous state: 1 - h² at t - 1 instead of t",
            "da[t] = dh / (1 - h[t + 1] ** 2)": "dh is divided by tanh′ = 1 - h², and should be multiplied by it",
            "da[t] = dh * (1 - h[t + 1])": "the square is missing: tanh′ is 1 - h², not 1 - h",
            "da[t] = dh * (1 + h[t + 1] ** 2)": "a sign: tanh′ is 1 - h², not 1 + h²",
            "da[t] = dh * h[t + 1] * (1 - h[t + 1])": "the derivative of the sigmoid, h (1 - h), instead of tanh′",
            "da[t] = V.T @ do[t] * (1 - h[t + 1] ** 2) + from_next": "the factor 1 - h² multiplies only one of the "
            "two terms of dh, and not what comes from t + 1",
        },
    ),
)
SUMS = (
    H0_DROPPED,
    *_changes(
        "dW = da.T @ h[:-1]",
        {
            "dW = da.T @ h[1:]": "the states in dW are off by one: h_t where h_{t-1} belongs",
            "dW = da.T @ np.roll(h[1:], 1, axis=0)": "the h₀ term of dW has the last state: "
            "h[t - 1] at t = 0 is h[-1], the end of the list",
            "dW = h[:-1].T @ da": "dW is transposed",
            "dW = (da / (1 - h[1:] ** 2)).T @ h[:-1]": "dh where da belongs, in dW",
        },
    ),
    *_changes(
        "np.add.at(dU.T, x, da)",
        {
            "dU.T[x] = da": "U's column is overwritten where a character repeats, not added to: the last one counts "
            "(`dU[:, x] += da.T` does this too)",
            "dU.T[x[::-1]] = da[::-1]": "U's column is overwritten where a character repeats, not added to: "
            "the first one counts",
            "np.add.at(dU.T, y, da)": "y where x belongs, in dU",
            "np.add.at(dU.T, x, da / (1 - h[1:] ** 2))": "dh where da belongs, in dU",
        },
    ),
    *_changes(
        "dV = do.T @ h[1:]",
        {
            "dV = do.T @ h[:-1]": "the states in dV are off by one: h_{t-1} where h_t belongs",
            "dV = do.T @ np.arctanh(h[1:])": "a where h belongs, in dV",
        },
    ),
    *_changes("db = da.sum(axis=0)", {"db = (da / (1 - h[1:] ** 2)).sum(axis=0)": "dh where da belongs, in db"}),
    *_changes(
        "dh0 = from_next",
        {"dh0 = dh": "dL/dh₁ where dL/dh₀ belongs: the last W.T is missing"},
    ),
)
LAST_LINES = {
    "W": "dW = da.T @ h[:-1]",
    "U": "np.add.at(dU.T, x, da)",
    "V": "dV = do.T @ h[1:]",
    "b": "db = da.sum(axis=0)",
    "c": "dc = do.sum(axis=0)",
}
OVERWRITTEN = {  # what the last turn of a loop backwards leaves
    "W": "dW = np.outer(da[0], h[0])",
    "U": "dU[:, x[0]] = da[0]",
    "V": "dV = np.outer(do[0], h[1])",
    "b": "db = da[0]",
    "c": "dc = do[0]",
}
ONE_ARRAY = (
    B_DROPPED,
    *(
        Mistake(f"the gradient of {name} is never computed", line, f"d{name} = np.zeros_like({name})")
        for name, line in LAST_LINES.items()
        if name not in "bc"
    ),
    Mistake("the gradient of c is never computed", LAST_LINES["c"], "dc = np.zeros(V.shape[0])"),
    *(
        Mistake(f"a mean where the sum belongs, in d{name} only", line, f"{line}\nd{name} = d{name} / T")
        for name, line in LAST_LINES.items()
    ),
    *(
        Mistake(f"the sign of d{name} is wrong", line, f"{line}\nd{name} = -d{name}")
        for name, line in LAST_LINES.items()
    ),
    *(
        Mistake(f"d{name} is overwritten at each character, not added to: = where += belongs", line, OVERWRITTEN[name])
        for name, line in LAST_LINES.items()
    ),
    Mistake(
        "dV is overwritten at each character of a loop forwards, not added to: = where += belongs",
        LAST_LINES["V"],
        "dV = np.outer(do[-1], h[-1])",
    ),
    Mistake(
        "dc is overwritten at each character of a loop forwards, not added to: = where += belongs",
        LAST_LINES["c"],
        "dc = do[-1]",
    ),
)
CLIPPED_BY_NORM = Mistake(
    "each gradient is scaled to a norm of 5 at most before the check, and not in the update",
    CLIPPED.right,
    "dW, dU, dV, db, dc = (g * min(1, 5 / np.linalg.norm(g)) for g in (dW, dU, dV, db, dc))\n" + CLIPPED.right,
)
BACKWARD = (*DO, *NEXT, *TANH, *SUMS, *ONE_ARRAY, CLIPPED, CLIPPED_BY_NORM)

FORWARD = (
    *_changes(
        "a = W @ h[t] + U[:, x[t]] + b",
        {
            "a = W @ h[0] + U[:, x[t]] + b": "the state is not carried from character to character: "
            "every step starts from h₀",
            "a = W.T @ h[t] + U[:, x[t]] + b": "W is transposed",
            "a = W @ h[t] + U[:, x[t]]": "b is forgotten",
            "a = W @ h[t] + b": "U x is forgotten",
            "a = U[:, x[t]] + b": "W h is forgotten",
        },
    ),
    *_changes("h[0] = h0", {"h[0] = 0": "h₀ is not carried in: the state starts from zero"}),
    *_changes(
        "h[t + 1] = np.tanh(a)",
        {
            "h[t + 1] = a": "tanh is forgotten",
            "h[t + 1] = 1 / (1 + np.exp(-a))": "the sigmoid where tanh belongs",
            "h[t + 1] = np.maximum(a, 0)": "ReLU where tanh belongs",
        },
    ),
    *_changes(
        "o = h[1:] @ V.T + c",
        {
            "o = h[:-1] @ V.T + c": "the prediction uses the previous state: h_{t-1} where h_t belongs, in o",
            "o = h[1:] @ V.T": "c is forgotten",
        },
    ),
    *_changes(
        "p = softmax(o)",
        {
            "p = softmax(o.T).T": "softmax over the wrong axis: over the characters of the sequence, "
            "not over the vocabulary",
            "p = softmax(o.ravel()).reshape(o.shape)": "softmax over all times at once, not separately at each time",
            "p = o": "softmax is forgotten",
            "p = np.log(softmax(o))": "the logarithm of the probabilities is returned",
        },
    ),
    *_changes(
        "return h, p",
        {
            "h = np.repeat(h[-1:], len(h), axis=0)\nreturn h, p": "all states are one array, the last: "
            "each step must keep a copy",
            "h[0] = 0\nreturn h, p": "the h₀ that is handed to backward is zero",
        },
    ),
)


def adagrad_step(theta, g, memory, n, learning_rate, clip):
    """Return theta after step n (from 1) of AdaGrad with a clipped gradient; `memory` is a dictionary."""
    squares = memory.get("squares", 0.0)
    clipped = np.clip(g, -clip, clip)
    squares = squares + clipped**2
    step = learning_rate * clipped / np.sqrt(squares + 1e-8)
    theta = theta - step
    memory["squares"] = squares
    return theta


def adam_step(theta, g, memory, n, learning_rate, clip):
    """Return theta after step n (from 1) of Adam with a clipped gradient; `memory` is a dictionary."""
    mean = memory.get("mean", 0.0)
    square = memory.get("square", 0.0)
    clipped = np.clip(g, -clip, clip)
    mean = 0.9 * mean + 0.1 * clipped
    square = 0.999 * square + 0.001 * clipped**2
    mean_hat = mean / (1 - 0.9**n)
    square_hat = square / (1 - 0.999**n)
    step = learning_rate * mean_hat / (np.sqrt(square_hat) + 1e-8)
    theta = theta - step
    memory["mean"], memory["square"] = mean, square
    return theta


CLIP = _changes(
    "clipped = np.clip(g, -clip, clip)",
    {
        "clipped = g": "the gradient is not clipped, or only after the update has used it",
        "clipped = g * min(1, clip / np.linalg.norm(g))": "the gradient is scaled by its norm; "
        "the assignment clips each component",
        "clipped = np.clip(g, 0, clip)": "the gradient is clipped to [0, clip], not to [-clip, clip]",
    },
) + _changes(
    "theta = theta - step",
    {
        "theta = theta + step": "the sign: the step is added",
    },
)
ADAGRAD = (
    *CLIP,
    *_changes(
        "squares = squares + clipped**2",
        {
            "squares = clipped**2": "the memory is not kept: only the last gradient's square counts",
            "squares = squares + g**2": "the gradient is clipped after the memory has seen it",
            "squares = 0.9 * squares + 0.1 * clipped**2": "a running mean of the squares (RMSProp); AdaGrad "
            "uses their sum",
            "squares = squares + np.abs(clipped)": "the square is missing in the memory",
            "squares = (n - 1) / n * squares + clipped**2 / n": "the mean of the squares; AdaGrad uses their sum",
        },
    ),
    *_changes(
        "step = learning_rate * clipped / np.sqrt(squares + 1e-8)",
        {
            "step = learning_rate * clipped / (np.sqrt(squares) + 1e-8)": "epsilon is outside the root",
            "step = learning_rate * clipped / np.sqrt(squares + 1e-10)": "epsilon is 1e-10, not 1e-8",
            "step = learning_rate * clipped / np.sqrt(squares + 1e-7)": "epsilon is 1e-7, not 1e-8",
            "step = learning_rate * clipped / np.sqrt(squares + 1e-6)": "epsilon is 1e-6, not 1e-8",
            "step = learning_rate * clipped / (squares + 1e-8)": "the square root is missing",
            "step = learning_rate * g / np.sqrt(squares + 1e-8)": "the memory uses the clipped gradient, "
            "but the step uses the gradient before clipping",
            "step = learning_rate * clipped / np.sqrt(memory.get('squares', 0.0) + 1e-8)": "the step is made "
            "before the memory has seen the gradient",
            "step = learning_rate * clipped": "this is gradient descent: the memory is not used",
        },
    ),
)
ADAM = (
    *CLIP,
    *_changes(
        "mean = 0.9 * mean + 0.1 * clipped",
        {
            "mean = 0.1 * mean + 0.9 * clipped": "0.9 and 0.1 are exchanged in the mean of the gradients",
            "mean = 0.9 * mean + clipped": "the factor 0.1 is missing in the mean of the gradients",
            "mean = 0.999 * mean + 0.001 * clipped": "the mean of the gradients decays with 0.999, not with 0.9",
            "mean = clipped": "the mean of the gradients is not kept",
        },
    ),
    *_changes(
        "square = 0.999 * square + 0.001 * clipped**2",
        {
            "square = 0.001 * square + 0.999 * clipped**2": "0.999 and 0.001 are exchanged in the mean of the squares",
            "square = 0.999 * square + clipped**2": "the factor 0.001 is missing in the mean of the squares",
            "square = 0.9 * square + 0.1 * clipped**2": "the mean of the squares decays with 0.9, not with 0.999",
            "square = 0.99 * square + 0.01 * clipped**2": "the mean of the squares decays with 0.99, not with 0.999",
            "square = clipped**2": "the mean of the squares is not kept",
            "square = 0.999 * square + 0.001 * mean**2": "the square of the mean instead of the mean of the squares",
            "square = square + clipped**2": "the sum of the squares (AdaGrad); Adam uses their mean",
        },
    ),
    *_changes(
        "mean_hat = mean / (1 - 0.9**n)",
        {
            "mean_hat = mean": "the bias correction of the mean of the gradients is missing",
            "mean_hat = mean / (1 - 0.9 ** (n + 1))": "the bias correction of the mean of the gradients has n + 1 "
            "for n: n is 1 at the first step",
            "mean_hat = mean / (1 - 0.9)": "the bias correction of the mean of the gradients lacks the power n",
            "mean_hat = mean = mean / (1 - 0.9**n)": "the corrected mean of the gradients is kept as memory: "
            "the memory must be the uncorrected mean",
        },
    ),
    *_changes(
        "square_hat = square / (1 - 0.999**n)",
        {
            "square_hat = square": "the bias correction of the mean of the squares is missing",
            "square_hat = square / (1 - 0.999 ** (n + 1))": "the bias correction of the mean of the squares has n + 1 "
            "for n: n is 1 at the first step",
            "square_hat = square / (1 - 0.999)": "the bias correction of the mean of the squares lacks the power n",
            "square_hat = square = square / (1 - 0.999**n)": "the corrected mean of the squares is kept as memory: "
            "the memory must be the uncorrected mean",
        },
    ),
    *_changes(
        "step = learning_rate * mean_hat / (np.sqrt(square_hat) + 1e-8)",
        {
            "step = learning_rate * mean_hat / np.sqrt(square_hat + 1e-8)": "epsilon is inside the root",
            "step = learning_rate * mean_hat / (square_hat + 1e-8)": "the square root is missing",
            "step = learning_rate * clipped / (np.sqrt(square_hat) + 1e-8)": "the gradient where its mean belongs "
            "(RMSProp)",
        },
    ),
)


def next_p(params, h, x, temperature, top_p):
    """Return the next state (m,) and the probabilities (K,) of the character after x, read in the state h."""
    W, U, V, b, c = params
    h = np.tanh(W @ h + U[:, x] + b)
    o = V @ h + c
    e = np.exp(o / temperature)
    p = e / e.sum()
    order = np.argsort(-p, kind="stable")
    n = np.searchsorted(np.cumsum(p[order]), top_p) + 1
    p[order[n:]] = 0
    p = p / p.sum()
    return h, p


def next_pair(params, h, x, temperature, top_p):
    """Return the probabilities (K, K) of the next two characters. `plant` can replace `next_p`, a global name."""
    K = len(params.c)
    both = np.zeros((K, K))
    h_1, p = next_p(params, h, x, temperature, top_p)
    for first in range(K):
        _, q = next_p(params, h_1, first, temperature, top_p)
        both[first] = p[first] * q
    return both


NEXT_P = (
    *_changes(
        "h = np.tanh(W @ h + U[:, x] + b)",
        {
            "pass": "the character is not read before the draw: the state is one character behind",
            "h = np.tanh(W @ np.tanh(W @ h + U[:, x] + b) + U[:, x] + b)": "each character is read twice",
            "h = np.tanh(U[:, x] + b)": "the state is not used: each character is drawn as if it were the first",
            "h = np.tanh(W @ h + b)": "the character is not used: U x is missing",
        },
    ),
    *_changes("o = V @ h + c", {"o = V @ h": "c is missing"}),
    *_changes(
        "e = np.exp(o / temperature)",
        {
            "e = np.exp(o)": "the temperature has no effect (p / temperature, rescaled to a sum of 1, is p again)",
            "e = np.exp(o * temperature)": "the scores are multiplied by the temperature, not divided by it",
            "e = np.exp(o / temperature**2)": "the temperature is used twice",
        },
    ),
    *_changes(
        "p = e / e.sum()",
        {
            "p = np.eye(len(o))[np.argmax(e)]": "the most probable character is always taken (greedy)",
            "p = np.ones(len(o)) / len(o)": "all characters are equally likely: p is not used in the draw",
            "p = np.roll(e / e.sum(), 1)": "off by one: the code after the right one is drawn",
            "p = np.roll(e / e.sum(), -1)": "off by one: the code before the right one is drawn",
        },
    ),
    *_changes(
        "n = np.searchsorted(np.cumsum(p[order]), top_p) + 1",
        {
            "n = len(p)": "top-p has no effect",
            "n = max(1, np.searchsorted(np.cumsum(p[order]), top_p))": "the nucleus lacks the character that "
            "reaches top-p",
            "n = np.searchsorted(np.cumsum(p[order]), top_p) + 2": "the nucleus has one character too many",
        },
    ),
    *_changes(
        'order = np.argsort(-p, kind="stable")',
        {'order = np.argsort(p, kind="stable")': "the nucleus begins with the least probable characters"},
    ),
)
NEXT_PAIR = _changes(
    "_, q = next_p(params, h_1, first, temperature, top_p)",
    {
        "_, q = next_p(params, h, first, temperature, top_p)": "the state is not fed back: h stays the first one",
        "_, q = next_p(params, h_1, x, temperature, top_p)": "the character is not fed back: x stays the first one",
        "q = p": "neither state nor character is fed back: all are drawn from the first distribution",
    },
) + _changes(
    "both[first] = p[first] * q",
    {"both[x] += p[first] * np.eye(K)[first]": "the text begins with the given character"},
)
SAMPLER = (*NEXT_P, *NEXT_PAIR)
