"""The changes that the notebooks of the study ask a reader to make: each notebook runs to its end."""

import pytest

from report.measure import choices, units
from tests.notebook import run
from tests.test_any_text import text_of, tiny  # noqa: F401, a fixture

FIGURE = "first = {label: comparisons.first_steps(parts.train, base) for label, base in begun.items()}\n"
ANOTHER_CURE = 'begun = {"σ = 0.01": BASELINE, "σ = 0.1": BASELINE.replace(sigma=0.1)}\n' + FIGURE
NETWORKS = 'networks = {"baseline": runs[BASELINE], "best network": runs[best]}'
WITH_A_LONGER_MEMORY = NETWORKS + '\nnetworks["T = 50"] = sweep(parts.train, [BASELINE.replace(T=50)]).popitem()[1]\n'
TICKING = """
from rnn.engine.training import train

few = train(parts.train.part(0, 700), BASELINE.replace(epochs=1, snapshot_every=10))
for step in few.snapshots:
    state = few.state(step)
    states = memory.states(state.params, text[:3_000], state.h[-1])
    print(step, memory.clock(states, 12).round(2))
"""


@pytest.fixture
def corpus(tiny, tmp_path):  # noqa: F811
    path = tmp_path / "text.txt"
    path.write_text(text_of("English", "words"), "utf-8")
    return str(path)


@pytest.mark.parametrize(
    "changes",
    [
        [
            ("LONGEST = 8", "LONGEST = 12"),
            ("recent = parts.train.codes[-ngrams.RECENT :]", "recent = parts.train.codes[-N // 10 :]"),
        ],
        [("for part in (parts.validation, parts.test)\n)", "for part in (parts.test, parts.validation)\n)")],
    ],
)
def test_held_out(corpus, changes):
    run("06_held_out", *changes, CORPUS=corpus)


def test_another_cure_has_its_own_curves(corpus):
    usual = "\nbegun = {'without warm-up': BASELINE, 'with warm-up': WARM}\n"
    drawn = "seen = plots.first_steps(first).axes[0].get_legend_handles_labels()[1]"
    assert run("07_choices", (FIGURE, ANOTHER_CURE + drawn + usual + FIGURE), CORPUS=corpus)["first"].keys() == {
        "without warm-up",
        "with warm-up",
    }


def test_a_choice_of_ones_own_has_a_row_and_more_runs_are_trained(corpus, monkeypatch):
    own = choices.Choice("sequence length", "25", {"100": {"T": 100}})
    monkeypatch.setattr(choices, "CHOICES", (*choices.CHOICES, own))
    monkeypatch.setattr(choices, "SHORT", choices.SHORT._replace(seeds=4))
    names = run("07_choices", CORPUS=corpus)
    assert ("sequence length", "100") in names["verdicts"].index
    assert {len(configs) for configs in names["changed"]["with warm-up"].values()} == {4}


def test_a_clock_can_be_watched_and_a_longer_memory_compared(corpus, capsys):
    names = run("08_memory", (NETWORKS, WITH_A_LONGER_MEMORY), ("REACH = 100", TICKING + "REACH = 100"), CORPUS=corpus)
    assert "T = 50" in names["horizon"]
    assert "\n0 [" in "\n" + capsys.readouterr().out


def test_a_label_of_ones_own_has_a_row(corpus, monkeypatch):
    labels = units.labels
    monkeypatch.setattr(units, "labels", lambda codes, *rest: labels(codes, *rest) | {"an e": codes == codes[0]})
    assert "an e" in run("08_memory", CORPUS=corpus)["units"].index
