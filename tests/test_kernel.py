import numpy as np
import pytest
from numba import njit

from rnn import kernel, model


# not `kernel.compiled`: Numba caches by file, and would not see that kernel.py has changed
@njit(error_model="numpy")
def softmax(o):
    return kernel.softmax(o)


@njit(error_model="numpy")
def tanh(a):
    kernel.tanh(a)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tanh_is_tanh_to_the_last_digits(dtype):
    a = np.concatenate(([0, -np.inf, np.inf], np.linspace(-30, 30, 10_001), np.logspace(-20, 0, 1_000))).astype(dtype)
    expected = np.tanh(a.astype(np.longdouble))
    tanh(a)
    np.testing.assert_allclose(a, expected.astype(dtype), rtol=5 * np.finfo(dtype).eps)


@pytest.mark.parametrize("K", [1, 3, 4, 11])
def test_softmax_holds_wherever_the_largest_score_is(K):
    for largest in range(K):
        o = np.random.default_rng(0).normal(0, 20, K)
        o[largest] = 900  # whose exp is larger than all numbers
        expected = model.softmax(o)
        log_sum = softmax(o)
        np.testing.assert_allclose(o, expected, atol=1e-27)
        assert log_sum == pytest.approx(900)


@pytest.mark.parametrize("at", [0, 1, 5])
def test_a_score_that_is_not_a_number_is_seen(at):
    o = np.zeros(6, np.float32)
    o[at] = np.nan
    assert np.isnan(softmax(o))
