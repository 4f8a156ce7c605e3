"""Words of a text, to measure how many of a sample are the book's, or English."""

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
    """Return the words of a text in order: runs of letters, apostrophes inside included."""
    return _WORD.findall(text)


def has_words(text):
    """Whether spaces tell the words of a text apart, as in English, and not as in Chinese."""
    return text.count(" ") * 20 > len(text)


def counted_words(text):
    """Return the words of a text that a share is of, in lower case.

    They are all but the first and the last, which may be cut, and single letters, which noise has too.
    """
    return [word.lower() for word in words(text)[1:-1] if len(word) > 1]


def share_of_words(text, among):
    """Return the `Estimate` of the share of the counted words of `text` that are in the set `among`."""
    inner = counted_words(text)
    return proportion(sum(word in among for word in inner), len(inner))


def english_words():
    """Return the words of an English word list, in lower case, as a set; an empty one where there is no list."""
    return set(ENGLISH.read_text("utf-8").split()) if ENGLISH.exists() else set()


def proper_nouns(text, at_least=5):
    """Return the names in a text, as a set.

    They are the words of three letters or more that it writes with a capital inside a sentence, `at_least` so often,
    and never in lower case.
    """
    in_lower_case = {word for word in words(text) if word.islower()}
    inside = Counter(word for word in _AFTER_A_WORD.findall(text) if word.istitle() and len(word) > 2)
    return {word for word, n in inside.items() if n >= at_least and word.lower() not in in_lower_case}


def milestones(drawn, book):
    """Return a DataFrame of what texts drawn at some steps have of a book's words, a row for each step.

    `drawn` is {step: several texts}, `book` the book as a string. The columns are the share of the texts at that step
    that have a long word of the book, and of those that have one of its names; the first such name; and the share of
    the words that are the book's, an `Estimate` over the texts.
    """
    vocabulary = {word.lower() for word in words(book)}
    long_words, names = {word for word in vocabulary if len(word) >= 6}, proper_nouns(book)
    rows = {step: _milestones_of(texts, vocabulary, long_words, names) for step, texts in drawn.items()}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("step")


def _milestones_of(texts, vocabulary, long_words, names):
    inner = [words(text)[1:-1] for text in texts]
    found = [name for of_text in inner for name in of_text if name in names]
    return {
        "with a word of six letters": np.mean([_has(of_text, long_words) for of_text in inner]),
        "with a name": np.mean([_has(of_text, names, str) for of_text in inner]),
        "the first name": found[0] if found else "—",
        "words of the book": interval([share_of_words(text, vocabulary).value for text in texts]),
    }


def _has(of_text, among, form=str.lower):
    return any(form(word) in among for word in of_text)


def passage_table(passages, book):
    """Return a DataFrame: how many words passages {label: text} have, and the share of them that is the book's.

    The share is an `Estimate`, as if words were independent. `book` is the book as a string. The last two rows are the
    original report's passages.
    """
    vocabulary = {word.lower() for word in words(book)}
    rows = {label: (len(counted_words(text)), share_of_words(text, vocabulary)) for label, text in passages.items()}
    rows |= {label: (n, proportion(share * n, n)) for label, (n, share) in original.PASSAGES.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=["words", "words of the book"]).rename_axis("passage")
