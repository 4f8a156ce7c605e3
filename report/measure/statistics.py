"""Intervals: how sure a mean is, and how sure a difference. And the smoothed loss."""

from math import comb

import numpy as np
import pandas as pd
from scipy.fft import dct
from scipy.special import stdtrit

from report.measure.estimates import Estimate, Shift


def interval(values):
    """Return the `Estimate` of the mean of independent values, its interval by Student's t.

    The half width of fewer than two values is NaN. Values that are NaN do not count.
    """
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    n = len(values)
    if n < 2:
        return Estimate(values.mean() if n else np.nan, np.nan)
    return Estimate(values.mean(), stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n))


def series_interval(values, waves=4):
    """Return the `Estimate` of the mean of values in the order of a text, whose neighbours are correlated.

    The variance of the mean is estimated from the amplitudes of the `waves` slowest cosines that fit into the series.
    Faster cosines are small where neighbours are correlated, so they would make the interval too short. Student's t has
    one degree of freedom for each cosine (Lazarus, Lewis, Stock and Watson, 2018); with all of them the result is
    `interval`. Where each tenth of a series has a correlation of 0.3 with the next, about as in this book, four waves
    miss the mean in 7 of 100 series, and `interval` of the tenths misses it in 13.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return interval(values)
    amplitudes = dct(values, norm="ortho")[1 : waves + 1]
    half = stdtrit(len(amplitudes), 0.975) * np.sqrt(np.mean(amplitudes**2) / len(values))
    return Estimate(values.mean(), half)


def proportion(hits, n):
    """Return the `Estimate` of a share, hits of n, as if they were independent; NaN of n = 0.

    The half width is computed with two more hits and two more misses (after Agresti and Coull, 1998). Without them, no
    hit at all would give 0 ± 0.
    """
    near = (hits + 2) / (n + 4)
    return Estimate(hits / n, 1.96 * np.sqrt(near * (1 - near) / n)) if n else Estimate(np.nan, np.nan)


def shift_interval(values, others):
    """Return the `Shift` of `values` against `others`, by ranks.

    The estimate is the median of all differences (Hodges and Lehmann, 1963). The interval cuts off as many of the
    outermost differences as the exact test of Mann and Whitney allows, so it excludes 0 exactly where that test finds a
    difference. A single stray run cannot mask the rest, as it does in a mean. The test is exact where both kinds of
    values have the same spread. If the smaller group has ten times the spread, 8 against 16 values miss the truth one
    time in ten and 3 against 16 one time in four; if the larger group has it, hardly ever.
    """
    differences = np.sort(np.subtract.outer(np.asarray(values, float), np.asarray(others, float)).ravel())
    n, most = len(values), len(differences)
    ways = np.zeros((n + 1, most + 1))  # [k, U]: the ways in which k values have U of `others` below them
    ways[0, 0] = 1
    for others_below in range(len(others) + 1):
        for k in range(1, n + 1):
            ways[k, others_below:] += ways[k - 1, : most + 1 - others_below]
    as_low = np.cumsum(ways[n]) / ways[n].sum()  # [U]: the probability of no more than U
    cut = np.count_nonzero(as_low <= 0.025)
    below = np.count_nonzero(differences > 0) + np.count_nonzero(differences == 0) / 2
    p = min(1, 2 * as_low[int(min(below, most - below))])
    return Shift(np.median(differences), differences[max(0, cut - 1)], differences[-max(1, cut)], p)


def smallest_p(n, others):
    """Return the smallest p-value that the test of Mann and Whitney has: where n values lie beyond all `others`."""
    return 2 / comb(n + others, n)


def smallest_difference(sd, n, others, freedom=None):
    """Return the smallest difference between the means of n values and `others` that a t-test at 5 per cent finds.

    `sd` is the standard deviation of one value, known with `freedom` degrees of freedom, n + others - 2 for None.
    """
    freedom = n + others - 2 if freedom is None else freedom
    return stdtrit(freedom, 0.975) * sd * np.sqrt(1 / n + 1 / others)


def holm(p_values):
    """Return the p-values (n,) of n questions that are asked together, corrected after Holm (1979).

    With them the chance of any false discovery among the n is at most 5 per cent if those below 0.05 count.
    """
    p_values = np.asarray(p_values, float)
    order, n = np.argsort(p_values), len(p_values)
    corrected = np.empty(n)
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(n, 0, -1)).clip(max=1)
    return corrected


def stretches(values):
    """Return values (n,) of held-out characters in ten equal parts; neighbours correlate, see `series_interval`."""
    return np.array_split(values, 10)


def of_stretches(means, half=0.0):
    """Return the `Estimate` of the mean of stretches, given each one's; `half` is that of what else varies."""
    mean = series_interval(means)
    return Estimate(mean.value, np.hypot(mean.half, half))


def mean_where(values, where):
    """Return the `Estimate` of the mean of those of the values (n,) of held-out characters that a mask chooses.

    The mean is a ratio of two sums over ten stretches, and its interval that of `of_stretches`, for what each stretch
    adds to the ratio (Cochran, Sampling Techniques, 1977, section 6.4).
    """
    sums, n = (
        np.array([part.sum() for part in stretches(x)]) for x in (np.where(where, values, 0.0), np.asarray(where))
    )
    if not n.sum():
        return Estimate(np.nan, np.nan)
    mean = sums.sum() / n.sum()
    return of_stretches(mean + (sums - mean * n) * len(n) / n.sum())


def smooth(losses, alpha):
    """Return the smoothed loss of every step, s_n = alpha s_{n-1} + (1 - alpha) L_n with s_0 = L_0.

    Chapter 3 has the recursion as a loop; this is the same, faster.
    """
    return pd.Series(losses).ewm(alpha=1 - alpha, adjust=False).mean().to_numpy()
