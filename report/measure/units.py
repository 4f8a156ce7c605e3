"""What single units know: how well a unit's state alone tells something about the text, and what it is worth."""

import numpy as np
import pandas as pd

from report.measure import places
from report.measure.memory import states
from report.measure.statistics import mean_where
from report.measure.words import has_words
from rnn.corpus import decode
from rnn.engine import kernel

SHIFTS = 40  # labels that mean nothing, to compare with
AT_LEAST = 20  # places with a label and as many without it, or it cannot be judged by


def labels(codes, vocabulary, marks):
    """Return {name: label (N,)} after each character of a text: of two values (bool), or numbers.

    `marks` are those of quotations; what a text does not have is left out.
    """
    of_text = {}
    if marks:
        of_text["in a quotation"] = places.in_quotation(codes, vocabulary, marks)
    if has_words(decode(codes, vocabulary)):
        word = places.in_word(codes, vocabulary)
        of_text |= {"in a word": word > 0, "length of the word": word}
    of_text["after a capital"] = places.kinds(codes, vocabulary) == "capital"
    if "\n" in vocabulary:
        of_text["place in the line"] = places.in_line(codes, vocabulary)
    return {name: label for name, label in of_text.items() if can_be_judged(label)}


def matters(codes, vocabulary, marks):
    """Return {label's name: where it should matter (N - 1,)} to the prediction of each character but the first."""
    kind, word = places.kinds(codes, vocabulary), places.in_word(codes, vocabulary)
    return {
        "in a word": word[:-1] > 0,
        "after a capital": kind[:-1] == "capital",
        "length of the word": (word[:-1] > 0) & (word[1:] == 0),
        "in a quotation": codes[1:] == vocabulary.find(marks[-1:]),
        "place in the line": kind[1:] == "break",
    }


def can_be_judged(label):
    """Whether a label has enough of two values or more."""
    return AT_LEAST <= np.count_nonzero(label) <= len(label) - AT_LEAST if label.dtype == bool else np.ptp(label) > 1


def auc(h, label):
    """Return for each unit, h (N, m), how well it tells a label (..., N) of two values: the AUC (..., m).

    It is the probability that the state at a random place with the label is above that at one without: a half is
    chance, 1 and 0 are perfect. Computed from ranks, as Mann and Whitney's U.
    """
    ranks = (pd.DataFrame(h).rank().to_numpy() - (len(h) + 1) / 2).astype(np.float32)
    n = label.sum(axis=-1, keepdims=True)
    return 0.5 + label.astype(np.float32) @ ranks / n / (len(h) - n)


def r_squared(h, label):
    """Return for each unit, h (N, m), the squared correlation (..., m) with a label (..., N) of numbers."""
    h, label = h - h.mean(axis=0), label - label.mean(axis=-1, keepdims=True).astype(np.float32)
    both = np.sqrt((h**2).sum(axis=0)) * np.sqrt((label**2).sum(axis=-1, keepdims=True))
    return (label @ h / np.maximum(both, 1e-12)) ** 2


def tell(h, label):
    """Return how well each unit tells a label, (..., m): the AUC, of the better direction, or R^2."""
    label = np.asarray(label)
    if label.dtype != bool:
        return r_squared(h, label)
    area = auc(h, label)
    return np.maximum(area, 1 - area)


def chosen(scores, on):
    """Return the scores (...,) on another text, `on` (..., m), of the unit that is best by `scores` (..., m)."""
    return np.take_along_axis(on, scores.argmax(axis=-1)[..., None], -1)[..., 0]


def shifted(label, n, rng):
    """Return a label (N,) n times, (n, N), shifted in a circle: its rhythm stays, its relation to the text does not."""
    tenth = len(label) // 10
    return np.array([np.roll(label, shift) for shift in rng.integers(tenth, len(label) - tenth, n)])


def last_character(x, label, others, K):
    """Return the mean of a label after the same character in the text x, for each of the codes `others`, (n, 1)."""
    n, total = np.bincount(x, minlength=K), np.bincount(x, label, K)
    return np.where(n > 0, total / np.maximum(n, 1), label.mean())[others][:, None]


def least_squares(h, label, others):
    """Return what all units together make of a label, by least squares on h (N, m), for each of `others`, (n, 1)."""
    weights, *_ = np.linalg.lstsq(h - h.mean(axis=0), label - label.mean(), rcond=1e-6)
    return others @ weights[:, None]


def held(params, unit, value):
    """Return the `Params` of the same network with one unit held at `value`, between -1 and 1, whatever is read."""
    W, U, b = params.W.copy(), params.U.copy(), params.b.copy()
    W[unit], U[unit], b[unit] = 0, 0, np.arctanh(np.clip(value, -0.999999, 0.999999))
    return params._replace(W=W, U=U, b=b)


def table(run, codes, to_choose, to_score, vocabulary):
    """Return a DataFrame with a row for each label, of the unit of a `Run` that tells it best.

    The unit is chosen on codes[to_choose] and scored on codes[to_score]. Columns: the unit; its score and what the
    score is; what the choice reaches in one of 20 tries with labels that were shifted in a circle; the last character
    alone; all units together; and the `Estimate` of the bits that holding the unit at its mean costs, where the label
    matters and elsewhere. Empty for a text without labels.
    """
    state = run.state()
    marks = places.quotation_marks(codes, vocabulary)
    rng = np.random.default_rng(0)
    x = codes[to_choose]
    x_scored = codes[to_score]
    h = states(state.params, x, state.h[-1])[1:]
    h_scored = states(state.params, x_scored, state.h[-1])[1:]
    chosen_by = labels(x, vocabulary, marks)
    scored_by = labels(x_scored, vocabulary, marks)
    where = matters(x_scored, vocabulary, marks)
    plain = kernel.evaluate(state.params, state.h[-1], x_scored)
    rows = {}
    for name in [name for name in chosen_by if name in scored_by]:
        label = chosen_by[name]
        scored = scored_by[name]
        told = tell(h, [label, *shifted(label, SHIFTS, rng)])
        told_scored = tell(h_scored, [scored, *shifted(scored, SHIFTS, rng)])
        unit = told[0].argmax()
        fixed = held(state.params, unit, h[:, unit].mean())
        cost = (kernel.evaluate(fixed, state.h[-1], x_scored) - plain) / np.log(2)
        rows[name] = {
            "unit": unit,
            "by": "AUC" if label.dtype == bool else "R²",
            "score": told_scored[0, unit],
            "shifted labels": np.quantile(chosen(told[1:], told_scored[1:]), 0.95),
            "last character": tell(last_character(x, label, x_scored, len(vocabulary)), scored)[0],
            "all units": tell(least_squares(h, label, h_scored), scored)[0],
            "held: here": mean_where(cost, where[name]),
            "elsewhere": mean_where(cost, ~where[name]),
        }
    return pd.DataFrame.from_dict(rows, "index").rename_axis("label")


def best_two(units):
    """Return {label: unit} of the two rows of a `table` with the highest scores; fewer where there are fewer."""
    if units.empty:
        return {}
    return units["unit"][units["score"].astype(float).nlargest(2).index].astype(int).to_dict()


def passage(run, codes, part, vocabulary, units, length):
    """Return a text of about `length` characters from codes[part] and {label: states (N,)} of its {label: unit}.

    It begins shortly before the first quotation. The states are positive towards the label.
    """
    x, marks, state = codes[part], places.quotation_marks(codes, vocabulary), run.state()
    inside = np.flatnonzero(places.in_quotation(x, vocabulary, marks)) if marks else []
    begin = max(0, inside[0] - 30) if len(inside) else 0
    shown, h, of_labels = slice(begin, begin + length), states(state.params, x, state.h[-1])[1:], {}
    for label, values in labels(x, vocabulary, marks).items():
        if label in units:
            of_unit = h[:, units[label]]
            towards = np.sign(((of_unit - of_unit.mean()) * (values - values.mean())).sum())
            of_labels[f"unit {units[label]}: {label}"] = towards * of_unit[shown]
    return decode(x[shown], vocabulary), of_labels
