"""The changes that the notebooks ask a reader to make: each runs to the end, and no claim fails because of it."""

import pytest

from report.measure.changes import unchanged
from rnn import model
from rnn.corpus import read_corpus
from rnn.engine.runs import BASELINE
from rnn.model import OPTIMIZERS
from tests.notebook import run, runs_in


@pytest.mark.parametrize(
    "changes",
    [
        [("m = 100", "m = 20"), ("clip = 5.0", "clip = 0.01")],
        [("T = 25", "T = 50"), ("LENGTH = 100", "LENGTH = 300")],
        [("theta -= eta * g / np.sqrt(s + 1e-8)", "theta -= 0.01 * g")],
    ],
)
def test_by_heart(changes):
    names = run("02_overfit", *changes)
    assert len(names["losses"]) == 100 * names["per_epoch"]


def test_by_heart_a_changed_loop_changes_the_figure_and_the_table():
    usual = run("02_overfit")
    changed = run("02_overfit", ("theta -= eta", "theta += eta"))
    assert usual["losses"][-1] < usual["losses"][0] < changed["losses"][-1]
    assert not usual["outcomes"].equals(changed["outcomes"])
    assert unchanged(usual["learn"], model.learn)
    assert not unchanged(changed["learn"], model.learn), "what is claimed of the report's loop is not asserted"


@pytest.fixture
def corpus(tmp_path):
    """Return the path of a short text; its runs are beside it."""
    path = tmp_path / "short.txt"
    path.write_text(read_corpus(quick=True).excerpt[:6_000], "utf-8")
    with runs_in(tmp_path):
        yield path


RMSPROP = """
def rmsprop(theta, squares, means, g, learning_rate, n):
    squares += 0.1 * (g**2 - squares)
    theta -= learning_rate * g / np.sqrt(squares + 1e-8)

from rnn.model import OPTIMIZERS
OPTIMIZERS["rmsprop"] = rmsprop
config = Config(engine="numpy","""
STOP = """
    import os, signal

    def stop(step, losses):
        if step > 1_000:
            os.kill(os.getpid(), signal.SIGINT)

    try:
        train(parts.train, config, watch=stop)
    except KeyboardInterrupt:
        from rnn.engine.runs import read_run, run_directory
        run = read_run(run_directory(parts.train, config))"""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            [
                ("g = np.clip(g, -clip, clip)", "g = g * min(1, clip / np.linalg.norm(g))"),
                ("[5 * eta]", "[eta / 10, eta, 5 * eta]"),
            ],
            {"runs": 5, "epoch": "7"},
        ),
        (
            [
                ('optimizer="adagrad"', 'optimizer="adam"'),
                ("learning_rate=0.1,", "learning_rate=0.001,"),
                ("sigma=0.01,", "sigma=None,"),
            ],
            {"epoch": "7"},
        ),
        ([("epochs=7", "epochs=1"), ("m=100", "m=200")], {"epoch": "1"}),
        ([("epochs=7", "epochs=0.5")], {"epoch": "0.502"}),
        (
            [
                ("config = Config(", RMSPROP),
                ('"adagrad"', '"rmsprop"'),
                ("learning_rate=0.1,", "learning_rate=0.001,"),
                ("epochs=7", "epochs=1"),
            ],
            {"epoch": "1"},
        ),
        ([("\n    run = train(parts.train, config, watch=watch)", STOP)], {"stopped": True}),
    ],
    ids=["norm and ends", "adam", "epochs", "half an epoch", "rmsprop", "stopped"],
)
def test_training(corpus, monkeypatch, changes, expected):
    monkeypatch.delitem(OPTIMIZERS, "rmsprop", raising=False)
    names = run("03_training", *changes, CORPUS=corpus)
    last = names["epochs"]["epoch"].iloc[-1]
    assert last == expected.get("epoch", last)
    assert len(names["runs"]) == expected.get("runs", 3)
    is_shorter = len(names["run"].losses) < BASELINE.steps(len(names["parts"].train.codes))
    assert is_shorter == (expected.get("stopped", False) or last in ("1", "0.502"))


def test_training_on_the_shortest_text_that_is_allowed(corpus):
    corpus.write_text(("To be, or not to be, that is the question. " * 30)[:1_000], "utf-8")
    names = run("03_training", CORPUS=corpus, QUICK=False)
    assert len(names["epochs"]) == 7
    assert len(names["milestones"]) == 12
