"""N-grams: predict a character by counting what followed the characters before it."""

from typing import NamedTuple

import numpy as np

RECENT = 20_000_000  # characters: of a longer training part, only so many at its end are counted


class NGrams(NamedTuple):
    """The different n-grams of one length in a text, and how often they occur.

    An n-gram's number is its place in `keys`. "Shorter" means one character shorter.
    """

    keys: np.ndarray  # sorted: K times the number of the shorter n-gram at its beginning, plus its last code
    counts: np.ndarray  # how often each occurs
    beginnings: np.ndarray  # the number of the shorter n-gram without its last character
    endings: np.ndarray  # the number of the shorter n-gram without its first character
    n_shorter: int  # how many shorter n-grams there are


class Shares(NamedTuple):
    """The terms of p_n = (own + rest p_{n-1}) / total, for n-grams of one length."""

    own: np.ndarray  # of each n-gram
    rest: np.ndarray  # of each context, that is, of each shorter n-gram
    total: np.ndarray  # of each context; 0 if no character ever followed it


def count_ngrams(codes, K, longest):
    """Return a list with the `NGrams` of each length from 1 to `longest` in a text."""
    tables = []
    number_at = np.zeros(len(codes) + 1, np.int64)  # the number of the n-gram that begins at each place
    n_shorter = 1
    for n in range(1, min(longest, len(codes)) + 1):
        shorter_at = number_at
        keys = shorter_at[: len(codes) - n + 1] * K + codes[n - 1 :]
        keys, first, number_at, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        tables.append(NGrams(keys, counts, keys // K, shorter_at[first + 1], n_shorter))
        n_shorter = len(keys)
    return tables


def witten_bell(tables):
    """Yield (`Shares`, the same `Shares`) of each length, as `kneser_ney` does; after Witten and Bell (1991).

    p_n = (count + types p_{n-1}) / (total + types). A context that was followed by many different characters gives more
    weight to the shorter context.
    """
    for _, counts, beginnings, _, n_shorter in tables:
        types = np.bincount(beginnings, minlength=n_shorter)
        shares = Shares(counts, types, np.bincount(beginnings, counts, minlength=n_shorter) + types)
        yield shares, shares


def kneser_ney(tables):
    """Yield two `Shares` of each length: for the longest n-grams, and for use below longer ones.

    This is interpolated modified Kneser-Ney smoothing (Chen and Goodman, 1999). Something is subtracted from each count
    and given to the shorter context. Below longer n-grams, an n-gram's count is not how often it occurs, but how many
    different characters precede it.
    """
    for table, longer in zip(tables, [*tables[1:], None], strict=True):
        after = table.counts if longer is None else np.bincount(longer.endings, minlength=len(table.counts))
        yield _discounted(table, table.counts), _discounted(table, after)


def _discounted(table, counts):
    subtracted = discounts(counts)[counts.clip(max=3)]
    rest = np.bincount(table.beginnings, subtracted, minlength=table.n_shorter)
    total = np.bincount(table.beginnings, counts, minlength=table.n_shorter)
    return Shares(counts - subtracted, rest, total)


def discounts(counts):
    """Return what is subtracted from a count of 0, of 1, of 2, and of 3 or more (Chen and Goodman, 1999).

    It is half of the count if there are too few counts to estimate it, or if an estimate is not positive.
    """
    ones, twos, threes, fours = (np.count_nonzero(counts == n) for n in range(1, 5))
    if min(ones, twos, threes):
        y = ones / (ones + 2 * twos)
        by_count = np.array([0, 1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes])
        if (by_count[1:] > 0).all():
            return by_count
    return np.array([0, 0.5, 1, 1.5])


def ngram_probabilities(tables, codes, K, smoothing=witten_bell):
    """Return p (longest + 1, N) of each of the codes (N,) given those before it, by n-grams of lengths 0, 1, ...

    `smoothing` is `witten_bell` or `kneser_ney`, and p_0 is uniform, 1/K. The shorter context is used if a context was
    never seen or would begin before `codes`.
    """
    below = np.full(len(codes), 1 / K)
    places = np.zeros(len(codes) + 1, np.int64)
    probabilities = [below]
    for n, (table, length_shares) in enumerate(zip(tables, smoothing(tables), strict=True), 1):
        contexts = places[: max(0, len(codes) - n + 1)]  # numbers of shorter n-grams; -1: not in the text
        sought = np.where(contexts < 0, -1, contexts * K + codes[n - 1 :])
        places = np.searchsorted(table.keys, sought).clip(max=len(table.keys) - 1)
        places = np.where(table.keys[places] == sought, places, -1)
        longest, below = (_interpolated(shares, places, contexts, below) for shares in length_shares)
        probabilities.append(longest)
    return np.array(probabilities)


def _interpolated(shares, places, contexts, below):
    """Return p_n (N,) from p_{n-1} (N,), given the numbers of the n-grams and of their contexts (-1: unknown)."""
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
    """Return the codes (length, n) of n texts, drawn with the probabilities of `ngram_probabilities`.

    The longest context draws the next character with probability own / total. If not, the shorter context is tried, and
    at last any character is drawn.
    """
    shares = [below for _, below in smoothing(tables)]
    shares[-1] = list(smoothing(tables))[-1][0]
    ends = [np.cumsum(own) for own, _, _ in shares]
    codes = np.empty((length, n), np.int64)
    places = [np.zeros(n, np.int64)]  # the numbers of the n-grams that the last 0, 1, ... characters are
    for t in range(length):
        codes[t] = rng.integers(0, K, n)
        is_open = np.ones(n, bool)
        for place, table, end, (_, rest, total) in reversed(list(zip(places, tables, ends, shares, strict=False))):
            own = np.where(place < 0, 0, total[place] - rest[place])
            draws = is_open & (rng.random(n) * total[place] < own)
            begin = np.searchsorted(table.keys, place * K)
            before = np.where(begin > 0, end[begin - 1], 0)
            drawn = np.searchsorted(end, before + rng.random(n) * own, side="right")
            codes[t] = np.where(draws, table.keys[drawn.clip(max=len(end) - 1)] % K, codes[t])
            is_open &= ~draws
        longer = [np.zeros(n, np.int64)]
        for place, table in zip(places, tables[:-1], strict=False):
            sought = np.where(place < 0, -1, place * K + codes[t])
            found = np.searchsorted(table.keys, sought).clip(max=len(table.keys) - 1)
            longer.append(np.where(table.keys[found] == sought, found, -1))
        places = longer
    return codes


def surprise(text, codes, K, n=5):
    """Return (n, bits): the bits of each of the `codes` for an n-gram with counts from the codes `text`."""
    tables = count_ngrams(text[-RECENT:].astype(np.int64), K, n)
    return n, -np.log2(ngram_probabilities(tables, codes.astype(np.int64), K, kneser_ney)[-1])
