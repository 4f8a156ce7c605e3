"""The effect of a setting, and the damage that the first steps of training do."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from report.measure import held_out
from report.measure.scoreboard import spread
from report.measure.statistics import holm, shift_interval, smallest_difference, smallest_p
from rnn.engine.steps import numpy_steps
from rnn.engine.training import first_state

LOST = 0.05  # a network gets lost if it is lost at this share of the places or more
NEAR = 20_000  # characters at the beginning of the held-out part, where these places are


class Health(NamedTuple):
    """The loss and the saturation of a trained network, and where it gets lost."""

    bits: float  # per character of the validation part
    saturated: float  # the share of the state's components beyond ±0.99
    lost: float  # the share of places at which it is lost, see `held_out.lost_from_zero`


def first_steps(corpus, config, n=100):
    """Return a DataFrame with a row for each of the first n steps of a run: weights, saturation and loss."""
    first = first_state(corpus.K, config).params.W
    rows = []
    for step in numpy_steps(corpus, config, n):
        rows.append(
            {
                "share of W moved by more than 0.09": (np.abs(step.params.W - first) > 0.09).mean(),
                "root mean square of W": np.sqrt((step.params.W**2).mean()),
                "states beyond ±0.99": (np.abs(step.h) > 0.99).mean(),
                "loss, bits per character": step.loss / config.T / np.log(2),
            }
        )
    return pd.DataFrame(rows, index=range(1, len(rows) + 1))


def healths(runs, codes, part):
    """Return {config: `Health`} of {config: `Run`} after the last step, on codes[part]."""
    near = slice(part.start, min(part.stop, part.start + NEAR))
    bits = dict(zip(runs, held_out.bits_of_all(runs.values(), codes, part), strict=True))
    return {
        config: Health(
            float(bits[config].mean()),
            held_out.saturation(run, codes, part),
            held_out.lost_from_zero(run.params(), codes, near, bits[config][: near.stop - near.start]),
        )
        for config, run in runs.items()
    }


def cure(health, groups):
    """Return a DataFrame with a row for each of `groups` {label: configurations}, from `health` {config: `Health`}."""
    rows = []
    for configs in groups.values():
        bits, saturated, lost = np.array([health[config] for config in configs]).T
        rows.append(
            {
                "validation, bits": bits.mean(),
                "s.d. of the runs": spread(bits),
                "beyond ±0.99": saturated.mean(),
                "get lost": f"{(lost >= LOST).sum()} of {len(configs)}",
            }
        )
    return pd.DataFrame(rows, pd.MultiIndex.from_tuples(groups, names=["settings", "first steps"]))


def shifts(bits, changed, unchanged):
    """Return a DataFrame with the effect on the loss of each of `changed` {(choice, setting): configurations}.

    `bits` {config: bits} are the losses, and `unchanged` are the configurations to compare with. "shift" is a `Shift`
    over all pairs of runs, and "p" is its p-value after Holm's correction for the number of comparisons.
    """
    usual = [bits[config] for config in unchanged]
    changed_bits = {label: [bits[config] for config in configs] for label, configs in changed.items()}
    index = pd.MultiIndex.from_tuples(changed, names=["choice", "setting"])
    frame = pd.DataFrame({"validation, bits": [np.mean(values) for values in changed_bits.values()]}, index)
    frame["shift"] = [shift_interval(values, usual) for values in changed_bits.values()]
    frame["p"] = holm([shift.p for shift in frame["shift"]])
    return frame


def power(bits, changed, unchanged):
    """Return {name: number} about the differences that the comparisons of `shifts` can detect.

    "sd" is the standard deviation of the unchanged runs, "detectable" the smallest difference that a t-test detects
    with so many runs, "smallest p" the smallest p-value of the rank test, and "corrected" that value after correction.
    """
    n = min(map(len, changed.values()))
    sd = spread([bits[config] for config in unchanged])
    smallest = smallest_p(n, len(unchanged))
    return {
        "sd": sd,
        "detectable": smallest_difference(sd, n, len(unchanged)),
        "smallest p": smallest,
        "corrected": min(1, smallest * len(changed)),
    }


def best_networks(runs, codes, parts, described):
    """Return a DataFrame with a row for each configuration in `runs` {config: `Run`}, the best on validation first.

    Configurations that differ only in the seed share a row. The losses are means over the last epoch of each run
    (`held_out.late_bits`); "last weights" is the validation loss of the last weights. `described` {config: str} has the
    configurations in words.
    """
    seeds = {}
    for config, run in runs.items():
        seeds.setdefault(config.replace(seed=0), []).append(run)
    rows = []
    for seed_runs in seeds.values():
        config = seed_runs[0].config
        validation = [held_out.late_bits(run, codes, parts.validation).mean() for run in seed_runs]
        test = [held_out.late_bits(run, codes, parts.test).mean() for run in seed_runs]
        rows.append(
            {
                "settings": described[config],
                "runs": len(seed_runs),
                "characters (millions)": len(seed_runs[0].losses) * config.B * config.T / 1e6,
                "validation": np.mean(validation),
                "s.d. of the runs": spread(validation),
                "last weights": np.mean([held_out.bits(run, codes, parts.validation).mean() for run in seed_runs]),
                "test": np.mean(test),
            }
        )
    return pd.DataFrame(rows).sort_values("validation", ignore_index=True)
