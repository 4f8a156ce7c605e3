"""What single units know: how well a unit's state predicts a label of the text, and what the unit is worth."""

import numpy as np
import pandas as pd

from report.measure import places
from report.measure.memory import states
from report.measure.statistics import mean_where
from report.measure.words import has_words
from rnn.corpus import decode
from rnn.engine import kernel

SHIFTS = 40  # the number of shifted labels, which mean nothing, to compare with
AT_LEAST = 20  # a label needs so many places where it is true, and so many where it is false


def labels(codes, vocabulary, marks):
    """Return {name: label (N,)} for each character of a text. A label is true or false (bool), or a number.

    `marks` are the quotation marks. Labels that a text does not have are left out.
    """
    candidates = {}
    if marks:
        candidates["in a quotation"] = places.in_quotation(codes, vocabulary, marks)
    if has_words(decode(codes, vocabulary)):
        word = places.in_word(codes, vocabulary)
        candidates |= {"in a word": word > 0, "length of the word": word}
    candidates["after a capital"] = places.kinds(codes, vocabulary) == "capital"
    if "\n" in vocabulary:
        candidates["place in the line"] = places.in_line(codes, vocabulary)
    return {name: label for name, label in candidates.items() if can_be_judged(label)}


def matters(codes, vocabulary, marks):
    """Return {label's name: mask (N - 1,)} of the places where a label should help to predict the next character.

    A label that is not in it matters where it is not zero.
    """
    kind = places.kinds(codes, vocabulary)
    word = places.in_word(codes, vocabulary)
    return {
        "in a word": word[:-1] > 0,
        "after a capital": kind[:-1] == "capital",
        "length of the word": (word[:-1] > 0) & (word[1:] == 0),
        "in a quotation": codes[1:] == vocabulary.find(marks[-1:]),
        "place in the line": kind[1:] == "break",
    }


def can_be_judged(label):
    """Whether a label has enough places with different values."""
    return AT_LEAST <= np.count_nonzero(label) <= len(label) - AT_LEAST if label.dtype == bool else np.ptp(label) > 1


def auc(h, label):
    """Return the AUC (..., m) with which each unit's states h (N, m) predict a label (..., N) that is true or false.

    The AUC is the probability that the state is larger at a random true place than at a random false one: 0.5 is
    chance, 1 and 0 are perfect. It is computed from ranks, like Mann and Whitney's U.
    """
    ranks = (pd.DataFrame(h).rank().to_numpy() - (len(h) + 1) / 2).astype(np.float32)
    n = label.sum(axis=-1, keepdims=True)
    return 0.5 + label.astype(np.float32) @ ranks / n / (len(h) - n)


def r_squared(h, label):
    """Return the squared correlation (..., m) of each unit's states h (N, m) with a label (..., N) of numbers."""
    h = h - h.mean(axis=0)
    label = label - label.mean(axis=-1, keepdims=True).astype(np.float32)
    norms = np.sqrt((h**2).sum(axis=0)) * np.sqrt((label**2).sum(axis=-1, keepdims=True))
    return (label @ h / np.maximum(norms, 1e-12)) ** 2


def tell(h, label):
    """Return how well each unit's states h (N, m) predict a label (..., N): the AUC with the better sign, or R^2."""
    label = np.asarray(label)
    if label.dtype != bool:
        return r_squared(h, label)
    area = auc(h, label)
    return np.maximum(area, 1 - area)


def chosen(scores, on):
    """Return the scores (...,) in `on` (..., m), from a second text, of the unit that is best in `scores` (..., m)."""
    return np.take_along_axis(on, scores.argmax(axis=-1)[..., None], -1)[..., 0]


def shifted(label, n, rng):
    """Return n copies (n, N) of a label (N,), each shifted in a circle. They keep its rhythm but not its meaning."""
    tenth = len(label) // 10
    return np.array([np.roll(label, shift) for shift in rng.integers(tenth, len(label) - tenth, n)])


def last_character(x, label, new_x, K):
    """Return the prediction (n, 1) of a label for the codes `new_x` (n,) from the last character alone.

    It is the mean of the label (N,) over the places in the text x (N,) with the same character.
    """
    n = np.bincount(x, minlength=K)
    total = np.bincount(x, label, K)
    return np.where(n > 0, total / np.maximum(n, 1), label.mean())[new_x][:, None]


def least_squares(h, label, new_h):
    """Return the prediction (n, 1) of a label for the states `new_h` (n, m), fitted by least squares to h (N, m)."""
    weights, *_ = np.linalg.lstsq(h - h.mean(axis=0), label - label.mean(), rcond=1e-6)
    return new_h @ weights[:, None]


def with_fixed_unit(params, unit, value):
    """Return the `Params` of the same network with one unit fixed at `value`, between -1 and 1."""
    W = params.W.copy()
    U = params.U.copy()
    b = params.b.copy()
    W[unit] = 0
    U[unit] = 0
    b[unit] = np.arctanh(np.clip(value, -0.999999, 0.999999))
    return params._replace(W=W, U=U, b=b)


def table(run, codes, to_choose, to_score, vocabulary):
    """Return a DataFrame with a row for each label and the unit of a `Run` that predicts it best.

    The unit is chosen on codes[to_choose] and scored on codes[to_score]. Columns: the unit; its score and the kind of
    score; the score that one in 20 shifted labels reaches; that of the last character alone; that of all units
    together; and the `Estimate` of the bits that it costs to fix the unit at its mean, where the label matters and
    elsewhere. The table is empty if the text has no labels.
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
        scores_to_choose = tell(h, [label, *shifted(label, SHIFTS, rng)])
        test_scores = tell(h_scored, [scored, *shifted(scored, SHIFTS, rng)])
        unit = scores_to_choose[0].argmax()
        fixed = with_fixed_unit(state.params, unit, h[:, unit].mean())
        here = where.get(name, scored[:-1] != 0)
        cost = (kernel.evaluate(fixed, state.h[-1], x_scored) - plain) / np.log(2)
        rows[name] = {
            "unit": unit,
            "by": "AUC" if label.dtype == bool else "R²",
            "score": test_scores[0, unit],
            "shifted labels": np.quantile(chosen(scores_to_choose[1:], test_scores[1:]), 0.95),
            "last character": tell(last_character(x, label, x_scored, len(vocabulary)), scored)[0],
            "all units": tell(least_squares(h, label, h_scored), scored)[0],
            "fixed: here": mean_where(cost, here),
            "elsewhere": mean_where(cost, ~here),
        }
    return pd.DataFrame.from_dict(rows, "index").rename_axis("label")


def best_two(units):
    """Return {label: unit} for the two rows of a `table` with the highest scores, or for all if there are fewer."""
    if units.empty:
        return {}
    return units["unit"][units["score"].astype(float).nlargest(2).index].astype(int).to_dict()


def passage(run, codes, part, vocabulary, units, length):
    """Return (text, {label: states (N,)}): a passage from codes[part] and the states of `units` {label: unit} in it.

    The passage has about `length` characters and begins shortly before the first quotation. The sign of the states is
    chosen so that positive states point to the label.
    """
    x = codes[part]
    marks = places.quotation_marks(codes, vocabulary)
    state = run.state()
    inside = np.flatnonzero(places.in_quotation(x, vocabulary, marks)) if marks else []
    begin = max(0, inside[0] - 30) if len(inside) else 0
    shown = slice(begin, begin + length)
    h = states(state.params, x, state.h[-1])[1:]
    states_by_label = {}
    for label, values in labels(x, vocabulary, marks).items():
        if label in units:
            unit_states = h[:, units[label]]
            towards = np.sign(((unit_states - unit_states.mean()) * (values - values.mean())).sum())
            states_by_label[f"unit {units[label]}: {label}"] = towards * unit_states[shown]
    return decode(x[shown], vocabulary), states_by_label
