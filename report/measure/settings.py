"""Compare runs with different settings as the assignment asks: by the smoothed loss, and on held-out text."""

import numpy as np
import pandas as pd

from report.measure.held_out import late_bits
from report.measure.statistics import smooth

ALPHA = 0.999  # of the smoothed loss


def smoothed(runs):
    """Return {label: (steps, smoothed losses in nats per character)} for {label: `Run`}."""
    return {
        label: (np.arange(len(run.losses)), smooth(run.losses, ALPHA) / run.config.T) for label, run in runs.items()
    }


def losses(runs, codes, part):
    """Return a DataFrame with a row for each of {label: `Run`}: its losses over the last epoch.

    They are the last smoothed loss, in nats per character and per sequence, and the bits per character of codes[part]
    (see `late_bits`).
    """
    rows = {}
    for label, run in runs.items():
        last = smooth(run.losses, ALPHA)[-1]
        rows[label] = [last / run.config.T, last, late_bits(run, codes, part).mean()]
    columns = ["smoothed mean loss, nats", "smoothed sum, nats", "validation, bits"]
    return pd.DataFrame.from_dict(rows, "index", columns=columns).rename_axis("settings")
