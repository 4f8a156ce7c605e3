import time

import numpy as np
import pytest
from scipy.stats import chisquare

from rnn import model
from rnn.sampling import GREEDY, next_distribution, read, sample, sample_text

SCORES = np.array([2.0, 1.0, 0.5, 0.0, -1.0, -3.0])


def network(K=6, m=8, seed=0, sigma=1.0):
    return model.init_params(K, m, np.random.default_rng(seed), sigma, np.float64)


@pytest.mark.parametrize(("temperature", "top_p"), [(1, 1), (0.5, 1), (2, 1), (1, 0.9), (1.5, 0.7)])
def test_frequencies_follow_the_distribution(temperature, top_p):
    # V and U are zero, so that every character is drawn from the same distribution, softmax c
    params = model.Params(*(np.zeros_like(theta) for theta in network()))._replace(c=SCORES)
    drawn = sample(params, [0], 20_000, np.random.default_rng(0), temperature, top_p)
    p = next_distribution(SCORES, temperature, top_p)
    counts = np.bincount(drawn, minlength=6)
    assert counts[p == 0].sum() == 0
    assert chisquare(counts[p > 0], 20_000 * p[p > 0]).pvalue > 0.01


def test_a_character_depends_on_the_one_before():
    # what comes after each character, against forward's own prediction in that state
    params = network()
    drawn = sample(params, [0], 50, np.random.default_rng(1))
    h, p = model.forward(params, np.array([0, *drawn[:-1]]), np.zeros(8))
    np.testing.assert_allclose(read(params, [0, *drawn[:-1]]), h[-1], rtol=1e-12)
    uniforms = np.random.default_rng(1).random(50)
    assert drawn.tolist() == [int(np.searchsorted(np.cumsum(q), u)) for q, u in zip(p, uniforms, strict=True)]


def test_temperature_divides_the_scores():
    np.testing.assert_allclose(next_distribution(SCORES, 2.0), model.softmax(SCORES / 2), rtol=1e-12)


def test_the_nucleus_is_the_fewest_characters_with_the_probability():
    p = model.softmax(SCORES)
    for top_p in (0.01, 0.5, 0.8, 0.9, 0.999):
        kept = next_distribution(SCORES, 1.0, top_p) > 0
        assert p[kept].sum() >= top_p
        assert p[kept].sum() - p[kept].min() < top_p
        np.testing.assert_allclose(next_distribution(SCORES, 1.0, top_p)[kept], p[kept] / p[kept].sum(), rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("temperature", "top_p"), [(1, 1), (0.5, 1), (1.5, 0.9), (0.8, 0.3)])
def test_the_kernel_draws_from_the_reference_distribution(temperature, top_p, dtype):
    params = model.init_params(40, 16, np.random.default_rng(0), 0.2, dtype)
    drawn = sample(params, [3, 1], 500, np.random.default_rng(5), temperature, top_p)
    h, expected = read(params, [3, 1]), []
    for u, code in zip(np.random.default_rng(5).random(500), drawn, strict=True):
        p = next_distribution(params.V @ h + params.c, temperature, top_p)
        expected.append(int(np.searchsorted(np.cumsum(p), u * p.sum(), side="right")))
        h = read(params, [code], h)
    assert (drawn == expected).mean() > 0.99  # a draw within a rounding error of a boundary may fall to the other side


def test_greedy_takes_the_most_probable_character():
    params = network()
    drawn = sample(params, [0], 30, np.random.default_rng(0), temperature=GREEDY)
    _, p = model.forward(params, np.array([0, *drawn[:-1]]), np.zeros(8))
    assert drawn.tolist() == p.argmax(axis=1).tolist()


def test_the_same_seed_gives_the_same_text_and_another_seed_another():
    first, again, other = (sample_text(network(), "abcdef", "a", 100, seed) for seed in (1, 1, 2))
    assert first == again != other


BAD = [
    ({"temperature": 0}, "temperature must be > 0 and finite, got 0"),
    ({"temperature": -1.0}, r"temperature must be > 0 and finite, got -1\.0"),
    ({"temperature": float("nan")}, "temperature must be > 0 and finite, got nan"),
    ({"temperature": float("inf")}, "temperature must be > 0 and finite, got inf"),
    ({"top_p": 0}, r"top-p must be in \(0, 1\], got 0"),
    ({"top_p": 1.1}, r"top-p must be in \(0, 1\], got 1\.1"),
    ({"top_p": float("nan")}, r"top-p must be in \(0, 1\], got nan"),
    ({"length": -1}, "length must be 0 or more characters, got -1"),
    ({"prime": ""}, "at least one character"),
    ({"prime": "a☃"}, "has never seen '☃'"),
]


@pytest.mark.parametrize(("setting", "sentence"), BAD)
def test_settings_that_mean_nothing_are_refused(setting, sentence):
    with pytest.raises(ValueError, match=sentence):
        sample_text(**{"params": network(), "vocabulary": "abcdef", "prime": "a", "length": 5, "seed": 0} | setting)


def test_sampling_a_character_takes_as_long_at_the_end_of_a_long_text_as_at_its_beginning():
    params = network(83, 100, sigma=0.1)
    seconds = {}
    for length in (10_000, 100_000):
        times = []
        for seed in range(3):
            began = time.perf_counter()
            sample(params, [0], length, np.random.default_rng(seed), 0.8, 0.9)
            times.append(time.perf_counter() - began)
        seconds[length] = min(times)
    assert seconds[100_000] < 40 * seconds[10_000]
