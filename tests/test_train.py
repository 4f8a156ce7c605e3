"""What is trained before the notebooks are executed is what they ask for."""

import sys

import pytest

from report.measure import choices
from rnn.corpus import ROOT, read_corpus, split
from rnn.engine.runs import BASELINE
from rnn.engine.sweep import Job

sys.path.insert(0, str(ROOT / "tools"))
import train

CORPUS = read_corpus()


def test_every_chapter_that_needs_runs_is_a_notebook_and_the_baseline_is_the_beginning_of_what_the_third_needs():
    jobs = train.needed(CORPUS, choices.SHORT)
    assert all(list((ROOT / "notebooks").glob(f"{chapter}_*.ipynb")) for chapter in jobs)
    longest, after = jobs["03"]
    assert longest.config == after.after == BASELINE.replace(epochs=15)
    (baseline,) = jobs["04"]
    assert (baseline.corpus.id, baseline.config) == (split(CORPUS).train.id, BASELINE)


@pytest.mark.parametrize(("chapters", "swept"), [("04 05", 3), ("01", 0), ("09 04", 1), ("", None)])
def test_only_what_the_chapters_need_is_trained(monkeypatch, chapters, swept):
    given = []
    monkeypatch.setattr(sys, "argv", ["train.py", "QUICK=1", f"CHAPTERS={chapters}"])
    monkeypatch.setattr(train, "sweep_all", given.extend)
    train.main()
    assert all(isinstance(job, Job) for job in given)
    assert len(given) == swept if swept is not None else len(given) > 50
