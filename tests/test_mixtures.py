import numpy as np
import pytest

from report.measure.adaptive import adaptive_losses, best_rate
from report.measure.held_out import network_losses
from report.measure.mixtures import best_weight, mixture
from report.measure.ngrams import count_ngrams, kneser_ney, ngram_losses
from rnn import model
from rnn.corpus import read_corpus
from rnn.model import Params

CORPUS = read_corpus()
CODES = CORPUS.codes[:5_000]


def network(dtype="float32", seed=0):
    return model.init_params(CORPUS.K, 16, np.random.default_rng(seed), 0.3, dtype)


@pytest.mark.parametrize("begins", ["zero", "elsewhere"])
@pytest.mark.parametrize(("begin", "end"), [(1, 40), (2, 5), (700, 1_000), (2_000, 2_131)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_at_rate_zero_the_losses_are_those_of_frozen_weights(begin, end, dtype, tolerance, begins):
    h = np.linspace(-1, 1, 16).astype(dtype) if begins == "elsewhere" else None
    part = slice(begin, end)
    frozen = network_losses(network(dtype), CODES, part, h)
    np.testing.assert_allclose(adaptive_losses(network(dtype), CODES, part, 0, h), frozen, rtol=tolerance)


def test_dynamic_evaluation_is_that_of_a_slow_plain_computation():
    """Predict four characters, differentiate their loss numerically, take the step, carry the state on."""
    params = model.init_params(5, 3, np.random.default_rng(0), 0.5, "float64")
    codes, part, rate, losses = np.random.default_rng(1).integers(0, 5, 20), slice(7, 20), 0.05, []
    ours = adaptive_losses(params, codes, part, rate, every=4)
    h = model.forward(params, codes[:6], np.zeros(3))[0][-1]
    theta = np.concatenate([of.ravel() for of in params])

    def network_of(theta):
        pieces = np.split(theta, np.cumsum([of.size for of in params])[:-1])
        return Params(*(piece.reshape(of.shape) for piece, of in zip(pieces, params, strict=True)))

    for n in (6, 10, 14, 18):
        x, y = codes[n : min(n + 4, 19)], codes[n + 1 : n + 5]
        states, p = model.forward(network_of(theta), x, h)
        losses.extend(-np.log(p[np.arange(len(y)), y]))
        steps = 1e-6 * np.eye(len(theta))
        slopes = [
            model.loss(network_of(theta + e), x, y, h) - model.loss(network_of(theta - e), x, y, h) for e in steps
        ]
        theta, h = theta - rate * np.array(slopes) / 2e-6, states[-1]
    np.testing.assert_allclose(ours, losses, rtol=1e-6)


def test_dynamic_evaluation_learns_from_the_past_alone_and_leaves_the_network_as_it_was():
    params, part, codes = network(), slice(2_000, 4_000), CODES.copy()
    before = adaptive_losses(params, codes, part, 0.001)
    assert before[1_000:].mean() < network_losses(params, codes, part)[1_000:].mean() - 0.5
    for theta, untouched in zip(params, network(), strict=True):
        assert np.array_equal(theta, untouched)
    codes[3_000] = (codes[3_000] + 1) % CORPUS.K
    after = adaptive_losses(params, codes, part, 0.001)
    assert np.array_equal(before[:1_000], after[:1_000])
    assert (before[1_000:] != after[1_000:]).mean() > 0.9


def test_the_best_rate_is_the_one_of_the_least_loss():
    params, part = network(), slice(2_000, 3_000)
    losses = {rate: adaptive_losses(params, CODES, part, rate).mean() for rate in (0.0, 0.001, 0.2)}
    assert losses[0.001] < losses[0.0] < losses[0.2]
    assert best_rate(params, CODES, part, rates=tuple(losses)) == 0.001


def test_a_mixture_worked_by_hand():
    losses = -np.log([[0.5, 0.1], [0.25, 0.3]])
    np.testing.assert_allclose(np.exp(-mixture(losses)), [0.375, 0.2])
    np.testing.assert_allclose(np.exp(-mixture(losses, (0.2, 0.8))), [0.3, 0.26])
    np.testing.assert_allclose(mixture([[800.0], [900.0]]), 800 + np.log(2))


def test_an_ensemble_of_one_is_the_network_and_a_mixture_of_weight_zero_the_ngram():
    part = slice(3_000, 4_000)
    of_network = network_losses(network(), CODES, part)
    of_ngram = ngram_losses(count_ngrams(CODES[:3_000], CORPUS.K, 4), CODES, part, CORPUS.K, kneser_ney)[-1]
    np.testing.assert_allclose(mixture([of_network]), of_network, rtol=1e-12)
    np.testing.assert_allclose(mixture((of_network, of_network)), of_network, rtol=1e-12)
    np.testing.assert_allclose(mixture((of_network, of_ngram), (0, 1)), of_ngram, rtol=1e-12)
    np.testing.assert_allclose(mixture((of_network, of_ngram), (1, 0)), of_network, rtol=1e-12)


def test_the_best_weight_is_where_the_mixture_loses_least():
    rng = np.random.default_rng(0)
    p, q = rng.uniform(0.05, 1, (2, 4_000))
    weight = best_weight(-np.log(p), -np.log(q**1.3))
    grid = np.linspace(0, 1, 1_001)
    means = [mixture((-np.log(p), -np.log(q**1.3)), (w, 1 - w)).mean() for w in grid]
    assert 0.5 < weight < 0.9
    assert weight == pytest.approx(grid[np.argmin(means)], abs=1e-3)
    assert best_weight(np.full(9, 1.0), np.full(9, 2.0)) == pytest.approx(1, abs=1e-4)
    assert best_weight(np.full(9, 2.0), np.full(9, 1.0)) == pytest.approx(0, abs=1e-4)
