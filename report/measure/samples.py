"""Texts drawn from a run, and what they are like: how many words are the book's, how many new ones are English."""

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
from rnn.sampling import read

LONGEST = 18  # letters: a longer run of them is hardly a word
RECENT = 20_000_000  # characters at the end of the training part in which copied strings are looked for, at most


def carried(run, text, step=None):
    """Return the state h (m,) that training carries after `step`, and the code x of the character of `text` after it.

    `text` is the `Corpus` that the run was trained on. From there the original report draws its samples too. Before the
    first step the state is zero and x the first character. Raises ValueError for another text, RunError if the step has
    no snapshot.
    """
    if run.directory.parent.name != text.id:
        raise ValueError(f"{run.directory} was trained on another text than {text.id}")
    state = run.state(step)
    if state.step == 0:
        return np.zeros_like(state.params.b), int(text.codes[0])
    last = plan(run.config, len(text.codes), state.step - 1, 1)
    return state.h[-1], int(text.codes[last.starts[0, -1] + last.lengths[0]])


def primed(run, text, prime, step=None):
    """Return the state h (m,) and the code x from which the network goes on after the string `prime`.

    The network reads it from the state that training carries, so it has read enough of the book before. Raises
    ValueError for an empty string and for characters that are not in the vocabulary.
    """
    if not prime:
        raise ValueError("the priming text must have at least one character")
    codes, (h, _) = encode(prime, text.vocabulary), carried(run, text, step)
    return (read(run.params(step), codes[:-1], h) if len(codes) > 1 else h), int(codes[-1])


def draw(run, text, length, n, step=None, sample=sampling.sample, seed=0, **settings):
    """Return n texts (codes) of `length` characters from the state that training carries after `step`.

    Each has a random stream of its own, which `seed`, the step and the text's number decide. `sample` draws them, with
    the `settings`; a notebook hands over its own.
    """
    step = run.last_step if step is None else step
    params, (h, x) = run.params(step), carried(run, text, step)
    streams = [np.random.default_rng([seed, step, number]) for number in range(n)]
    return [sample(params, h, x, length, rng, **settings) for rng in streams]


def distributions(o, ways, next_distribution=sampling.next_distribution):
    """Return a DataFrame of what the scores o (K,) become in each way to draw, {label: settings}: a row for each."""
    rows = [next_distribution(o, **settings) for settings in ways.values()]
    return pd.DataFrame(rows, index=list(ways)).rename_axis("drawn")


def count_words(texts, text):
    """Return a DataFrame with a row for each of {label: codes}: how many words, different ones and known ones.

    The share of those that are words of the `Corpus` `text` is an `Estimate`, as if words were independent.
    """
    book, rows = {word.lower() for word in words(text.excerpt)}, {}
    for label, codes in texts.items():
        drawn = decode(codes, text.vocabulary)
        in_lower_case = [word.lower() for word in words(drawn)]
        rows[label] = [len(in_lower_case), len(set(in_lower_case)), share_of_words(drawn, book)]
    columns = ["words", "different ones", "words of the book"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("drawn")


def starts(run, text, steps, n=20, length=200, sample=sampling.sample, seed=0):
    """Return a DataFrame with a row for each of the `steps`: what starting from a state of zero does.

    First the share of n samples of `length` characters with a run of more than `LONGEST` letters, as `Estimate`s: drawn
    from zero after the first 100 characters of the text, and from the state that training carries. Then how many bits
    per character it costs to read on from zero, see `cost_of_zero`: at the text's own beginning, and at n other places,
    the mean.
    """
    rows, places = {}, np.linspace(0, len(text.codes), n + 2).astype(int)[1:-1]
    for step in steps:
        params, start = run.params(step), text.codes[:100]
        streams = [np.random.default_rng([seed, step, number]) for number in range(n)]
        from_zero = [sample(params, read(params, start[:-1]), start[-1], length, rng) for rng in streams]
        from_carried = draw(run, text, length, n, step, sample, seed + 1)
        costs = [cost_of_zero(params, carried(run, text, step)[0], text.codes, at) for at in [0, *places]]
        rows[step] = [_long_runs(from_zero, text), _long_runs(from_carried, text), costs[0], interval(costs[1:])]
    columns = ["long runs, from zero", "from the carried state", "cost at the beginning", "cost elsewhere"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("step")


def _long_runs(drawn, text):
    hits = [re.search(rf"[^\W\d_]{{{LONGEST + 1},}}", decode(codes, text.vocabulary)) for codes in drawn]
    return proportion(sum(hit is not None for hit in hits), len(hits))


def cost_of_zero(params, h, codes, at, after=100, over=200):
    """Return the bits per character that a state of zero costs compared with the state h, both before codes[at].

    They are those of the `over` characters that follow the first `after`. NaN where the text ends before.
    """
    x, y = codes[at : at + after + over], codes[at + 1 : at + after + over + 1]
    if len(y) < after + over:
        return np.nan
    predictions = [forward(params, x, state)[1] for state in (np.zeros_like(h), h)]
    begun, carried_on = (cross_entropy(p[after:], y[after:]) for p in predictions)
    return (begun - carried_on) / over / np.log(2)


def spread(steps, n):
    """Return at most n of the ascending `steps`, the first and the last among them, at equal distances."""
    return [steps[i] for i in np.unique(np.linspace(0, len(steps) - 1, n).round().astype(int))]


def measure(drawn, text):
    """Return a DataFrame with a row for each of {label: samples (codes)} and an `Estimate` for each measure.

    `text` is the `Corpus` of the training part. The new words are measured if most of the text's are on the word list.
    """
    together = [codes for samples in drawn.values() for codes in samples]
    copied = iter(copied_lengths(together, text.codes[-RECENT:], text.K))
    book, english = {word.lower() for word in counted_words(text.excerpt)}, english_words()
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
