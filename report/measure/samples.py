"""What drawn texts are like: how many words are the book's, how well they make words up, what they copy."""

import numpy as np
import pandas as pd

from report.measure.statistics import interval
from report.measure.strings import copied_lengths
from report.measure.words import counted_words, english_words
from rnn.corpus import decode, encode
from rnn.sampling import GREEDY, sample, sample_text

RECENT = 20_000_000  # characters at the end of the training part in which copied strings are looked for, at most


def draw(run, corpus, length, n, step=None, **settings):
    """Return n samples (codes) of `length` characters, with a seed each, after the first characters of the text."""
    params, prime = run.params(step), encode(corpus.start, corpus.vocabulary)
    return [sample(params, prime, length, np.random.default_rng(seed), **settings) for seed in range(n)]


def by_heart(run, text):
    """Return the first character of a text and what the network of a `Run` goes on with, always the most probable."""
    return text[0] + sample_text(run.params(), run.vocabulary, text[0], len(text) - 1, seed=0, temperature=GREEDY)


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
