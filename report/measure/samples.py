"""Texts drawn from a run, and measures of them: the share of words in the book, the share of new words in English."""

import re

import numpy as np
import pandas as pd

from report.measure.statistics import interval, proportion
from report.measure.strings import copied_lengths
from report.measure.words import counted_words, english_words, share_of_words, words
from rnn import sampling
from rnn.corpus import decode, encode
from rnn.engine.training import plan
from rnn.model import cross_entropy, forward
from rnn.sampling import state_after

LONGEST = 18  # letters: a longer run of letters is hardly a word
RECENT = 20_000_000  # characters: in a longer training part, copies are searched only in so many at its end


def carried(run, text, step=None):
    """Return (h, x): the state (m,) that training carries after `step`, and the code of the next character of `text`.

    `text` is the `Corpus` that the run was trained on. The original report draws its samples from there too. Before the
    first step the state is zero and x is the first character. Raises ValueError for another text, and RunError if there
    is no snapshot of the step.
    """
    if run.directory.parent.name != text.id:
        raise ValueError(f"{run.directory} was not trained on {text.id}: give the text that it was trained on")
    state = run.state(step)
    if state.step == 0:
        return np.zeros_like(state.params.b), int(text.codes[0])
    last = plan(run.config, len(text.codes), state.step - 1, 1)
    return state.h[-1], int(text.codes[last.starts[0, -1] + last.lengths[0]])


def primed(run, text, prime, step=None):
    """Return (h, x): the state (m,) and the code from which the network continues the string `prime`.

    The network reads `prime` from the state that training carries, as if the book continued with it. Raises ValueError
    if it is empty, or has characters that are not in the vocabulary.
    """
    if not prime:
        raise ValueError("the priming text must have at least one character")
    codes = encode(prime, text.vocabulary)
    h, _ = carried(run, text, step)
    if len(codes) > 1:
        h = state_after(run.params(step), codes[:-1], h)
    return h, int(codes[-1])


def draw(run, text, length, n, step=None, sample=sampling.sample, seed=0, **settings):
    """Return a list of n texts (codes) of `length` characters, from the state that training carries after `step`.

    Each text has its own random numbers, which follow from `seed`, the step and the text's number. `sample` draws the
    texts, with `settings`; a notebook can pass its own function.
    """
    step = run.last_step if step is None else step
    params = run.params(step)
    h, x = carried(run, text, step)
    streams = [np.random.default_rng([seed, step, number]) for number in range(n)]
    return [sample(params, h, x, length, rng, **settings) for rng in streams]


def distributions(o, ways, next_distribution=sampling.next_distribution):
    """Return a DataFrame of the probabilities of scores o (K,), with a row for each way to draw {label: settings}."""
    rows = [next_distribution(o, **settings) for settings in ways.values()]
    return pd.DataFrame(rows, index=list(ways)).rename_axis("drawn")


def count_words(texts, text):
    """Return a DataFrame with a row for each of {label: codes}: the words, the different words, and those of the book.

    The share of words that are in the `Corpus` `text` is an `Estimate`, as if words were independent.
    """
    book = {word.lower() for word in words(text.excerpt)}
    rows = {}
    for label, codes in texts.items():
        drawn = decode(codes, text.vocabulary)
        in_lower_case = [word.lower() for word in words(drawn)]
        rows[label] = [len(in_lower_case), len(set(in_lower_case)), share_of_words(drawn, book)]
    columns = ["words", "different ones", "words of the book"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("drawn")


def starts(run, text, steps, n=20, length=200, sample=sampling.sample, seed=0):
    """Return a DataFrame with a row for each of the `steps`: the effect of starting from a state of zero.

    The first two columns are `Estimate`s of the share of n samples of `length` characters that have a run of more than
    `LONGEST` letters. They start from zero, after the first 100 characters of the text, or from the state that training
    carries. The last two columns are the `cost_of_zero`, at the beginning of the text, and as a mean over n other
    places.
    """
    rows = {}
    places = np.linspace(0, len(text.codes), n + 2).astype(int)[1:-1]
    start = text.codes[:100]
    for step in steps:
        params = run.params(step)
        streams = [np.random.default_rng([seed, step, number]) for number in range(n)]
        from_zero = [sample(params, state_after(params, start[:-1]), start[-1], length, rng) for rng in streams]
        from_carried = draw(run, text, length, n, step, sample, seed + 1)
        costs = [cost_of_zero(params, carried(run, text, step)[0], text.codes, at) for at in [0, *places]]
        rows[step] = [_long_runs(from_zero, text), _long_runs(from_carried, text), costs[0], interval(costs[1:])]
    columns = ["long runs, from zero", "from the carried state", "cost at the beginning", "cost elsewhere"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("step")


def _long_runs(drawn, text):
    hits = [re.search(rf"[^\W\d_]{{{LONGEST + 1},}}", decode(codes, text.vocabulary)) for codes in drawn]
    return proportion(sum(hit is not None for hit in hits), len(hits))


def cost_of_zero(params, h, codes, at, after=100, over=200):
    """Return the bits per character that a state of zero before codes[at] costs, compared with the state h (m,).

    The network reads `after` characters and is scored on the next `over`. NaN if the text ends before that.
    """
    x = codes[at : at + after + over]
    y = codes[at + 1 : at + after + over + 1]
    if len(y) < after + over:
        return np.nan
    predictions = [forward(params, x, state)[1] for state in (np.zeros_like(h), h)]
    begun, carried_on = (cross_entropy(p[after:], y[after:]) for p in predictions)
    return (begun - carried_on) / over / np.log(2)


def spread(steps, n):
    """Return at most n of the ascending `steps`, at equal distances, with the first and the last."""
    return [steps[i] for i in np.unique(np.linspace(0, len(steps) - 1, n).round().astype(int))]


def measure(drawn, text):
    """Return a DataFrame with a row for each of {label: list of samples (codes)} and an `Estimate` for each measure.

    `text` is the `Corpus` of the training part. New words are only measured if most words of the text are on the
    English word list.
    """
    together = [codes for samples in drawn.values() for codes in samples]
    copied = iter(copied_lengths(together, text.codes[-RECENT:], text.K))
    book = {word.lower() for word in counted_words(text.excerpt)}
    english = english_words()
    in_english = bool(book) and len(book & english) > len(book) / 2
    rows = []
    for samples in drawn.values():
        measured = [_measure_one(decode(codes, text.vocabulary), next(copied), book, english) for codes in samples]
        rows.append(pd.DataFrame(measured).apply(interval))
    columns = ["words of the book", *["new words, English"] * in_english, "longest copy", "new 8-grams"]
    index = pd.MultiIndex.from_tuples(drawn) if isinstance(next(iter(drawn)), tuple) else list(drawn)
    return pd.DataFrame(rows)[columns].set_axis(index)


def _measure_one(text, copied, book, english):
    counted = counted_words(text)
    new = [word for word in counted if word not in book]
    return {
        "words of the book": 1 - len(new) / len(counted) if counted else np.nan,
        "new words, English": sum(word in english for word in new) / len(new) if new else np.nan,
        "longest copy": copied.max(),
        "new 8-grams": (copied[:-7] < 8).mean(),
    }
