import numpy as np
import pytest
from scipy.stats import chisquare

from rnn import model
from rnn.sampling import GREEDY, next_distribution, sample, state_after

SCORES = np.array([2.0, 1.0, 0.5, 0.0, -1.0, -3.0])
ZERO = np.zeros(8)


def network(K=6, m=8, seed=0, sigma=1.0):
    return model.init_params(K, m, np.random.default_rng(seed), sigma, np.float64)


@pytest.mark.parametrize(("temperature", "top_p"), [(1, 1), (0.5, 1), (2, 1), (1, 0.9), (1.5, 0.7)])
def test_frequencies_follow_the_distribution(temperature, top_p):
    # V and U are zero, so that every character is drawn from the same distribution, softmax c
    params = model.Params(*(np.zeros_like(theta) for theta in network()))._replace(c=SCORES)
    drawn = sample(params, ZERO, 0, 20_000, np.random.default_rng(0), temperature, top_p)
    p = next_distribution(SCORES, temperature, top_p)
    counts = np.bincount(drawn, minlength=6)
    assert counts[p == 0].sum() == 0
    assert chisquare(counts[p > 0], 20_000 * p[p > 0]).pvalue > 0.01


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("temperature", "top_p"), [(1, 1), (0.5, 1), (1.5, 0.9), (0.8, 0.3)])
def test_each_character_is_drawn_from_the_networks_own_prediction(temperature, top_p, dtype):
    """`forward` reads what was drawn, from the same state, and predicts what the draws were made from."""
    params = model.init_params(40, 16, np.random.default_rng(0), 0.2, dtype)
    h0, x = np.linspace(-1, 1, 16, dtype=dtype), 3
    drawn = sample(params, h0, x, 500, np.random.default_rng(5), temperature, top_p)
    h, _ = model.forward(params, np.array([x, *drawn[:-1]]), h0)
    uniforms = np.random.default_rng(5).random(500)
    for state, u, code in zip(h[1:], uniforms, drawn, strict=True):
        p = next_distribution(params.V @ state + params.c, temperature, top_p)
        assert p[:code].sum() - 1e-6 <= u <= p[: code + 1].sum() + 1e-6
        assert p[code] > 0


def test_reading_goes_on_from_a_state():
    params, codes = network(), np.array([0, 3, 1, 5])
    h, _ = model.forward(params, codes, ZERO)
    np.testing.assert_allclose(state_after(params, codes), h[-1], rtol=1e-12)
    np.testing.assert_allclose(state_after(params, codes[2:], state_after(params, codes[:2])), h[-1], rtol=1e-12)


def test_temperature_divides_the_scores():
    np.testing.assert_allclose(next_distribution(SCORES, 2.0), model.softmax(SCORES / 2), rtol=1e-12)


def test_the_nucleus_is_the_fewest_characters_with_the_probability():
    p = model.softmax(SCORES)
    for top_p in (0.01, 0.5, 0.8, 0.9, 0.999):
        kept = next_distribution(SCORES, 1.0, top_p) > 0
        assert p[kept].sum() >= top_p
        assert p[kept].sum() - p[kept].min() < top_p
        np.testing.assert_allclose(next_distribution(SCORES, 1.0, top_p)[kept], p[kept] / p[kept].sum(), rtol=1e-12)


@pytest.mark.parametrize("temperature", [GREEDY, 1e-300])
def test_greedy_takes_the_most_probable_character(temperature):
    params = network()
    drawn = sample(params, ZERO, 0, 30, np.random.default_rng(0), temperature)
    _, p = model.forward(params, np.array([0, *drawn[:-1]]), ZERO)
    assert drawn.tolist() == p.argmax(axis=1).tolist()


def test_the_same_seed_gives_the_same_text_and_another_seed_another():
    first, again, other = (sample(network(), ZERO, 0, 100, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


BAD = [
    ({"temperature": 0}, "temperature must be > 0 and finite, got 0"),
    ({"temperature": -1.0}, r"temperature must be > 0 and finite, got -1\.0"),
    ({"temperature": float("nan")}, "temperature must be > 0 and finite, got nan"),
    ({"temperature": float("inf")}, "temperature must be > 0 and finite, got inf"),
    ({"top_p": 0}, r"top-p must be in \(0, 1\], got 0"),
    ({"top_p": 1.1}, r"top-p must be in \(0, 1\], got 1\.1"),
    ({"top_p": float("nan")}, r"top-p must be in \(0, 1\], got nan"),
    ({"length": -1}, "length must be 0 or more characters, got -1"),
]


@pytest.mark.parametrize(("setting", "sentence"), BAD)
def test_settings_that_mean_nothing_are_refused(setting, sentence):
    settings = {"params": network(), "h": ZERO, "x": 0, "length": 5, "rng": np.random.default_rng(0)} | setting
    with pytest.raises(ValueError, match=sentence):
        sample(**settings)
