"""Texts drawn from a run, and what they are like: how many words are the book's, how many new ones are English."""

import numpy as np
import pandas as pd

from report.measure.statistics import interval
from report.measure.strings import copied_lengths
from report.measure.words import counted_words, english_words
from rnn import sampling
from rnn.corpus import decode, encode
from rnn.engine.training import plan
from rnn.sampling import GREEDY, read

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


def by_heart(run, text, sample=sampling.sample):
    """Return the first character of a string and what the network of a `Run` goes on with, always the most probable."""
    params, x = run.params(), encode(text[0], run.vocabulary)[0]
    codes = sample(params, np.zeros_like(params.b), x, len(text) - 1, np.random.default_rng(0), temperature=GREEDY)
    return text[0] + decode(codes, run.vocabulary)


def spread(steps, n):
    """Return at most n of the ascending `steps`, the first and the last among them, at equal distances."""
    return [steps[i] for i in np.unique(np.linspace(0, len(steps) - 1, n).round().astype(int))]


def measure(samples, text):
    """Return a DataFrame with a row for each of {label: samples (codes)} and an `Estimate` for each measure.

    `text` is the `Corpus` of the training part. The new words are measured if most of the text's are on the word list.
    """
    of_all = [codes for of_label in samples.values() for codes in of_label]
    copied = iter(copied_lengths(of_all, text.codes[-RECENT:], text.K))
    book, english = {word.lower() for word in counted_words(text.excerpt)}, english_words()
    in_english = bool(book) and len(book & english) > len(book) / 2
    rows = {}
    for label, of_label in samples.items():
        each = [_measure_one(decode(codes, text.vocabulary), next(copied), book, english) for codes in of_label]
        rows[label] = pd.DataFrame(each).apply(interval)
    columns = ["words of the book", *["new words, English"] * in_english, "longest copy", "new 8-grams"]
    frame = pd.DataFrame(list(rows.values()), columns=columns)
    frame.index = pd.MultiIndex.from_tuples(rows) if isinstance(next(iter(rows)), tuple) else list(rows)
    return frame


def _measure_one(text, copied, book, english):
    words = counted_words(text)
    new = [word for word in words if word not in book]
    return {
        "words of the book": 1 - len(new) / len(words) if words else np.nan,
        "new words, English": sum(word in english for word in new) / len(new) if new else np.nan,
        "longest copy": copied.max(),
        "new 8-grams": (copied[:-7] < 8).mean(),
    }
