"""Held-out text: how many nats a network, n-grams and compressors need for a character that they have not seen."""

import itertools
import lzma
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyppmd
import zstandard
from scipy import stats

from rnn import kernel
from rnn.corpus import Corpus, check_length

CONTEXT = 1_000  # characters before a held-out part that a network reads before it predicts
RECENT = 20_000_000  # characters at the end of the training part that n-grams and compressors are given, at most


class Split(NamedTuple):
    """A text in three contiguous parts: to train on, to choose by, to report."""

    train: Corpus
    validation: slice  # of the codes of the whole text
    test: slice


def split(corpus, held_out=0.05):
    """Return the `Split` whose last two parts have the share `held_out` of the text each, the last of them its end.

    Raises CorpusError for a text that is too short.
    """
    check_length(corpus)
    N = len(corpus.codes)
    n = int(held_out * N)
    return Split(corpus.part(0, N - 2 * n), slice(N - 2 * n, N - n), slice(N - n, N))


def network_losses(params, codes, part, h=None):
    """Return -log p (n,), in nats, of each of the n characters codes[part], from frozen weights.

    The state is carried through from character to character. It begins as `h` (m,), or zero, and the network reads the
    `CONTEXT` characters before the part first.
    """
    x = codes[max(0, part.start - CONTEXT) : part.stop]
    h = np.zeros_like(params.b) if h is None else h.copy()
    losses = np.empty(len(x) - 1)
    kernel.evaluate(params._replace(U=params.U.T), h, x, losses)
    return losses[part.start - part.stop :]


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


def _zstd(data):
    parameters = zstandard.ZstdCompressionParameters.from_level(22, window_log=27)
    return zstandard.ZstdCompressor(compression_params=parameters).compress(data)


COMPRESSORS = {
    "zstd, level 22": _zstd,
    "xz, preset 9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "PPMd, order 6": lambda data: pyppmd.compress(data, max_order=6, mem_size=1 << 28),
}


def compressed_nats(compress, primed_with, stretches):
    """Return the nats per character of each of `stretches` (texts): what it adds to the compressed size of all before.

    What comes before the first of them is `primed_with`.
    """
    texts = [primed_with + "".join(stretches[:n]) for n in range(len(stretches) + 1)]
    with ThreadPoolExecutor() as pool:
        sizes = list(pool.map(lambda text: len(compress(text.encode())), texts))
    return 8 * np.log(2) * np.diff(sizes) / [len(stretch) for stretch in stretches]


def interval(values):
    """Return the mean and the half width of its 95 per cent confidence interval by Student's t, independent values.

    The half width of fewer than two values is NaN.
    """
    values = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else np.nan
    return (values.mean() if len(values) else np.nan), half


def shift_interval(values, others):
    """Return by how much `values` are larger than `others`: (estimate, low, high), the 95 per cent interval by ranks.

    The estimate is the median of all differences (Hodges and Lehmann, 1963); for the interval as many of the outermost
    are cut off as the exact test of Mann and Whitney allows, so that it leaves out 0 just where that test finds a
    difference. One run that went astray cannot hide that all others are worse, as it does in a mean.
    """
    differences = np.sort(np.subtract.outer(np.asarray(values), np.asarray(others)).ravel())
    n, both = len(values), len(values) + len(others)
    ranks = np.array(list(itertools.combinations(range(1, both + 1), n)))
    below = ranks.sum(axis=1) - n * (n + 1) // 2  # Mann and Whitney's U under the hypothesis of no difference
    cut = 0
    while np.mean(below <= cut) <= 0.025:
        cut += 1
    return np.median(differences), differences[max(0, cut - 1)], differences[-max(1, cut)]


def stretches(held_out):
    """Return losses or codes (n,) in ten parts of equal length; those of a book are nearly independent."""
    return np.array_split(held_out, 10)
