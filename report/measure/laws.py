"""Statistical laws of natural language: Zipf's, Heaps' and Taylor's."""

import numpy as np
import pandas as pd

from report.measure.words import has_words, words


def tokens(text):
    """Return the words of a text in lower case, in order; or its letters if spaces do not separate its words."""
    return np.array([word.lower() for word in words(text)] if has_words(text) else list(filter(str.isalpha, text)))


def zipf(text_words):
    """Return how often each word of a text occurs, (kinds,), the most frequent first."""
    return np.sort(np.unique(text_words, return_counts=True)[1])[::-1]


def heaps(text_words):
    """Return the number of different words among the first n words of a text, for n = 1 to N, (N,)."""
    new = np.zeros(len(text_words), int)
    new[np.unique(text_words, return_index=True)[1]] = 1
    return new.cumsum()


def taylor(text_words, window):
    """Return (means, standard deviations) of each word's counts in stretches of `window` words, both (kinds,).

    Both are empty if the text is shorter than a stretch.
    """
    kinds, codes = np.unique(text_words, return_inverse=True)
    n = len(codes) // window
    if n == 0:
        return np.empty(0), np.empty(0)
    counts = np.zeros((n, len(kinds)), np.int32)
    np.add.at(counts, (np.repeat(np.arange(n), window), codes[: n * window]), 1)
    counts = counts[:, counts.sum(axis=0) > 0]
    return counts.mean(axis=0), counts.std(axis=0)


def exponent(x, y):
    """Return the slope of log y against log x by least squares, where both are above 0; NaN if there are too few x."""
    x = np.asarray(x, float)
    y = np.asarray(y, float)
    positive = (x > 0) & (y > 0)
    if len(np.unique(x[positive])) < 2:
        return np.nan
    return float(np.polyfit(np.log(x[positive]), np.log(y[positive]), 1)[0])


def shuffled(text, rng):
    """Return a text of the `tokens` of a text in random order, with spaces between them."""
    return " ".join(rng.permutation(tokens(text)))


def curves(texts, longest_window=1_000):
    """Return {law: {label: curve}} of the three laws, for `texts` {label: text}.

    All curves use the same number of words. The stretches of Taylor's law have a fiftieth of them, but at most
    `longest_window`.
    """
    words_by_text = {label: tokens(text) for label, text in texts.items()}
    n = min(map(len, words_by_text.values()))
    words_by_text = {label: text_words[:n] for label, text_words in words_by_text.items()}
    window = max(1, min(longest_window, n // 50))
    return {
        "Zipf": {label: zipf(text_words) for label, text_words in words_by_text.items()},
        "Heaps": {label: heaps(text_words) for label, text_words in words_by_text.items()},
        "Taylor": {label: taylor(text_words, window) for label, text_words in words_by_text.items()},
    }


def table(law_curves):
    """Return a DataFrame with a row for each text: the exponents of its `curves`.

    Zipf's exponent is fitted to the first 1,000 ranks, and Heaps' to all but the first hundredth of the words.
    """
    rows = []
    for label, counts in law_curves["Zipf"].items():
        different = law_curves["Heaps"][label]
        n = len(different)
        ranks = np.arange(1, n + 1)
        rows.append(
            {
                "different words": len(counts),
                "Zipf": -exponent(ranks[: len(counts[:1_000])], counts[:1_000]),
                "Heaps β": exponent(ranks[n // 100 :], different[n // 100 :]),
                "Taylor α": exponent(*law_curves["Taylor"][label]),
            }
        )
    return pd.DataFrame(rows, pd.Index(law_curves["Zipf"], name="text"))
