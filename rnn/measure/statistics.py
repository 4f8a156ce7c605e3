"""Intervals: how sure a mean is, and how sure a difference."""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True, order=True)
class Estimate:
    """A value and the half width of its 95 per cent confidence interval; `format(x, ".2f")` is 2.71 ± 0.06."""

    value: float
    half: float

    def __format__(self, spec):
        if not np.isfinite(self.value):
            return "—"
        value = format(self.value, spec)
        return f"{value} ± {format(self.half, spec.lstrip('+'))}" if np.isfinite(self.half) else value


@dataclass(frozen=True, order=True)
class Shift:
    """By how much values are larger than others, with the ends of the 95 per cent interval."""

    value: float
    low: float
    high: float

    def __format__(self, spec):
        return f"{format(self.value, spec)} ({format(self.low, spec)} to {format(self.high, spec)})"

    @property
    def verdict(self):
        """One word, for values of which less is better: worse, better or, where the interval has 0 in it, undecided."""
        return "worse" if self.low > 0 else "better" if self.high < 0 else "undecided"


def interval(values):
    """Return the `Estimate` of the mean of independent values, its interval by Student's t.

    The half width of fewer than two values is NaN. Values that are NaN do not count.
    """
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    if not len(values):
        return Estimate(np.nan, np.nan)
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else np.nan
    return Estimate(values.mean(), half)


def proportion(hits, n):
    """Return the `Estimate` of a share, hits of n, as if they were independent; NaN of n = 0."""
    share = hits / n if n else np.nan
    return Estimate(share, 1.96 * np.sqrt(share * (1 - share) / n) if n else np.nan)


def shift_interval(values, others):
    """Return the `Shift` of `values` against `others`, by ranks.

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
    return Shift(np.median(differences), differences[max(0, cut - 1)], differences[-max(1, cut)])


def smallest_difference(sd, n, others, freedom=None):
    """Return the smallest difference between the means of n values and `others` that a t-test at 5 per cent finds.

    `sd` is the standard deviation of one value, known with `freedom` degrees of freedom, n + others - 2 for None.
    """
    freedom = n + others - 2 if freedom is None else freedom
    return stats.t.ppf(0.975, freedom) * sd * np.sqrt(1 / n + 1 / others)


def stretches(values):
    """Return values (n,) of held-out characters in ten equal parts, which in a book are nearly independent."""
    return np.array_split(values, 10)


def of_stretches(means, half=0.0):
    """Return the `Estimate` of the mean of stretches, given each one's; `half` is that of what else varies."""
    mean = interval(means)
    return Estimate(mean.value, np.hypot(mean.half, half))


def mean_where(values, where):
    """Return the `Estimate` of the mean of those of the values (n,) of held-out characters that a mask chooses.

    Neighbours are not independent, so the chosen ones of a stretch count as one: the mean is a ratio of two sums over
    ten stretches (Cochran, Sampling Techniques, 1977, section 6.4).
    """
    sums, n = (np.array([of.sum() for of in stretches(x)]) for x in (np.where(where, values, 0.0), np.asarray(where)))
    if not n.sum():
        return Estimate(np.nan, np.nan)
    mean = sums.sum() / n.sum()
    spread = np.sqrt(((sums - mean * n) ** 2).sum() * len(n) / (len(n) - 1)) / n.sum()
    return Estimate(mean, stats.t.ppf(0.975, len(n) - 1) * spread)
