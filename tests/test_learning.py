import numpy as np
import pytest

from report.measure import learning
from report.measure.statistics import smooth
from rnn.corpus import read_corpus
from rnn.engine.runs import Config
from rnn.engine.training import train

TEXT = read_corpus().part(0, 1_001)  # 40 steps an epoch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(TEXT, Config(m=5, epochs=3, engine="numpy"), runs=tmp_path_factory.mktemp("runs"), show=False)


def table(run):
    smoothed = {alpha: smooth(run.losses, alpha) for alpha in (0.999, 0.9)}
    return learning.epoch_table(run, smoothed, np.arange(len(run.snapshots), dtype=float), per_epoch=40)


def test_the_table_of_epochs_has_a_row_at_the_end_of_each(run):
    epochs = table(run)
    assert epochs["epoch"].tolist() == ["1", "2", "3"]
    assert epochs["steps"].tolist() == [40, 80, 120]
    assert epochs["mean of the epoch"].iloc[1] == pytest.approx(run.losses[40:80].mean())
    assert epochs["the same, bits per character"].iloc[1] == pytest.approx(run.losses[40:80].mean() / 25 / np.log(2))
    assert epochs["smoothed, α = 0.9"].iloc[2] == smooth(run.losses, 0.9)[119]
    assert epochs["validation, bits per character"].iloc[1] == run.snapshots.index(80)


@pytest.mark.parametrize(
    ("steps", "epochs"), [(100, ["1", "2", "2.5"]), (30, ["0.75"]), (1, ["0.025"]), (80, ["1", "2"])]
)
def test_the_table_of_epochs_of_a_run_that_was_stopped_ends_where_it_was(run, steps, epochs):
    snapshots = [step for step in run.snapshots if step < steps]
    stopped = run._replace(losses=run.losses[:steps], snapshots=snapshots, is_finished=False)
    found = table(stopped)
    assert found["epoch"].tolist() == epochs
    assert found["steps"].iloc[-1] == steps
    assert np.isnan(found["validation, bits per character"].iloc[-1]), "no snapshot there"


def test_losses_are_taken_after_steps_that_were_taken():
    found = learning.losses_after(np.arange(1.0, 11), 25, {"5 steps": 5, "50 steps": 50})
    assert found["after"].tolist() == ["the first step", "5 steps", "the last step"]
    assert found["nats per sequence"].tolist() == [1, 5, 10]
    assert found["bits per character"].iloc[1] == pytest.approx(5 / 25 / np.log(2))


def test_the_extension_is_measured_over_all_losses():
    found = learning.extension_table({"a": np.arange(10.0)}, {"a": 3.0}, {"a": 2.0}, per_epoch=2)
    assert found.loc["a"].tolist() == [10, 3, 8.5, 2]
