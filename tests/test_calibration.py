import numpy as np
import pytest

from report.measure import calibration, held_out, laws, memory, ngrams
from rnn import model
from rnn.model import softmax

RNG = np.random.default_rng(0)


def drawn(o, temperature, rng=RNG):
    """Return a character for each row of the scores, drawn at a temperature."""
    p = softmax(o / temperature)
    return (p.cumsum(axis=1) < rng.random((len(o), 1))).sum(axis=1).clip(max=o.shape[1] - 1)


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.7])
def test_the_temperature_that_the_characters_were_drawn_at_is_found(temperature):
    o = RNG.normal(0, 2, (20_000, 6))
    y = drawn(o, temperature)
    assert calibration.fitted_temperature(o, y) == pytest.approx(temperature, rel=0.03)
    best = calibration.losses_at(o, y, temperature).mean()
    assert best <= calibration.losses_at(o, y, 1).mean() + 1e-3
    assert calibration.losses_at(o, y, temperature) == pytest.approx(
        -np.log2(softmax(o / temperature)[np.arange(len(y)), y])
    )


def test_right_predictions_happen_as_often_as_predicted_and_too_sure_ones_do_not():
    o = RNG.normal(0, 1.5, (20_000, 6))
    y, edges = drawn(o, 1), np.linspace(0, 1, 11)
    table = calibration.reliability(softmax(o), y, edges)
    assert table["n"].sum() == o.size
    for happened, predicted in zip(table["happened"], table["predicted"], strict=True):
        assert abs(happened.value - predicted) <= 1.5 * happened.half
    overconfident = calibration.reliability(softmax(3 * o), y, edges)
    assert overconfident["predicted"].iloc[-1] > overconfident["happened"].iloc[-1].value + 0.1


def test_reliability_worked_by_hand():
    p = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8]])
    table = calibration.reliability(p, np.array([0, 1, 1]), [0, 0.5, 1])
    assert table["n"].tolist() == [3, 3]
    assert table["predicted"].tolist() == pytest.approx([0.4 / 3, 2.6 / 3])
    assert [weights.value for weights in table["happened"]] == pytest.approx([1 / 3, 2 / 3])


def test_scores_are_those_that_the_held_out_loss_is_of():
    params = model.init_params(9, 12, np.random.default_rng(1), 0.5)
    codes = RNG.integers(0, 9, 300)
    o, y = calibration.scores(params, np.zeros(12, np.float32), codes)
    losses = held_out.network_losses(params, codes, slice(1, 300))
    np.testing.assert_allclose(calibration.losses_at(o, y, 1), losses / np.log(2), rtol=1e-3)


def test_entropies_are_those_of_the_distributions():
    assert calibration.entropy(np.array([[0.5, 0.5, 0, 0], [0.25] * 4])) == pytest.approx([1, 2])
    params = model.init_params(8, 12, np.random.default_rng(1), 0.5)
    h = RNG.uniform(-1, 1, (30, 12)).astype(np.float32)
    x = RNG.integers(0, 8, 30)
    one = calibration.entropies(params, h, x, 20)
    assert one.shape == (20, 30)
    assert np.array_equal(one, calibration.entropies(params, h, x, 20))
    assert not np.array_equal(one, calibration.entropies(params, h, x, 20, seed=1))
    after = [model.forward(params, [code], state)[1][0] for code, state in zip(x, h, strict=True)]
    np.testing.assert_allclose(one[0], calibration.entropy(np.array(after)), rtol=1e-4)


def test_the_characters_written_follow_the_networks_distribution():
    """A network that writes three characters in turn has no entropy."""
    params = model.init_params(3, 3, np.random.default_rng(1), 0, "float64")
    V = 40 * np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]])  # after k comes k + 1
    params = params._replace(U=20 * np.eye(3), V=V)
    assert calibration.entropies(params, np.zeros((9, 3)), np.zeros(9, int), 5).max() < 1e-6


def test_zipf_and_heaps_of_a_text_by_hand():
    words = laws.tokens("The cat, the dog; THE cow’s cat.")
    assert words.tolist() == ["the", "cat", "the", "dog", "the", "cow’s", "cat"]
    assert laws.zipf(words).tolist() == [3, 2, 1, 1]
    assert laws.heaps(words).tolist() == [1, 2, 2, 3, 3, 4, 4]
    assert laws.tokens("白鯨。" * 9 + "\n").tolist() == ["白", "鯨"] * 9
    assert laws.curves({"no letters": "#+ " * 9})["Heaps"]["no letters"].size == 0


def test_exponents_of_curves_that_are_powers():
    x = np.arange(1, 500)
    assert laws.exponent(x, 3 * x**0.7) == pytest.approx(0.7)
    assert laws.exponent([0, 1, 2, 4], [5, 1, 2, 4]) == pytest.approx(1)
    assert np.isnan(laws.exponent([2, 2], [1, 3]))


def test_taylors_exponent_is_a_half_of_independent_words_and_more_of_words_in_bursts():
    share = 1 / np.arange(1, 301)
    independent = RNG.choice(300, 60_000, p=share / share.sum())
    assert laws.exponent(*laws.taylor(independent, 600)) == pytest.approx(0.5, abs=0.02)
    # each stretch of 600 has its own favourites
    topics = [RNG.choice(300, 600, p=weights / weights.sum()) for weights in share * RNG.gamma(0.5, 1, (100, 300))]
    assert laws.exponent(*laws.taylor(np.concatenate(topics), 600)) > 0.65
    mean, deviation = laws.taylor(np.array(list("aabbabab")), 4)
    assert (mean.tolist(), deviation.tolist()) == ([2, 2], [0, 0])


@pytest.mark.parametrize("smoothing", [ngrams.witten_bell, ngrams.kneser_ney])
def test_drawn_ngrams_have_the_probabilities_of_ngrams(smoothing):
    codes = np.array([0, 1, 2, 0, 1, 1, 0, 2, 1, 0, 1, 2, 2, 0])
    K = 4
    tables = ngrams.count_ngrams(codes, K, 3)
    of_texts = ngrams.sample_ngrams(tables, K, 3, 60_000, np.random.default_rng(0), smoothing)
    for a, b in ((0, 1), (2, 2), (1, 3)):
        after = of_texts[2, (of_texts[0] == a) & (of_texts[1] == b)]
        expected = [ngrams.ngram_probabilities(tables, np.array([a, b, k]), K, smoothing)[-1, -1] for k in range(K)]
        share = np.bincount(after, minlength=K) / len(after)
        np.testing.assert_allclose(share, expected, atol=4 / np.sqrt(len(after)))
    first = [ngrams.ngram_probabilities(tables, np.array([k]), K, smoothing)[-1, -1] for k in range(K)]
    np.testing.assert_allclose(np.bincount(of_texts[0], minlength=K) / 60_000, first, atol=0.01)


def test_a_network_of_random_states_has_the_entropy_it_has_everywhere():
    params = model.init_params(6, 10, np.random.default_rng(3), 0.3)
    codes = RNG.integers(0, 6, 400)
    h = memory.states(params, codes, np.zeros(10, np.float32))
    of_texts = calibration.entropies(params, h[:-1], codes, 40)
    assert of_texts[:10].mean() == pytest.approx(of_texts[-10:].mean(), abs=0.05)
