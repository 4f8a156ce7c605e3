import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp

from rnn import gradcheck, model
from rnn.corpus import read_corpus
from rnn.mistakes import BACKWARD, H0_DROPPED, plant


def mean_loss(parameters, x, y):
    """Return the mean loss in nats per character, as chapter 5 gives it to Autograd."""
    W, U, V, b, c, h = parameters
    total = 0.0
    for code, target in zip(x, y, strict=True):
        h = anp.tanh(W @ h + U[:, code] + b)
        o = V @ h + c
        total = total + anp.log(anp.exp(o).sum()) - o[target]
    return total / len(x)


@pytest.fixture(scope="module")
def problems():
    corpus = read_corpus()

    def make(**settings):
        return gradcheck.make_problem(corpus.codes, corpus.K, np.random.default_rng(0), **settings)

    return {"h0 = 0": make(), "random h0": make(h0_sigma=0.5), "large weights": make(m=10, sigma=1.0, h0_sigma=0.5)}


def worst(problem, numerical, backward=model.backward):
    errors = gradcheck.relative_errors(problem, numerical, model.forward, backward)
    return {name: error.max() for name, error in errors.items()}


def test_complex_step_errors_are_below_1e_13_for_all_parameters_and_h0(problems):
    problem = problems["random h0"]
    errors = worst(problem, gradcheck.complex_step(model.loss, *problem))
    assert set(errors) == {"W", "U", "V", "b", "c", "h₀"}
    assert max(errors.values()) < 1e-13


@pytest.mark.parametrize("bug", BACKWARD, ids=lambda bug: bug.what)
def test_every_bug_is_caught_at_large_weights(problems, bug):
    problem = problems["large weights"]
    right = gradcheck.analytic_gradients(problem)  # checked above
    with np.errstate(all="ignore"):
        assert not max(worst(problem, right, plant(model.backward, bug)).values()) < 1e-10


def test_the_bug_of_the_original_passes_at_h0_zero_and_is_caught_at_random_h0(problems):
    at_zero, at_random = (
        worst(p, gradcheck.centred_differences(model.loss, *p), plant(model.backward, H0_DROPPED))
        for p in list(problems.values())[:2]
    )
    assert max(at_zero.values()) < 1e-5
    assert at_random["W"] > 0.1
    assert max(error for name, error in at_random.items() if name != "W") < 1e-5


def test_the_numerical_gradients_leave_the_parameters_as_they_were(problems):
    problem = problems["random h0"]
    before = [theta.copy() for theta in (*problem.params, problem.h0)]
    gradcheck.centred_differences(model.loss, *problem)
    assert all(np.array_equal(a, b) for a, b in zip(before, (*problem.params, problem.h0), strict=True))


def test_relative_error_is_zero_where_both_are_zero():
    np.testing.assert_array_equal(gradcheck.relative_error(np.array([0.0, 1.0]), np.array([0.0, -1.0])), [0, 1])


def test_autograd_finds_the_gradient_of_the_mean_loss():
    corpus = read_corpus()
    problem = gradcheck.make_problem(corpus.codes, corpus.K, np.random.default_rng(0), m=10, sigma=None, h0_sigma=0.5)
    theirs = grad(mean_loss)((*problem.params, problem.h0), problem.x, problem.y)
    for ours, of_autograd in zip(gradcheck.analytic_gradients(problem).values(), theirs, strict=True):
        np.testing.assert_allclose(ours / len(problem.x), of_autograd, rtol=1e-9, atol=1e-12)
