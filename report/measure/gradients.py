"""Tables and curves of gradient checks."""

import pandas as pd

from rnn import gradcheck
from rnn.mistakes import plant


def against_the_original(errors, original):
    """Return a table of relative errors {parameter: array} next to the mean that the original report gives."""
    return pd.DataFrame(
        {
            "original report": original,
            "ours, mean": {name: errors[name].mean() for name in original},
            "ours, maximum": {name: errors[name].max() for name in original},
        }
    ).rename_axis("parameter")


def two_methods(centred, exact):
    """Return a table of relative errors {parameter: array} against centred differences and the complex step."""
    return pd.DataFrame(
        {
            "centred, mean": {name: errors.mean() for name, errors in centred.items()},
            "centred, maximum": {name: errors.max() for name, errors in centred.items()},
            "complex step, maximum": {name: errors.max() for name, errors in exact.items()},
        }
    ).rename_axis("parameter")


def largest(errors):
    """Return the largest of the relative errors {parameter: array}."""
    return max(of_parameter.max() for of_parameter in errors.values())


def largest_of_each(errors):
    """Return a table of one row: the largest of the relative errors {parameter: array} of each parameter."""
    return pd.DataFrame({name: [error.max()] for name, error in errors.items()}, index=["largest relative error"])


def caught(checks, mistakes, forward, backward, right):
    """Return a table of which check finds which bug, and by which gradients.

    `checks` is {name: (problem, numerical gradients, statistic of the relative errors, tolerance)}. The row "none" is
    `backward`, the rows of the mistakes are `right` with a mistake planted.
    """
    backwards = {"none": backward} | {mistake.what: plant(right, mistake) for mistake in mistakes}
    table = pd.DataFrame(index=list(backwards), columns=list(checks)).rename_axis("bug")
    for bug, with_bug in backwards.items():
        for check, (problem, numerical, statistic, tolerance) in checks.items():
            errors = gradcheck.relative_errors(problem, numerical, forward, with_bug)
            table.loc[bug, check] = [name for name, error in errors.items() if not statistic(error) <= tolerance]
    return table
