import numpy as np
import pandas as pd
import pytest

from report.measure import memory
from report.measure.statistics import Estimate
from rnn import model

RNG = np.random.default_rng(0)


def network(K=7, m=12, dtype="float64", sigma=0.5):
    return model.init_params(K, m, np.random.default_rng(1), sigma, dtype)


def test_states_and_bits_are_those_of_the_model():
    params, codes = network(), RNG.integers(0, 7, 30)
    h, p = model.forward(params, codes, np.full(12, 0.1))
    of_text = memory.states(params, codes, np.full(12, 0.1))
    np.testing.assert_allclose(of_text, h)
    x = memory.windows(codes, [10, 20], 4)
    assert np.array_equal(x, [codes[6:10], codes[16:20]])
    bits = memory.bits_after(params, h[[6, 16]], x, codes[[10, 20]])
    np.testing.assert_allclose(bits, [-np.log2(p[9, codes[10]]), -np.log2(p[19, codes[20]])])


def test_a_reaching_gradient_is_the_complex_step_derivative():
    """dL_t/dh_{t-k}, by moving h_{t-k} an imaginary step and reading on."""
    params = network()
    codes = RNG.integers(0, 7, 30)
    t = 20
    h = memory.states(params, codes, np.zeros(12))
    norms = memory.gradient_norms(params, h, codes, [t], 5)
    for k in range(6):
        gradient = []
        for i in range(12):
            moved = h[t - k].astype(complex)
            moved[i] += 1e-30j
            for code in codes[t - k : t]:
                moved = np.tanh(params.W @ moved + params.U[:, code] + params.b)
            p = model.softmax(params.V @ moved + params.c)
            gradient.append(-np.log(p[codes[t]]).imag / 1e-30)
        assert norms[k, 0] == pytest.approx(np.linalg.norm(gradient), rel=1e-8)


def test_the_gradient_of_a_linear_network_shrinks_by_its_radius():
    params = network()._replace(W=0.5 * np.eye(12), U=np.zeros((12, 7)))  # states of zero, where tanh is its argument
    norms = memory.gradient_norms(params, np.zeros((31, 12)), RNG.integers(0, 7, 30), [25, 29], 20)
    np.testing.assert_allclose(norms, norms[0] * 0.5 ** np.arange(21)[:, None])
    assert memory.spectral_radius(params.W) == 0.5
    np.testing.assert_allclose(memory.spectral_radius(params.W, np.full((3, 12), 0.6)), 0.5 * (1 - 0.36))


def test_a_network_without_recurrence_remembers_one_character():
    params = network()
    params = params._replace(W=np.zeros_like(params.W))
    codes = RNG.integers(0, 7, 200)
    h = memory.states(params, codes, np.zeros(12))
    at = np.arange(120, 200)
    frame = memory.context(params, h, codes, at, [1, 2, 5, 120], np.random.default_rng(0))
    assert frame["cost"].map(abs_value).max() < 1e-9
    assert frame["changed"].max() == 0
    assert frame["shuffled"].notna().tolist() == [True, True, True, False]
    assert frame["shuffled"][1].value == pytest.approx(0, abs=1e-9)
    assert memory.horizon(frame["cost"], 0.01) == 1
    norms = memory.gradient_norms(params, h, codes, at, 3)
    assert norms[0].min() > 0
    assert norms[1:].max() == 0


def test_context_is_what_the_model_makes_of_the_last_characters_from_another_state():
    params, codes = network(), RNG.integers(0, 7, 130)
    h = memory.states(params, codes, np.zeros(12))
    at = np.array([110, 120])
    (_, row) = next(memory.context(params, h, codes, at, [3], Always()).iterrows())
    elsewhere = h[at[::-1]]
    bits = []
    for place, state in zip(at, elsewhere, strict=True):
        _, p = model.forward(params, codes[place - 3 : place], state)
        bits.append(-np.log2(p[-1, codes[place]]))
    assert row["bits"] == pytest.approx(np.mean(bits))


class Always(np.random.Generator):
    """A generator that turns things round."""

    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def permutation(self, x):
        return x[::-1]


def abs_value(estimate):
    return abs(estimate.value)


def test_a_horizon_is_where_the_bits_lost_stay_small_with_their_interval():
    costs = {
        1: Estimate(1, 0),
        2: Estimate(0.01, 0),
        4: Estimate(0.2, 0),
        8: Estimate(0.01, 0.2),
        16: Estimate(0, 0.01),
    }
    assert memory.horizon(pd.Series(costs), 0.05) == 16
    assert memory.horizon(pd.Series(costs), 0.3) == 2
    assert np.isnan(memory.horizon(pd.Series({1: Estimate(1, 0)}), 0.05))


def test_shuffling_keeps_the_characters_and_the_last_k():
    x = RNG.integers(0, 7, (40, 30))
    mixed = memory.shuffled_before(x, 10, np.random.default_rng(0))
    assert np.array_equal(mixed[:, 20:], x[:, 20:])
    assert np.array_equal(np.sort(mixed[:, :20]), np.sort(x[:, :20]))
    assert (mixed[:, :20] != x[:, :20]).mean() > 0.5
    assert (mixed != x).any(axis=1).all()


@pytest.mark.parametrize("n", [2, 3, 5])
def test_a_network_that_counts_is_a_clock_of_that_period(n):
    """A ring of n units, each of which hands on what it has, and others that follow the text."""
    codes, params = RNG.integers(0, 7, 600), network(sigma=0.3)
    W, U = np.zeros((12, 12)), params.U.copy()
    W[:n, :n] = 5 * np.roll(np.eye(n), 1, axis=0)
    U[:n] = 0
    h = memory.states(params._replace(W=W, U=U), codes, np.r_[0.9, np.full(11, -0.9)])[100:]
    shares = memory.clock(h, 12)
    assert memory.period(shares) == n
    assert shares[n - 1] == pytest.approx(shares[2 * n - 1], abs=0.02)
    assert shares[n - 1] > 0.3
    assert shares[0] == 0


@pytest.mark.parametrize("n", [2, 3, 7.5])
def test_an_eigenvalue_turns_once_in_its_characters(n):
    angle = 2 * np.pi / n
    W = np.diag([0.0, 0, 1, 1])
    W[:2, :2] = 5 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert abs(memory.largest_eigenvalue(W)) == pytest.approx(5)
    assert memory.turn(memory.largest_eigenvalue(W)) == pytest.approx(n)


def test_a_network_that_follows_the_text_is_no_clock():
    h = memory.states(network(), RNG.integers(0, 7, 2_000), np.zeros(12))
    assert memory.clock(h, 12).max() < 0.05
    assert np.isnan(memory.period(memory.clock(h, 12)))
    assert np.array_equal(memory.clock(np.ones((50, 4), np.float32), 3), [0, 0, 0])  # states that do not vary
    assert np.isnan(memory.turn(2.0))
    assert memory.turn(-2.0) == 2
