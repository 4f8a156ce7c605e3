"""The words of texts: which of them are in the book, and which are English."""

import re
from collections import Counter

import numpy as np
import pandas as pd

from report.measure import original
from report.measure.statistics import interval, proportion
from rnn.corpus import ROOT

ENGLISH = ROOT / "node_modules" / "word-list" / "words.txt"  # in lower case, of two letters or more

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_AFTER_A_WORD = re.compile(r"(?<=[\w,;] )" + _WORD.pattern)


def words(text):
    """Return the words of a text in order: runs of letters, which may have apostrophes inside."""
    return _WORD.findall(text)


def has_words(text):
    """Whether spaces separate the words of a text, as in English and unlike in Chinese."""
    return text.count(" ") * 20 > len(text)


def counted_words(text):
    """Return the words of a text that count in a share, in lower case.

    The first and the last word do not count, because they may be cut, and neither do single letters, which also occur
    in noise.
    """
    return [word.lower() for word in words(text)[1:-1] if len(word) > 1]


def share_of_words(text, among):
    """Return the `Estimate` of the share of the counted words of `text` that are in the set `among`."""
    inner = counted_words(text)
    return proportion(sum(word in among for word in inner), len(inner))


def english_words():
    """Return the set of words in an English word list, in lower case; it is empty if the list is not installed."""
    return set(ENGLISH.read_text("utf-8").split()) if ENGLISH.exists() else set()


def proper_nouns(text, at_least=5):
    """Return the set of names in a text.

    A name is a word of three or more letters that occurs capitalised mid-sentence at least `at_least` times, and never
    in lower case.
    """
    in_lower_case = {word for word in words(text) if word.islower()}
    inside = Counter(word for word in _AFTER_A_WORD.findall(text) if word.istitle() and len(word) > 2)
    return {word for word, n in inside.items() if n >= at_least and word.lower() not in in_lower_case}


def milestones(drawn, book):
    """Return a DataFrame with a row for each of `drawn` {step: list of texts}, about words of the book.

    `book` is the book as a string. The columns are the share of the texts with a long word of the book; the share with
    one of its names; the first such name; and the share of words that are in the book, an `Estimate` over the texts.
    """
    vocabulary = {word.lower() for word in words(book)}
    long_words = {word for word in vocabulary if len(word) >= 6}
    names = proper_nouns(book)
    rows = {step: _milestones_of(texts, vocabulary, long_words, names) for step, texts in drawn.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("step")


def _milestones_of(texts, vocabulary, long_words, names):
    inner = [words(text)[1:-1] for text in texts]
    found = [name for text_words in inner for name in text_words if name in names]
    return {
        "with a word of six letters": np.mean([_has(text_words, long_words) for text_words in inner]),
        "with a name": np.mean([_has(text_words, names, str) for text_words in inner]),
        "the first name": found[0] if found else "—",
        "words of the book": interval([share_of_words(text, vocabulary).value for text in texts]),
    }


def _has(text_words, among, form=str.lower):
    return any(form(word) in among for word in text_words)


def passage_table(passages, book):
    """Return a DataFrame with a row for each of `passages` {label: text}: the counted words, and the share in the book.

    The share is an `Estimate`, as if words were independent. `book` is the book as a string. The last two rows are the
    passages of the original report.
    """
    vocabulary = {word.lower() for word in words(book)}
    rows = {label: (len(counted_words(text)), share_of_words(text, vocabulary)) for label, text in passages.items()}
    rows |= {label: (n, proportion(share * n, n)) for label, (n, share) in original.PASSAGES.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["words", "words of the book"]).rename_axis("passage")
