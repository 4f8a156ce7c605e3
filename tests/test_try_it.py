"""The changes that the notebooks ask a reader to make: each runs to the end, and no claim fails because of it."""

import pytest

from report.measure.changes import unchanged
from rnn import model
from tests.notebook import run


@pytest.mark.parametrize(
    "change",
    [
        ("m = 100", "m = 20"),
        ("T = 25", "T = 50"),
        ("LENGTH = 100", "LENGTH = 300"),
        ("theta -= eta * g / np.sqrt(s + 1e-8)", "theta -= 0.01 * g"),
        ("clip = 5.0", "clip = 0.01"),
    ],
)
def test_by_heart(change):
    names = run("02_overfit", change)
    assert len(names["losses"]) == 200 * names["per_epoch"]


def test_by_heart_a_changed_loop_changes_the_figure_and_the_table():
    usual, changed = run("02_overfit"), run("02_overfit", ("theta -= eta", "theta += eta"))
    assert usual["losses"][-1] < usual["losses"][0] < changed["losses"][-1]
    assert not usual["outcomes"].equals(changed["outcomes"])
    assert unchanged(usual["learn"], model.learn)
    assert not unchanged(changed["learn"], model.learn), "what is claimed of the report's loop is not asserted"
