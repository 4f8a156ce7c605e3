"""Predictors on the same held-out characters: how many bits each needs, and how sure that and the difference are."""

import numpy as np
import pandas as pd

from report.measure import held_out
from report.measure.statistics import of_stretches, stretches


def in_stretches(values):
    """Return the means (10,) of ten equal stretches of the values (n,) of held-out characters."""
    return np.array([stretch.mean() for stretch in stretches(values)])


def of_networks(networks, codes, part, measure=held_out.late_bits):
    """Return the bits of {name: runs} on codes[part] as `table` takes them, {name: (runs, 10)}.

    `measure(run, codes, part)` returns the bits (n,) of one run.
    """
    return {
        name: np.array([in_stretches(measure(run, codes, part)) for run in runs]) for name, runs in networks.items()
    }


def table(predictors, baseline, last):
    """Return a DataFrame with a row for each predictor, the best first.

    `predictors` are {name: bits (runs, 10)} in ten stretches of the test part; (1, 10) for what has no runs. The bits
    and the differences to the predictor `baseline` are `Estimate`s over the stretches, of the mean over the runs.
    `last` are the same of the last weights, for those that have weights.
    """
    means = {name: np.mean(of_runs, axis=0) for name, of_runs in predictors.items()}
    rows = [
        {
            "test, bits": of_stretches(means[name]),
            "minus the baseline": of_stretches(means[name] - means[baseline]),
            "last weights": np.mean(last[name]) if name in last else np.nan,
            "runs": len(of_runs) if name in last else np.nan,
            "s.d. of the runs": spread(np.mean(of_runs, axis=1)),
        }
        for name, of_runs in predictors.items()
    ]
    frame = pd.DataFrame(rows, pd.Index(predictors, name="predictor")).sort_values("test, bits")
    frame.loc[baseline, "minus the baseline"] = None
    return frame


def spread(values):
    """Return the standard deviation of the values of several runs; NaN of fewer than three, which cannot say it."""
    return float(np.std(values, ddof=1)) if len(values) > 2 else np.nan
