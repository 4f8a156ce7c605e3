import numpy as np
import pytest

from report.measure.held_out import network_losses
from report.measure.mixtures import best_weights, mixture, table
from report.measure.ngrams import count_ngrams, kneser_ney, ngram_losses
from rnn import model
from rnn.corpus import read_corpus

CORPUS = read_corpus()
CODES = CORPUS.codes[:5_000]


def network(dtype="float32", seed=0):
    return model.init_params(CORPUS.K, 16, np.random.default_rng(seed), 0.3, dtype)


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


def test_the_best_weights_are_where_the_mixture_loses_least():
    p, q = np.random.default_rng(0).uniform(0.05, 1, (2, 4_000))
    losses = -np.log((p, q**1.3))
    weights = best_weights(losses)
    grid = np.linspace(0, 1, 1_001)
    means = [mixture(losses, (weight, 1 - weight)).mean() for weight in grid]
    assert weights.sum() == pytest.approx(1)
    assert 0.5 < weights[0] < 0.9
    assert weights[0] == pytest.approx(grid[np.argmin(means)], abs=2e-3)
    assert best_weights([np.full(9, 1.0), np.full(9, 2.0)]) == pytest.approx([1, 0], abs=1e-4)


def test_weights_are_chosen_on_validation_and_what_copies_a_predictor_adds_nothing_to_the_control():
    rng = np.random.default_rng(0)
    validation, test = (dict(zip("abc", rng.exponential(2, (3, 2_000)), strict=True)) for _ in range(2))
    validation["d"], test["d"] = validation["a"], test["a"]
    mixtures = {"a alone": ["a"], "control": ["a", "b"], "copy": ["a", "b", "d"], "more": ["a", "b", "c"]}
    frame = table(mixtures, validation, test, "control")
    assert frame.index.tolist() == list(mixtures)
    expected = mixture([test["a"], test["b"]], best_weights([validation["a"], validation["b"]])) / np.log(2)
    assert frame["test, bits"]["control"].value == pytest.approx(expected.mean())
    assert frame["minus the control"]["copy"].value == pytest.approx(0, abs=1e-4)
    assert frame["minus the control"]["a alone"].value > 0 > frame["minus the control"]["more"].value
    assert frame["minus the control"]["control"] is None
