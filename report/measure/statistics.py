"""Intervals for means and differences, and the smoothed loss."""

from math import comb

import numpy as np
import pandas as pd
from scipy.fft import dct
from scipy.special import stdtrit

from report.measure.estimates import Estimate, Shift


def interval(values):
    """Return the `Estimate` of the mean of independent values, with an interval from Student's t.

    The half width is NaN for fewer than two values. NaN values do not count.
    """
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    n = len(values)
    if n < 2:
        return Estimate(values.mean() if n else np.nan, np.nan)
    return Estimate(values.mean(), stdtrit(n - 1, 0.975) * np.std(values, ddof=1) / np.sqrt(n))


def series_interval(values, waves=4):
    """Return the `Estimate` of the mean of values in the order of a text, in which neighbours are correlated.

    The variance of the mean is estimated from the amplitudes of the `waves` slowest cosines that fit into the series.
    If neighbours are correlated, the amplitudes of faster cosines are small and would make the interval too short.
    Student's t has one degree of freedom for each cosine (Lazarus, Lewis, Stock and Watson, 2018); with all cosines the
    result is that of `interval`. If each tenth of a series has a correlation of 0.3 with the next, about as in
    Moby-Dick, four waves miss the mean in 7 of 100 series, and `interval` of the tenths misses it in 13.
    """
    values = np.asarray(values, float)
    if len(values) < 2:
        return interval(values)
    amplitudes = dct(values, norm="ortho")[1 : waves + 1]
    half = stdtrit(len(amplitudes), 0.975) * np.sqrt(np.mean(amplitudes**2) / len(values))
    return Estimate(values.mean(), half)


def proportion(hits, n):
    """Return the `Estimate` of the share hits / n, as if hits were independent; NaN for n = 0.

    The half width is computed with two more hits and two more misses (after Agresti and Coull, 1998). Without these, 0
    hits would give 0 ± 0.
    """
    near = (hits + 2) / (n + 4)
    return Estimate(hits / n, 1.96 * np.sqrt(near * (1 - near) / n)) if n else Estimate(np.nan, np.nan)


def shift_interval(values, reference):
    """Return the `Shift` of `values` from `reference`, by ranks.

    The estimate is the median of all differences (Hodges and Lehmann, 1963). The interval leaves out as many of the
    outermost differences as the exact test of Mann and Whitney allows, so it excludes 0 exactly if that test finds a
    difference. An outlier has little influence, unlike in a mean.

    The test is exact if both groups have the same spread. If the smaller group has ten times the spread, the interval
    misses the truth one time in ten for 8 values against 16, and one time in four for 3 against 16; if the larger group
    has it, hardly ever.
    """
    differences = np.sort(np.subtract.outer(np.asarray(values, float), np.asarray(reference, float)).ravel())
    n = len(values)
    most = len(differences)
    ways = np.zeros((n + 1, most + 1))  # [k, U]: the ways in which k values have U of `reference` below them
    ways[0, 0] = 1
    for reference_below in range(len(reference) + 1):
        for k in range(1, n + 1):
            ways[k, reference_below:] += ways[k - 1, : most + 1 - reference_below]
    as_low = np.cumsum(ways[n]) / ways[n].sum()  # [U]: the probability of no more than U
    cut = np.count_nonzero(as_low <= 0.025)
    below = np.count_nonzero(differences > 0) + np.count_nonzero(differences == 0) / 2
    p = min(1, 2 * as_low[int(min(below, most - below))])
    return Shift(np.median(differences), differences[max(0, cut - 1)], differences[-max(1, cut)], p)


def smallest_p(n, n_reference):
    """Return the smallest p-value of the test of Mann and Whitney for n values against `n_reference`."""
    return 2 / comb(n + n_reference, n)


def smallest_difference(sd, n, n_reference, freedom=None):
    """Return the smallest difference between means of n and of `n_reference` values that is significant at 5%.

    The test is a two-sided t-test. `sd` is the standard deviation of a value, estimated with `freedom` degrees of
    freedom (None: n + n_reference - 2).
    """
    freedom = n + n_reference - 2 if freedom is None else freedom
    return stdtrit(freedom, 0.975) * sd * np.sqrt(1 / n + 1 / n_reference)


def holm(p_values):
    """Return the p-values (n,) of n comparisons, corrected after Holm (1979).

    If those below 0.05 count as discoveries, the chance of any false discovery among the n is at most 5%.
    """
    p_values = np.asarray(p_values, float)
    n = len(p_values)
    order = np.argsort(p_values)
    corrected = np.empty(n)
    corrected[order] = np.maximum.accumulate(p_values[order] * np.arange(n, 0, -1)).clip(max=1)
    return corrected


def stretches(values):
    """Return the values (n,) of held-out characters in ten equal parts, a list of arrays."""
    return np.array_split(values, 10)


def mean_of_stretches(means, half=0.0):
    """Return the `Estimate` of a mean, given the means of stretches; `half` is the half width of other variation."""
    mean = series_interval(means)
    return Estimate(mean.value, np.hypot(mean.half, half))


def mean_where(values, where):
    """Return the `Estimate` of the mean of the values (n,) of held-out characters at the places of a mask (n,).

    The mean is a ratio of two sums over ten stretches. Its interval is that of `mean_of_stretches` for the
    contributions of the stretches to the ratio (Cochran, Sampling Techniques, 1977, section 6.4).
    """
    sums, n = (
        np.array([part.sum() for part in stretches(x)]) for x in (np.where(where, values, 0.0), np.asarray(where))
    )
    if not n.sum():
        return Estimate(np.nan, np.nan)
    mean = sums.sum() / n.sum()
    return mean_of_stretches(mean + (sums - mean * n) * len(n) / n.sum())


def smooth(losses, alpha):
    """Return the smoothed loss of every step, s_n = alpha s_{n-1} + (1 - alpha) L_n with s_0 = L_0.

    This gives the same values as the loop in chapter 3, faster.
    """
    return pd.Series(losses).ewm(alpha=1 - alpha, adjust=False).mean().to_numpy()
