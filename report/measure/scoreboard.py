"""The scoreboard: predictors compared on the same held-out characters."""

import numpy as np
import pandas as pd

from report.measure import held_out
from report.measure.statistics import mean_of_stretches, stretches


def in_stretches(values):
    """Return the means (10,) of the values (n,) of held-out characters in ten equal stretches."""
    return np.array([stretch.mean() for stretch in stretches(values)])


def networks_in_stretches(networks, codes, part, measure=held_out.late_bits):
    """Return {name: bits (runs, 10) in ten stretches of codes[part]} for {name: runs}.

    `measure(run, codes, part)` returns the bits (n,) of one run.
    """
    return {
        name: np.array([in_stretches(measure(run, codes, part)) for run in runs]) for name, runs in networks.items()
    }


def table(predictors, baseline, last):
    """Return a DataFrame with a row for each predictor, the best first.

    `predictors` are {name: bits (runs, 10)} in ten stretches of the test part; a predictor without runs has (1, 10).
    The bits and the differences from the predictor `baseline` are averaged over the runs, and are `Estimate`s over the
    stretches. `last` has the bits of the last weights, in the same form, for the networks.
    """
    means = {name: np.mean(run_bits, axis=0) for name, run_bits in predictors.items()}
    rows = [
        {
            "test, bits": mean_of_stretches(means[name]),
            "minus the baseline": mean_of_stretches(means[name] - means[baseline]),
            "last weights": np.mean(last[name]) if name in last else np.nan,
            "runs": len(run_bits) if name in last else np.nan,
            "s.d. of the runs": spread(np.mean(run_bits, axis=1)),
        }
        for name, run_bits in predictors.items()
    ]
    frame = pd.DataFrame(rows, pd.Index(predictors, name="predictor")).sort_values("test, bits")
    frame.loc[baseline, "minus the baseline"] = None
    return frame


def spread(values):
    """Return the standard deviation of the values of several runs; NaN for fewer than three."""
    return float(np.std(values, ddof=1)) if len(values) > 2 else np.nan
