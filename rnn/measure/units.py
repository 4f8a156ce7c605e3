"""What single units know: how well a unit's state alone tells something about the text, and what it is worth."""

import numpy as np
from scipy.stats import rankdata

from rnn.corpus import decode
from rnn.measure import places
from rnn.measure.words import has_words

AT_LEAST = 20  # places with a label and as many without it, or it cannot be judged by


def labels(codes, vocabulary, marks):
    """Return {name: label (N,)} after each character of a text: of two values (bool), or numbers.

    `marks` are those of quotations; what a text does not have is left out.
    """
    of_text = {"after a capital": places.kinds(codes, vocabulary) == "capital"}
    if has_words(decode(codes, vocabulary)):
        word = places.in_word(codes, vocabulary)
        of_text |= {"inside a word": word > 0, "length of the word so far": word}
    if marks:
        of_text["inside quotation marks"] = places.in_quotation(codes, vocabulary, marks)
    if "\n" in vocabulary:
        of_text["place in the line"] = places.in_line(codes, vocabulary)
    return {name: label for name, label in of_text.items() if can_be_judged(label)}


def can_be_judged(label):
    """Whether a label has enough of two values or more."""
    return AT_LEAST <= np.count_nonzero(label) <= len(label) - AT_LEAST if label.dtype == bool else np.ptp(label) > 1


def auc(h, label):
    """Return for each unit, h (N, m), how well it tells a label (..., N) of two values: the area (..., m) under the ROC.

    It is the probability that the state at a random place with the label is above that at one without: a half is
    chance, 1 and 0 are perfect (Mann and Whitney).
    """
    label = np.asarray(label)
    ranks = rankdata(h, axis=0).astype(np.float32) / len(h)
    n = label.sum(axis=-1, keepdims=True).astype(float)
    mean_rank = label.astype(np.float32) @ (ranks - 0.5) / n + 0.5
    return 0.5 + (mean_rank - 0.5 - 0.5 / len(h)) / (1 - n / len(h))


def r_squared(h, label):
    """Return for each unit, h (N, m), the squared correlation (..., m) of its state with a label (..., N) of numbers."""
    h, label = (x - x.mean(axis=axis, keepdims=True) for x, axis in ((h, 0), (np.asarray(label, np.float32), -1)))
    both = np.sqrt((h**2).sum(axis=0)) * np.sqrt((label**2).sum(axis=-1, keepdims=True))
    return (label @ h / np.maximum(both, 1e-12)) ** 2


def tell(h, label):
    """Return how well each unit tells a label, (..., m): the AUC, of the better direction, or R^2."""
    if label.dtype != bool:
        return r_squared(h, label)
    area = auc(h, label)
    return np.maximum(area, 1 - area)


def chosen(scores, on):
    """Return the scores (...,) on another text, `on` (..., m), of the unit that is best by `scores` (..., m)."""
    return np.take_along_axis(on, scores.argmax(axis=-1)[..., None], -1)[..., 0]


def shifted(label, shifts):
    """Return a label (N,) shifted in a circle, (n, N): it has its own rhythm still, and no relation to the text."""
    return np.array([np.roll(label, shift) for shift in shifts])


def held(params, unit, value):
    """Return the `Params` of the same network with one unit held at `value`, between -1 and 1, whatever is read."""
    W, U, V, b, c = (theta.copy() for theta in params)
    W[unit], U[unit], b[unit] = 0, 0, np.arctanh(np.clip(value, -0.999999, 0.999999))
    return params._replace(W=W, U=U, b=b)
