"""Strings that two texts have in common: how much a sample has copied, how far it agrees."""

import os
from itertools import count

import numpy as np
import pandas as pd


def copied_lengths(samples, book, K):
    """Return, for each place in each of the samples, the length of the longest string from there that `book` has too.

    All are codes. Strings grow by one character at a time; what no sample has is dropped.
    """
    sizes = [len(codes) for codes in samples]
    sample = np.concatenate(samples)
    ends = np.cumsum(sizes)
    ends_of = np.repeat(ends, sizes)
    lengths = np.zeros(len(sample), int)
    of_sample = np.arange(len(sample))  # where the strings begin
    of_book = np.arange(len(book))
    ids = np.zeros(len(sample), np.int64)  # of the strings one shorter
    book_ids = np.zeros(len(book), np.int64)
    for n in count(1):
        inside = of_sample + n <= ends_of[of_sample]
        book_inside = of_book + n <= len(book)
        of_sample = of_sample[inside]
        of_book = of_book[book_inside]
        ids = ids[inside] * K + sample[of_sample + n - 1]
        book_ids = book_ids[book_inside] * K + book[of_book + n - 1]
        common = np.intersect1d(ids, book_ids)
        if not len(common):
            break
        shared = np.isin(ids, common)
        book_shared = np.isin(book_ids, common)
        of_sample = of_sample[shared]
        of_book = of_book[book_shared]
        ids = np.searchsorted(common, ids[shared])
        book_ids = np.searchsorted(common, book_ids[book_shared])
        lengths[of_sample] = n
    return np.split(lengths, ends[:-1])


def agreement(text, truth):
    """Return the number of characters before the first in which two texts differ."""
    return len(os.path.commonprefix((text, truth)))


def derailing(recited, text, T):
    """Return a DataFrame: how many characters of texts that were learnt by heart come out right, a row for each length.

    `recited` has what a network wrote, {(length, whether the end that fills no sequence of T was trained on): string},
    of the first characters of `text`.
    """
    right = {key: agreement(string, text[: key[0]]) for key, string in recited.items()}
    lengths = list(dict.fromkeys(length for length, _ in recited))
    return pd.DataFrame(
        {
            "characters": lengths,
            "predicted": [1 + T * ((length - 1) // T) for length in lengths],
            "right, whole sequences": [right[length, False] for length in lengths],
            "right, the rest too": [right[length, True] for length in lengths],
        }
    )
