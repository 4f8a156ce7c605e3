"""N-grams: a character is predicted by counting what followed the ones before it."""

from typing import NamedTuple

import numpy as np

RECENT = 20_000_000  # characters at the end of the training part that are counted, at most


class NGrams(NamedTuple):
    """The n-grams of one length that a text has, and how often."""

    keys: np.ndarray  # sorted: K times the number of the n-gram's beginning among the shorter ones, plus its last code
    counts: np.ndarray  # of each
    beginnings: np.ndarray  # of each, without its last character: its number among the shorter ones
    endings: np.ndarray  # of each, without its first character: its number among the shorter ones
    n_shorter: int  # the number of the shorter ones


class Shares(NamedTuple):
    """How n-grams of one length share out the probability after a context: p_n = (own + rest p_{n-1}) / total."""

    own: np.ndarray  # of each n-gram
    rest: np.ndarray  # of each of the shorter ones: what is left to n-grams one shorter
    total: np.ndarray  # of each of the shorter ones; 0: never followed by a character


def count_ngrams(codes, K, longest):
    """Return the `NGrams` of the lengths 1 to `longest` of a text."""
    tables, at, n_shorter = [], np.zeros(len(codes) + 1, np.int64), 1  # the number of the n-gram that begins at a place
    for n in range(1, min(longest, len(codes)) + 1):
        shorter, keys = at, at[: len(codes) - n + 1] * K + codes[n - 1 :]
        keys, first, at, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        tables.append(NGrams(keys, counts, keys // K, shorter[first + 1], n_shorter))
        n_shorter = len(keys)
    return tables


def witten_bell(tables):
    """Yield the `Shares` of each length twice, after Witten and Bell (1991).

    p_n = (count + types p_{n-1}) / (total + types): a context that was followed by many different characters trusts the
    shorter one more.
    """
    for _, counts, beginnings, _, n_shorter in tables:
        types = np.bincount(beginnings, minlength=n_shorter)
        shares = Shares(counts, types, np.bincount(beginnings, counts, minlength=n_shorter) + types)
        yield shares, shares


def kneser_ney(tables):
    """Yield the `Shares` of each length, as the longest and below longer ones: interpolated modified Kneser-Ney.

    Something is subtracted from each count, and left to the shorter context. Below longer ones what counts is not how
    often an n-gram occurs but after how many different characters (Chen and Goodman, 1999).
    """
    for table, longer in zip(tables, [*tables[1:], None], strict=True):
        after = table.counts if longer is None else np.bincount(longer.endings, minlength=len(table.counts))
        yield _discounted(table, table.counts), _discounted(table, after)


def _discounted(table, counts):
    off = discounts(counts)[counts.clip(max=3)]
    rest = np.bincount(table.beginnings, off, minlength=table.n_shorter)
    total = np.bincount(table.beginnings, counts, minlength=table.n_shorter)
    return Shares(counts - off, rest, total)


def discounts(counts):
    """Return what is subtracted from a count of 0, 1, 2 and of 3 or more (Chen and Goodman, 1999).

    Where the counts are too few to say, or nothing above 0 comes of them, it is half of the count.
    """
    ones, twos, threes, fours = (np.count_nonzero(counts == n) for n in range(1, 5))
    if min(ones, twos, threes):
        y = ones / (ones + 2 * twos)
        of_counts = np.array([0, 1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes])
        if (of_counts[1:] > 0).all():
            return of_counts
    return np.array([0, 0.5, 1, 1.5])


def ngram_probabilities(tables, codes, K, smoothing=witten_bell):
    """Return p (longest + 1, N): of each character of `codes` given those before it, by n-grams of lengths 0, 1, ...

    `smoothing` is `witten_bell` or `kneser_ney`, from the uniform p_0 = 1/K. A context never seen, and one that would
    begin before `codes`, is the shorter one.
    """
    below = np.full(len(codes), 1 / K)
    places = np.zeros(len(codes) + 1, np.int64)
    of_all = [below]
    for n, (table, of_length) in enumerate(zip(tables, smoothing(tables), strict=True), 1):
        contexts = places[: max(0, len(codes) - n + 1)]  # their numbers among the shorter ones; -1: not in the text
        sought = np.where(contexts < 0, -1, contexts * K + codes[n - 1 :])
        places = np.searchsorted(table.keys, sought).clip(max=len(table.keys) - 1)
        places = np.where(table.keys[places] == sought, places, -1)
        longest, below = (_interpolated(shares, places, contexts, below) for shares in of_length)
        of_all.append(longest)
    return np.array(of_all)


def _interpolated(shares, places, contexts, below):
    """Return p_n (N,) from p_{n-1}, with the number of each n-gram and that of its context, -1 for none."""
    own = np.append(shares.own, 0)[places]
    rest = np.append(shares.rest, 0)[contexts]
    total = np.append(shares.total, 0)[contexts]
    begin = len(below) - len(places)
    p = below.copy()
    p[begin:] = np.where(total > 0, (own + rest * below[begin:]) / np.where(total > 0, total, 1), below[begin:])
    return p


def ngram_losses(tables, codes, part, K, smoothing=witten_bell):
    """Return -log p (longest + 1, n), in nats, of the n characters codes[part], by n-grams of lengths 0, 1, ..."""
    begin = max(0, part.start - len(tables))
    return -np.log(ngram_probabilities(tables, codes[begin : part.stop], K, smoothing)[:, part.start - begin :])


def sample_ngrams(tables, K, length, n, rng, smoothing=witten_bell):
    """Return the codes (length, n) of n texts drawn at once with the probabilities of `ngram_probabilities`.

    The longest context says what follows with the share own / total, or else the shorter one is asked; the last of all
    draws any character.
    """
    shares = [below for _, below in smoothing(tables)]
    shares[-1] = list(smoothing(tables))[-1][0]
    ends = [np.cumsum(own) for own, _, _ in shares]
    codes = np.empty((length, n), np.int64)
    places = [np.zeros(n, np.int64)]  # the number of the last 0, 1, ... characters among the strings of that length
    for t in range(length):
        codes[t], is_open = rng.integers(0, K, n), np.ones(n, bool)
        for place, table, end, (_, rest, total) in reversed(list(zip(places, tables, ends, shares, strict=False))):
            own = np.where(place < 0, 0, total[place] - rest[place])
            says = is_open & (rng.random(n) * total[place] < own)
            begin = np.searchsorted(table.keys, place * K)
            before = np.where(begin > 0, end[begin - 1], 0)
            drawn = np.searchsorted(end, before + rng.random(n) * own, side="right")
            codes[t] = np.where(says, table.keys[drawn.clip(max=len(end) - 1)] % K, codes[t])
            is_open &= ~says
        longer = [np.zeros(n, np.int64)]
        for place, table in zip(places, tables[:-1], strict=False):
            sought = np.where(place < 0, -1, place * K + codes[t])
            found = np.searchsorted(table.keys, sought).clip(max=len(table.keys) - 1)
            longer.append(np.where(table.keys[found] == sought, found, -1))
        places = longer
    return codes


def surprise(text, codes, K, n=5):
    """Return (n, bits): how many bits each of the `codes` costs an n-gram that has counted the codes `text`."""
    tables = count_ngrams(text[-RECENT:].astype(np.int64), K, n)
    return n, -np.log2(ngram_probabilities(tables, codes.astype(np.int64), K, kneser_ney)[-1])
