"""Laws that texts in natural languages keep: Zipf's, Heaps' and Taylor's."""

import numpy as np
import pandas as pd

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
    """Return the means and the standard deviations (kinds,) of each word's counts in stretches of `window` words.

    Empty for fewer words than a stretch has.
    """
    kinds, codes = np.unique(of_text, return_inverse=True)
    n = len(codes) // window
    if n == 0:
        return np.empty(0), np.empty(0)
    counts = np.zeros((n, len(kinds)), np.int32)
    np.add.at(counts, (np.repeat(np.arange(n), window), codes[: n * window]), 1)
    counts = counts[:, counts.sum(axis=0) > 0]
    return counts.mean(axis=0), counts.std(axis=0)


def exponent(x, y):
    """Return the slope of log y against log x by least squares, where both are above 0; NaN of fewer than two x."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    x, y = np.log(x[(x > 0) & (y > 0)]), np.log(y[(x > 0) & (y > 0)])
    return float(np.polyfit(x, y, 1)[0]) if len(np.unique(x)) > 1 else np.nan


def shuffled(text, rng):
    """Return the `tokens` of a text in random order, as a text in which they are words of their own."""
    return " ".join(rng.permutation(tokens(text)))


def curves(texts, longest_window=1_000):
    """Return the curves of the three laws, of equally many words of each text: {law: {label: curve}}.

    `texts` are {label: text}. A stretch of Taylor's law has a fiftieth of the words, `longest_window` at most.
    """
    of_texts = {label: tokens(text) for label, text in texts.items()}
    n = min(map(len, of_texts.values()))
    of_texts = {label: words[:n] for label, words in of_texts.items()}
    window = max(1, min(longest_window, n // 50))
    return {
        "Zipf": {label: zipf(words) for label, words in of_texts.items()},
        "Heaps": {label: heaps(words) for label, words in of_texts.items()},
        "Taylor": {label: taylor(words, window) for label, words in of_texts.items()},
    }


def table(of_laws):
    """Return the exponents of `curves`: a DataFrame with a row for each text.

    Zipf's is that of the first 1,000 ranks, Heaps' leaves out the first hundredth of the words.
    """
    rows = []
    for label, counts in of_laws["Zipf"].items():
        different = of_laws["Heaps"][label]
        n = len(different)
        ranks = np.arange(1, n + 1)
        rows.append(
            {
                "different words": len(counts),
                "Zipf": -exponent(ranks[: len(counts[:1_000])], counts[:1_000]),
                "Heaps β": exponent(ranks[n // 100 :], different[n // 100 :]),
                "Taylor α": exponent(*of_laws["Taylor"][label]),
            }
        )
    return pd.DataFrame(rows, pd.Index(of_laws["Zipf"], name="text"))
