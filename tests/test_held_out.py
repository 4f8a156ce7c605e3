import numpy as np
import pytest

from report.measure import held_out
from report.measure.held_out import (
    best,
    bits,
    bits_of_all,
    by_stopping_place,
    cost_of_zero,
    late_bits,
    late_steps,
    learning_curve,
    lost_from_zero,
    network_losses,
    saturation,
)
from report.measure.ngrams import count_ngrams, kneser_ney, ngram_losses, witten_bell
from rnn import model
from rnn.corpus import CorpusError, read_corpus, split
from rnn.engine.runs import Config, Run
from rnn.engine.training import train
from rnn.model import Params

CORPUS = read_corpus()


def test_the_parts_follow_one_another_and_are_the_whole_text():
    parts = split(CORPUS)
    validation = CORPUS.codes[parts.validation]
    test = CORPUS.codes[parts.test]
    assert np.array_equal(np.concatenate((parts.train.codes, validation, test)), CORPUS.codes)
    assert len(validation) == len(test) == int(0.05 * len(CORPUS.codes))
    assert parts.train.vocabulary == CORPUS.vocabulary


def test_a_text_of_which_nothing_can_be_held_out_is_refused():
    with pytest.raises(CorpusError, match="has 999 characters, but 1,000 are needed"):
        split(CORPUS.part(0, 999))
    assert len(split(CORPUS.part(0, 1_000)).train.codes) == 900


def test_what_is_held_out_changes_nothing_that_is_trained_or_counted(tmp_path):
    """Two texts that differ in their held-out parts alone give the same weights, n-grams and predictions."""
    text = CORPUS.part(0, 3_000)
    codes = text.codes.copy()
    begin = split(text).validation.start
    codes[begin:] = codes[begin:][::-1]
    other = text._replace(codes=codes, sha256="0" * 64, name="other")
    config = Config(m=8, T=10, epochs=2)
    weights, tables = [], []
    for corpus in (text, other):
        parts = split(corpus)
        weights.append(train(parts.train, config, runs=tmp_path, show=False).params())
        tables.append(count_ngrams(parts.train.codes, corpus.K, 3))
    assert not np.array_equal(text.codes, other.codes)
    assert len(list(tmp_path.glob("*/m*"))) == 2
    for a, b in zip(*weights, strict=True):
        assert np.array_equal(a, b)
    for of_text, of_other in zip(*tables, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(of_text, of_other, strict=True))


def test_a_character_is_predicted_from_those_before_it_alone():
    """Changing a held-out character changes no loss before it, of the network or of the n-grams."""
    codes, K = CORPUS.codes[:5_000].copy(), CORPUS.K
    part = slice(4_000, 5_000)
    params = model.init_params(K, 16, np.random.default_rng(0), 0.5)
    tables = count_ngrams(codes[:3_000], K, 4)

    def losses():
        of_ngrams = [ngram_losses(tables, codes, part, K, smoothing)[-1] for smoothing in (witten_bell, kneser_ney)]
        return network_losses(params, codes, part), *of_ngrams

    before = losses()
    codes[4_500] = (codes[4_500] + 1) % K
    after = losses()
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a[:500], b[:500])
        assert a[500] != b[500]


@pytest.mark.parametrize("begins", ["zero", "elsewhere"])
@pytest.mark.parametrize(("begin", "end"), [(1, 40), (700, 1_000), (2_000, 2_131)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_held_out_loss_is_that_of_a_slow_plain_computation(begin, end, dtype, tolerance, begins):
    params = model.init_params(CORPUS.K, 20, np.random.default_rng(1), 0.4, dtype)
    h0 = np.linspace(-1, 1, 20).astype(dtype) if begins == "elsewhere" else None
    losses = network_losses(params, CORPUS.codes, slice(begin, end), h0)
    W, U, V, b, c = (theta.astype(np.float64) for theta in params)
    h = np.zeros(20) if h0 is None else h0.astype(np.float64)
    expected = []
    for n in range(max(0, begin - 1_000), end - 1):
        h = np.tanh(W @ h + U[:, CORPUS.codes[n]] + b)
        p = np.exp(V @ h + c)
        expected.append(-np.log(p[CORPUS.codes[n + 1]] / p.sum()))
    np.testing.assert_allclose(losses, expected[-(end - begin) :], rtol=tolerance)


def test_measures_of_runs_are_those_of_their_weights_and_of_the_states_that_training_left(tmp_path):
    text = CORPUS.part(0, 3_000)
    parts = split(text)
    config = Config(m=8, T=10, epochs=2, snapshot_every=200)
    runs = [train(parts.train, config.replace(seed=seed), runs=tmp_path, show=False) for seed in range(2)]
    codes, part = text.codes, parts.validation

    def expected(run, step=None):
        return network_losses(run.params(step), codes, part, run.state(step).h[-1]) / np.log(2)

    assert np.array_equal(bits(runs[0], codes, part), expected(runs[0]))
    assert np.array_equal(bits(runs[0], codes, part, 200), expected(runs[0], 200))
    for run, of_run in zip(runs, bits_of_all(runs, codes, part), strict=True):
        assert np.array_equal(of_run, expected(run))
    curve = learning_curve(runs[0], codes, part)
    np.testing.assert_allclose(curve, [expected(runs[0], step).mean() for step in runs[0].snapshots])
    np.testing.assert_allclose(learning_curve(runs[0], codes, part, [200]), curve[runs[0].snapshots.index(200)])


def test_saturation_is_the_share_of_components_that_hardly_move(tmp_path):
    text = CORPUS.part(0, 3_000)
    run = train(text, Config(m=8, T=10, epochs=1), runs=tmp_path, show=False)
    h = run.state().h[-1]
    (W, U, _, b, _) = run.params()
    near = []
    for code in text.codes[:500]:
        h = np.tanh(W @ h + U[:, code] + b)
        near.append(np.abs(h) > 0.99)
    assert 0 < saturation(run, text.codes, slice(0, 500)) == pytest.approx(np.mean(near), abs=1e-3)


def test_a_state_of_zero_costs_something_where_the_network_does_not_find_back():
    """One unit stays on the side on which it is, and is thrown from the wrong one to the right by a b, the 951st."""
    W = np.array([[2.0]])
    U = np.array([[0.0, 10.0]])
    V = np.array([[2.0], [-2.0]])
    params = Params(W, U, V, np.array([-0.1]), np.zeros(2))
    codes, part = np.zeros(1_500, int), slice(500, 1_500)
    codes[950] = 1

    def costs_of(params, part):
        carried = network_losses(params, codes, part, np.array([1.0])) / np.log(2)
        return cost_of_zero(params, codes, part, carried)

    costs = costs_of(params, part)  # from the 501st on, the 601st, ... the 1,201st: no nearer than what counts is long
    assert len(costs) == 8
    assert np.flatnonzero(np.abs(costs) < 0.01).tolist() == [3, 4]
    lost = np.log2((1 + np.exp(4 * 0.947)) / (1 + np.exp(-4 * 0.947)))
    assert costs[[0, 1, 5, 6, 7]] == pytest.approx(lost, rel=0.05)
    assert costs[2] == pytest.approx(lost / 2, rel=0.05), "half of what counts there stands before the b"
    assert len(costs_of(params, slice(1_201, 1_500))) == 0
    certain = costs_of(params._replace(V=1_000 * V), part)
    assert np.isfinite(certain).all(), "even where what came had a probability too small for a number"


def test_the_share_of_places_at_which_a_run_is_lost_is_that_of_costs_above_one_bit(tmp_path):
    text = CORPUS.part(0, 3_000)
    run = train(text, Config(m=8, T=10, epochs=1), runs=tmp_path, show=False)
    state = run.state()
    wild = state._replace(params=state.params._replace(W=5 * state.params.W, V=9 * state.params.V))
    part = slice(1_000, 3_000)
    carried = network_losses(wild.params, text.codes, part, wild.h[-1]) / np.log(2)
    share = (cost_of_zero(wild.params, text.codes, part, carried) > 1).mean()
    assert 0 < lost_from_zero(wild.params, text.codes, part, carried) == share < 1
    assert lost_from_zero(state.params, text.codes, part, bits(run, text.codes, part)) == 0
    assert np.isnan(lost_from_zero(wild.params, text.codes, slice(2_900, 3_000), carried[-100:]))


def test_late_bits_are_the_mean_over_the_snapshots_of_the_last_epoch(tmp_path):
    text = CORPUS.part(0, 3_000)
    run = train(text, Config(m=8, T=10, epochs=3, snapshot_every=100), runs=tmp_path, show=False)
    assert run.last_step == 897
    assert late_steps(run) == [600, 700, 800, 897]
    expected = [bits(run, text.codes, slice(1_000, 2_000), step) for step in late_steps(run)]
    np.testing.assert_allclose(late_bits(run, text.codes, slice(1_000, 2_000)), np.mean(expected, axis=0))
    short = train(text, Config(m=8, T=10, epochs=1, snapshot_every=100), runs=tmp_path, show=False)
    assert late_steps(short) == [150, 200, 299], "of one epoch, its second half"
    assert best({run.config: run, short.config: short}, text.codes, slice(1_000, 2_000)) == run.config


def test_where_training_stops_is_seen_where_the_loss_depends_on_it_alone(monkeypatch):
    """A loss that falls in a line, and at the end of each of seven epochs lies 0.1 lower, for one snapshot."""
    steps = [n for epoch in range(7) for n in range(100 * epoch + 10, 100 * epoch + 101, 10)]
    run = Run(None, Config(epochs=7), "", 0, np.zeros(700), steps, True)
    monkeypatch.setattr(held_out, "learning_curve", lambda run, codes, part, steps: line(steps))

    def line(steps):
        return 5 - steps / 700 - 0.1 * (steps % 100 == 0)

    change = by_stopping_place([run], None, None)
    assert change.index.min() == pytest.approx(0.1)
    assert change.index.max() == 1
    assert change[change.index == 1].to_numpy() == pytest.approx(-0.09, abs=0.005)
    assert change[change.index < 0.99].abs().max() < 0.02
