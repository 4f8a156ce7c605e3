"""Strings that two texts have in common: how much a sample has copied, and how far it agrees."""

import os
from itertools import count

import numpy as np
import pandas as pd


def copied_lengths(samples, book, K):
    """Return for each place in each sample the length of the longest string from there that is also in `book`.

    The samples and the book are codes, and the result is a list of arrays. Strings grow by one character at a time; in
    each round, those that sample and book do not share are dropped.
    """
    sizes = [len(codes) for codes in samples]
    sample = np.concatenate(samples)
    ends = np.cumsum(sizes)
    ends_of = np.repeat(ends, sizes)
    lengths = np.zeros(len(sample), int)
    starts = np.arange(len(sample))  # where the strings begin
    book_starts = np.arange(len(book))
    ids = np.zeros(len(sample), np.int64)  # of the strings that are one character shorter
    book_ids = np.zeros(len(book), np.int64)
    for n in count(1):
        inside = starts + n <= ends_of[starts]
        book_inside = book_starts + n <= len(book)
        starts = starts[inside]
        book_starts = book_starts[book_inside]
        ids = ids[inside] * K + sample[starts + n - 1]
        book_ids = book_ids[book_inside] * K + book[book_starts + n - 1]
        common = np.intersect1d(ids, book_ids)
        if not len(common):
            break
        shared = np.isin(ids, common)
        book_shared = np.isin(book_ids, common)
        starts = starts[shared]
        book_starts = book_starts[book_shared]
        ids = np.searchsorted(common, ids[shared])
        book_ids = np.searchsorted(common, book_ids[book_shared])
        lengths[starts] = n
    return np.split(lengths, ends[:-1])


def agreement(text, truth):
    """Return the number of characters before the first one in which two texts differ."""
    return len(os.path.commonprefix((text, truth)))


def derailing(recited, text, T):
    """Return a DataFrame of how many characters a network recites correctly, with a row for each length of the text.

    `recited` is {(length, whether the shorter sequence at the end was trained on): what the network wrote}. It had to
    recite the first characters of `text`.
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
