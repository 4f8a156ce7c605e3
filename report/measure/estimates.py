"""Values with confidence intervals."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, order=True)
class Estimate:
    """A value and the half width of its 95% confidence interval; `format(x, ".2f")` is "2.71 ± 0.06"."""

    value: float
    half: float

    def __format__(self, spec):
        if not np.isfinite(self.value):
            return "—"
        value = format(self.value, spec)
        return f"{value} ± {format(self.half, spec.lstrip('+'))}" if np.isfinite(self.half) else value


@dataclass(frozen=True, order=True)
class Shift:
    """By how much one group of values is above another, the ends of the 95% interval, and the p-value of a test."""

    value: float
    low: float
    high: float
    p: float = np.nan

    def __format__(self, spec):
        return f"{format(self.value, spec)} ({format(self.low, spec)} to {format(self.high, spec)})"

    @property
    def verdict(self):
        """Whether the values are "better" (lower), "worse", or "undecided" because the interval contains 0."""
        return "worse" if self.low > 0 else "better" if self.high < 0 else "undecided"
