"""N-grams: a character is predicted by counting what followed the ones before it."""

from typing import NamedTuple

import numpy as np

RECENT = 20_000_000  # characters at the end of the training part that are counted, at most


class NGrams(NamedTuple):
    """The n-grams of one length that a text has, and how often."""

    keys: np.ndarray  # sorted: K times the number of the n-gram's beginning among the shorter ones, plus its last code
    counts: np.ndarray  # of each
    totals: np.ndarray  # of each beginning: how often it is followed by a character
    types: np.ndarray  # of each beginning: by how many different ones


def count_ngrams(codes, K, longest):
    """Return the `NGrams` of the lengths 1 to `longest` of a text."""
    tables, shorter, n_shorter = [], np.zeros(len(codes) + 1, np.int64), 1
    for n in range(1, min(longest, len(codes)) + 1):
        keys = shorter[: len(codes) - n + 1] * K + codes[n - 1 :]  # of the n-gram that begins at each place
        keys, shorter, counts = np.unique(keys, return_inverse=True, return_counts=True)
        totals = np.bincount(keys // K, counts, minlength=n_shorter)
        tables.append(NGrams(keys, counts, totals, np.bincount(keys // K, minlength=n_shorter)))
        n_shorter = len(keys)
    return tables


def ngram_probabilities(tables, codes, K):
    """Return p (longest + 1, N): of each character of `codes` given those before it, by n-grams of lengths 0, 1, ...

    Smoothed after Witten and Bell (1991), p_n = (count + types p_{n-1}) / (total + types), from the uniform p_0 = 1/K:
    a context that was followed by many different characters trusts the shorter one more. A context never seen, and one
    that would begin before `codes`, is the shorter one.
    """
    p, shorter = np.full(len(codes), 1 / K), np.zeros(len(codes) + 1, np.int64)
    of_all = [p]
    for n, (keys, counts, totals, types) in enumerate(tables, 1):
        beginning = shorter[: max(0, len(codes) - n + 1)]  # -1: not in the text
        sought = np.where(beginning < 0, -1, beginning * K + codes[n - 1 :])
        place = np.searchsorted(keys, sought).clip(max=len(keys) - 1)
        found = keys[place] == sought
        total, kinds = (np.where(beginning < 0, 0, of[beginning]) for of in (totals, types))
        p = p.copy()
        with_total = (np.where(found, counts[place], 0) + kinds * p[n - 1 :]) / np.maximum(total + kinds, 1)
        p[n - 1 :] = np.where(total > 0, with_total, p[n - 1 :])
        of_all.append(p)
        shorter = np.where(found, place, -1)
    return np.array(of_all)


def ngram_losses(tables, codes, part, K):
    """Return -log p (longest + 1, n), in nats, of the n characters codes[part], by n-grams of lengths 0, 1, ..."""
    begin = max(0, part.start - len(tables))
    return -np.log(ngram_probabilities(tables, codes[begin : part.stop], K)[:, part.start - begin :])


def sample_ngrams(tables, K, length, n, rng):
    """Return the codes (length, n) of n texts drawn at once with the probabilities of `ngram_probabilities`.

    The longest context says a character with the share total / (total + types), one of those that followed it; else the
    shorter one is asked, and the last of all draws any character.
    """
    codes = np.empty((length, n), np.int64)
    places = [np.zeros(n, np.int64)]  # the number of the last 0, 1, ... characters among the strings of that length
    ends = [np.cumsum(table.counts) for table in tables]
    for t in range(length):
        codes[t], open_ = rng.integers(0, K, n), np.ones(n, bool)
        for place, table, end in reversed(list(zip(places, tables, ends, strict=False))):
            total, types = (np.where(place < 0, 0, of[place]) for of in (table.totals, table.types))
            says = open_ & (rng.random(n) * (total + types) < total)
            begin = np.searchsorted(table.keys, place * K)
            before = np.where(begin > 0, end[begin - 1], 0)
            drawn = np.searchsorted(end, before + (rng.random(n) * total).astype(np.int64), side="right")
            codes[t] = np.where(says, table.keys[drawn.clip(max=len(table.keys) - 1)] % K, codes[t])
            open_ &= ~says
        longer = [np.zeros(n, np.int64)]
        for place, table in zip(places, tables[:-1], strict=False):
            sought = np.where(place < 0, -1, place * K + codes[t])
            found = np.searchsorted(table.keys, sought).clip(max=len(table.keys) - 1)
            longer.append(np.where(table.keys[found] == sought, found, -1))
        places = longer
    return codes
