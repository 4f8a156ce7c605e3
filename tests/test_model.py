import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn import gradcheck, model
from rnn.engine.runs import Config
from rnn.engine.training import advance, first_state


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    K=st.integers(2, 12), m=st.integers(1, 7), T=st.integers(1, 12), sigma=st.floats(0.01, 1), seed=st.integers(0, 999)
)
def test_gradients_agree_with_the_complex_step_at_a_random_carried_state(K, m, T, sigma, seed):
    rng = np.random.default_rng(seed)
    problem = gradcheck.make_problem(rng.integers(0, K, T + 1), K, rng, m, T, sigma, h0_sigma=0.5)
    analytic = gradcheck.analytic_gradients(problem)
    exact = gradcheck.complex_step(model.loss, *problem)
    for name, gradient in exact.items():
        # a component may be a small rest of large terms: the array's largest is the scale
        np.testing.assert_allclose(analytic[name], gradient, rtol=1e-10, atol=1e-13 * max(1, np.abs(gradient).max()))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_forward_keeps_the_type_and_predicts_probabilities(dtype):
    params = model.Params(*(t.astype(dtype) for t in model.init_params(7, 4, np.random.default_rng(0), 1, np.float64)))
    h, p = model.forward(params, np.array([0, 3, 6]), np.zeros(4, dtype))
    assert (h.dtype, h.shape, p.dtype, p.shape) == (dtype, (4, 4), dtype, (3, 7))
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_the_loss_is_the_sum_over_the_sequence_in_nats():
    params = model.init_params(83, 5, np.random.default_rng(0), sigma=0, dtype=np.float64)
    x = np.zeros(25, int)
    assert model.loss(params, x, x, np.zeros(5)) == pytest.approx(25 * np.log(83), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_a_probability_that_is_rounded_to_zero_has_a_finite_loss_and_others_the_loss_they_had(dtype):
    """Without a warning, which pytest would raise."""
    p = np.array([[0, 1], [1e-30, 1], [0.5, 0.5]], dtype)
    assert np.isfinite(model.cross_entropy(p[:1], np.zeros(1, int)))
    assert model.cross_entropy(p[1:], np.zeros(2, int)) == -np.log(p[1:, 0]).sum()


def test_softmax_does_not_overflow():
    np.testing.assert_allclose(model.softmax(np.array([1e4, 1e4, 0.0])), [0.5, 0.5, 0])


def test_backward_returns_the_gradient_unclipped():
    problem = gradcheck.make_problem(np.arange(26) % 3, 3, np.random.default_rng(0), sigma=3, h0_sigma=1)
    assert max(np.abs(gradient).max() for gradient in gradcheck.analytic_gradients(problem).values()) > 5


@pytest.mark.parametrize("rest", [False, True])
def test_the_loop_of_the_chapters_takes_the_steps_of_training_over_the_end_of_the_text(rest):
    codes = np.random.default_rng(1).integers(0, 5, 90)
    config = Config(m=7, T=25, learning_rate=0.05, clip=0.5, dtype="float64", remainder=rest, engine="numpy")
    (params, memory, h, *_) = first_state(5, config)
    losses = np.empty(9)
    advance(params, memory, h, codes, 0, losses, config)
    ours = model.init_params(5, 7, np.random.default_rng(config.seed), config.sigma, np.float64)
    found, state = model.learn(ours, codes, 9, eta=0.05, clip=0.5, rest=rest)
    np.testing.assert_array_equal(found, losses)
    np.testing.assert_array_equal(state, h[0])
    for theta, expected in zip(ours, params, strict=True):
        np.testing.assert_array_equal(theta, expected)
