"""What a setting is worth: networks with and without it, and whether the first steps have spoiled them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from report.measure import held_out
from report.measure.scoreboard import spread
from report.measure.statistics import holm, shift_interval, smallest_difference, smallest_p
from rnn.engine.steps import numpy_steps
from rnn.engine.training import first_state

LOST = 0.05  # a network can be lost if it is from so many of the places where it begins at zero
NEAR = 20_000  # characters of the held-out part in which these places are


class Health(NamedTuple):
    """The loss of a trained network, its saturation, and the share of places where it is lost."""

    bits: float  # per character of the validation part
    saturated: float  # the share of the state's components beyond ±0.99
    lost: float  # the share of the places from which it is lost; NaN for a part that is too short


def first_steps(corpus, config, n=100):
    """Return what the first n steps of a run do: a DataFrame with a row for each step."""
    first = first_state(corpus.K, config).params.W
    rows = []
    for step in numpy_steps(corpus, config, n):
        rows.append(
            {
                "share of W moved by 0.09": (np.abs(step.params.W - first) > 0.09).mean(),
                "root mean square of W": np.sqrt((step.params.W**2).mean()),
                "states beyond ±0.99": (np.abs(step.h) > 0.99).mean(),
                "loss, bits per character": step.loss / config.T / np.log(2),
            }
        )
    return pd.DataFrame(rows, index=range(1, len(rows) + 1))


def healths(runs, codes, part):
    """Return {config: `Health`} of runs {config: `Run`} after their last step, on codes[part]."""
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
    """Return a DataFrame with a row for each of `groups` {label: configurations}, of {config: `Health`}."""
    rows = []
    for configs in groups.values():
        bits, saturated, lost = np.array([health[config] for config in configs]).T
        rows.append(
            {
                "validation, bits": bits.mean(),
                "s.d. of the runs": spread(bits),
                "beyond ±0.99": saturated.mean(),
                "can be lost": f"{(lost >= LOST).sum()} of {len(configs)}",
            }
        )
    return pd.DataFrame(rows, pd.MultiIndex.from_tuples(groups, names=["settings", "first steps"]))


def shifts(bits, changed, unchanged):
    """Return what each change does to the loss: a DataFrame with a row for each of `changed`.

    `changed` are {(choice, setting): configurations}, `bits` {config: bits} the losses, and `unchanged` the
    configurations to compare with. "shift" is a `Shift` over all pairs of runs, and "p" its p-value corrected after
    Holm, as one of so many questions.
    """
    usual = [bits[config] for config in unchanged]
    of_changed = {label: [bits[config] for config in configs] for label, configs in changed.items()}
    index = pd.MultiIndex.from_tuples(changed, names=["choice", "setting"])
    frame = pd.DataFrame({"validation, bits": [np.mean(values) for values in of_changed.values()]}, index)
    frame["shift"] = [shift_interval(values, usual) for values in of_changed.values()]
    frame["p"] = holm([shift.p for shift in frame["shift"]])
    return frame


def power(bits, changed, unchanged):
    """Return what the questions of `shifts` could find: a dictionary with a name for each number.

    "sd" is the standard deviation of the unchanged runs, "detectable" the difference that a t-test finds with so many
    runs, "smallest p" the least that the rank test has, and the same times the number of questions.
    """
    n, sd = min(map(len, changed.values())), spread([bits[config] for config in unchanged])
    smallest = smallest_p(n, len(unchanged))
    return {
        "sd": sd,
        "detectable": smallest_difference(sd, n, len(unchanged)),
        "smallest p": smallest,
        "corrected": min(1, smallest * len(changed)),
    }


def best_networks(runs, codes, parts, described):
    """Return a DataFrame with a row for each configuration of `runs` {config: `Run`}, the best on validation first.

    Seeds count as one configuration. The losses are means over the last epoch of each run (`held_out.late_bits`), and
    "last weights" is the validation loss of those. `described` {config: str} says in words what a configuration is.
    """
    seeds = {}
    for config, run in runs.items():
        seeds.setdefault(config.replace(seed=0), []).append(run)
    rows = []
    for of_seeds in seeds.values():
        config = of_seeds[0].config
        validation = [held_out.late_bits(run, codes, parts.validation).mean() for run in of_seeds]
        test = [held_out.late_bits(run, codes, parts.test).mean() for run in of_seeds]
        rows.append(
            {
                "settings": described[config],
                "runs": len(of_seeds),
                "characters (millions)": len(of_seeds[0].losses) * config.B * config.T / 1e6,
                "validation": np.mean(validation),
                "s.d. of the runs": spread(validation),
                "last weights": np.mean([held_out.bits(run, codes, parts.validation).mean() for run in of_seeds]),
                "test": np.mean(test),
            }
        )
    return pd.DataFrame(rows).sort_values("validation", ignore_index=True)
