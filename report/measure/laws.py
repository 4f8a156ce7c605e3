"""Laws that texts in natural languages keep: Zipf's, Heaps' and Taylor's."""

import numpy as np

from report.measure.words import has_words, words


def tokens(text):
    """Return the words of a text in lower case, in order; its letters where spaces do not tell its words apart."""
    return np.array([word.lower() for word in words(text)] if has_words(text) else list(filter(str.isalpha, text)))


def zipf(of_text):
    """Return how often the words of a text occur, the most frequent first (kinds,)."""
    return np.sort(np.unique(of_text, return_counts=True)[1])[::-1]


def heaps(of_text):
    """Return how many different words (N,) the first n words of a text have, n from 1."""
    new = np.zeros(len(of_text), int)
    new[np.unique(of_text, return_index=True)[1]] = 1
    return new.cumsum()


def taylor(of_text, window):
    """Return the means and the standard deviations (kinds,) of each word's counts in stretches of `window` words."""
    kinds, codes = np.unique(of_text, return_inverse=True)
    n = len(codes) // window
    counts = np.zeros((n, len(kinds)), np.int32)
    np.add.at(counts, (np.repeat(np.arange(n), window), codes[: n * window]), 1)
    counts = counts[:, counts.sum(axis=0) > 0]
    return counts.mean(axis=0), counts.std(axis=0)


def exponent(x, y):
    """Return the slope of log y against log x by least squares, where both are above 0; NaN of fewer than two x."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    x, y = np.log(x[(x > 0) & (y > 0)]), np.log(y[(x > 0) & (y > 0)])
    return float(np.polyfit(x, y, 1)[0]) if len(np.unique(x)) > 1 else np.nan
