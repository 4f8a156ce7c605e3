"""The changes that chapters 4 and 5 ask a reader to make: each runs to the end and has its effect, no claim fails."""

import numpy as np
import pytest

from report.measure import samples
from rnn import model, sampling
from rnn.corpus import decode
from tests.notebook import run, runs_in

RULE = "    return nucleus(p, top_p) if top_p < 1 else p"
TOP_K = "    p = np.where(p >= np.sort(p)[-5], p, 0)\n    p = p / p.sum()\n"
RUNS = "train(parts.train, BASELINE)}"


@pytest.fixture(scope="module", autouse=True)
def runs_of_their_own(tmp_path_factory):
    with runs_in(tmp_path_factory.mktemp("runs")):
        yield


@pytest.fixture(scope="module")
def usual(runs_of_their_own):
    return run("04_sampling")


def test_a_rule_of_ones_own_draws_all_texts_and_tables(usual):
    names = run("04_sampling", (RULE, TOP_K + RULE))
    assert (usual["codes"] == usual["package_codes"]).all()
    assert not np.array_equal(names["codes"], names["package_codes"])
    assert np.array_equal(names["package_codes"], usual["package_codes"])
    assert not np.array_equal(names["drawn"]["τ = 1.5"], usual["drawn"]["τ = 1.5"])
    for table in ("counted", "from_zero", "measures"):
        assert not names[table].equals(usual[table]), table


def test_another_network_and_both_settings_at_once():
    both = '    "τ = 0.7, nucleus 0.9": {"temperature": 0.7, "top_p": 0.9},\n'
    names = run(
        "04_sampling",
        ("config = BASELINE  #", "config = BASELINE.replace(m=50)  #"),
        ('    "greedy": ', both + '    "greedy": '),
    )
    assert len(names["params"].b) == 50
    assert "τ = 0.7, nucleus 0.9" in names["counted"].index


def test_a_first_sentence_of_ones_own_and_a_text_to_be_read(usual):
    h, x = samples.primed(usual["run"], usual["parts"].train, "Call me")
    drawn = sampling.sample(usual["params"], h, x, 20, np.random.default_rng(0))
    assert len(decode(drawn, usual["corpus"].vocabulary)) == 20
    usual["sampler"].text = "Call me what you like."
    assert usual["sampler"].text == "Call me what you like."


@pytest.mark.parametrize(
    "added",
    [
        '\nruns["AdaGrad, scaled"] = train(parts.train, BASELINE.replace(sigma=None))',
        '\nruns["shuffled"] = train(parts.train, NEWEST.replace(order="shuffled"))',
    ],
)
def test_another_run_has_a_row(added):
    names = run("05_newest_assignment", (RUNS, RUNS + added))
    assert len(names["compared"]) == 3


def test_adam_without_its_correction_takes_other_steps_in_the_loop_and_in_training():
    mine = """
model.OPTIMIZERS["mine"] = adam
mine = NEWEST.replace(optimizer="mine", engine="numpy", epochs=1)
runs["mine"] = train(parts.train, mine)
"""
    changes = ((" / (1 - 0.9**n)", ""), (" / (1 - 0.999**n)", ""))
    try:
        names = run("05_newest_assignment", *changes, (RUNS, RUNS + mine))
    finally:
        model.OPTIMIZERS.pop("mine", None)
    losses = names["runs"]["mine"].losses[:20] / names["T"]
    np.testing.assert_allclose(losses, names["by_sum"][:20], rtol=1e-3)
    assert not np.allclose(losses, names["newest"].losses[:20] / names["T"], rtol=1e-3)
