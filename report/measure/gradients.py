"""Tables of gradient checks."""

import pandas as pd

from rnn import gradcheck
from rnn.mistakes import plant


def against_the_original(errors, original):
    """Return a DataFrame of relative errors {parameter: array}, next to the means {parameter: mean} of the original."""
    return pd.DataFrame(
        {
            "original report": original,
            "ours, mean": {name: errors[name].mean() for name in original},
            "ours, maximum": {name: errors[name].max() for name in original},
        }
    ).rename_axis("parameter")


def two_methods(centred, exact):
    """Return a DataFrame of relative errors {parameter: array} against two numerical gradients.

    `centred` are the errors against centred differences, `exact` those against the complex step.
    """
    return pd.DataFrame(
        {
            "centred, mean": {name: errors.mean() for name, errors in centred.items()},
            "centred, maximum": {name: errors.max() for name, errors in centred.items()},
            "complex step, maximum": {name: errors.max() for name, errors in exact.items()},
        }
    ).rename_axis("parameter")


def largest(errors):
    """Return the largest of the relative errors {parameter: array}."""
    return max(error.max() for error in errors.values())


def largest_of_each(errors):
    """Return a DataFrame with one row: the largest relative error of each parameter, from {parameter: array}."""
    return pd.DataFrame({name: [error.max()] for name, error in errors.items()}, index=["largest relative error"])


def caught(checks, mistakes, forward, backward, right):
    """Return a DataFrame with the gradients by which each check (column) finds each bug (row).

    `checks` is {name: (problem, numerical gradients, statistic of the relative errors, tolerance)}. The row "none" is
    `backward`; in every other row one of `mistakes` is planted in the function `right`.
    """
    backwards = {"none": backward} | {mistake.what: plant(right, mistake) for mistake in mistakes}
    table = pd.DataFrame(index=list(backwards), columns=list(checks)).rename_axis("bug")
    for bug, with_bug in backwards.items():
        for check, (problem, numerical, statistic, tolerance) in checks.items():
            errors = gradcheck.relative_errors(problem, numerical, forward, with_bug)
            table.loc[bug, check] = [name for name, error in errors.items() if not statistic(error) <= tolerance]
    return table
