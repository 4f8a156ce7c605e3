"""Words of a text, to measure how much of a book a sample has, how much English, and how much it has copied."""

import os
import re
from collections import Counter
from itertools import count

import numpy as np

from rnn.corpus import ROOT

ENGLISH = ROOT / "node_modules" / "word-list" / "words.txt"  # in lower case, of two letters or more

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_AFTER_A_WORD = re.compile(r"(?<=[\w,;] )" + _WORD.pattern)


def words(text):
    """Return the words of a text in order: runs of letters, apostrophes inside included."""
    return _WORD.findall(text)


def counted_words(text):
    """Return the words of a text that a share is of, in lower case.

    They are all but the first and the last, which may be cut, and single letters, which noise has too.
    """
    return [word.lower() for word in words(text)[1:-1] if len(word) > 1]


def share_of_words(text, of):
    """Return (share, n): the share of the n counted words of `text` that are in the set `of`; NaN if there are none."""
    inner = counted_words(text)
    return (sum(word in of for word in inner) / len(inner) if inner else float("nan")), len(inner)


def english_words():
    """Return the words of an English word list, in lower case, as a set."""
    return set(ENGLISH.read_text("utf-8").split())


def copied_lengths(samples, book, K):
    """Return, for each place in each of the samples, how long a string that begins there stands in `book` too.

    All are codes. Strings are found one character longer at a time; what no sample has is forgotten.
    """
    sizes = [len(codes) for codes in samples]
    sample, ends = np.concatenate(samples), np.cumsum(sizes)
    ends_of = np.repeat(ends, sizes)
    lengths, of_sample, of_book = np.zeros(len(sample), int), np.arange(len(sample)), np.arange(len(book))
    ids, book_ids = np.zeros(len(sample), np.int64), np.zeros(len(book), np.int64)  # of the strings one shorter
    for n in count(1):
        inside, book_inside = of_sample + n <= ends_of[of_sample], of_book + n <= len(book)
        of_sample, of_book = of_sample[inside], of_book[book_inside]
        ids = ids[inside] * K + sample[of_sample + n - 1]
        book_ids = book_ids[book_inside] * K + book[of_book + n - 1]
        common = np.intersect1d(ids, book_ids)
        if not len(common):
            break
        kept, book_kept = np.isin(ids, common), np.isin(book_ids, common)
        of_sample, of_book = of_sample[kept], of_book[book_kept]
        ids, book_ids = np.searchsorted(common, ids[kept]), np.searchsorted(common, book_ids[book_kept])
        lengths[of_sample] = n
    return np.split(lengths, ends[:-1])


def proper_nouns(text, at_least=5):
    """Return the names in a text, as a set.

    They are the words of three letters or more that it writes with a capital inside a sentence, `at_least` so often,
    and never in lower case.
    """
    in_lower_case = {word for word in words(text) if word.islower()}
    inside = Counter(word for word in _AFTER_A_WORD.findall(text) if word.istitle() and len(word) > 2)
    return {word for word, n in inside.items() if n >= at_least and word.lower() not in in_lower_case}


def agreement(text, truth):
    """Return the number of characters before the first in which two texts differ."""
    return len(os.path.commonprefix((text, truth)))
