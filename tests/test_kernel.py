"""The kernel's functions, and its doors: what they let through is in bounds, and BLAS has one thread inside."""

import subprocess
import sys

import numpy as np
import pytest
from numba import njit
from threadpoolctl import threadpool_info, threadpool_limits

from rnn import model
from rnn.corpus import ROOT, read_corpus
from rnn.engine import kernel, training
from rnn.engine.runs import WORDS, Config
from rnn.engine.training import first_state, plan, train

K, m, N = 7, 5, 60
CONFIG = Config(m=m, T=4, B=2, dtype="float64")
CODES = np.random.default_rng(0).integers(0, K, N).astype(np.uint8)


def arguments(**changes):
    """Arguments of `kernel.advance` for ten steps, some of them changed."""
    params, memory, h, *_ = first_state(K, CONFIG)
    given = {"params": params, "memory": memory, "h": h, "codes": CODES, "losses": np.empty(10)}
    return given | {"plan": plan(CONFIG, N, 0, 10), "clip": 5.0, "optimizer": "adagrad"} | changes


def bytes_of(given):
    params, memory = given["params"], given["memory"]
    arrays = (*params, *memory.squares, *memory.means, memory.updates, given["h"], given["losses"])
    return [array.tobytes() for array in arrays]


def with_plan(**changes):
    return {"plan": plan(CONFIG, N, 0, 10)._replace(**changes)}


def with_params(**changes):
    return {"params": first_state(K, CONFIG).params._replace(**changes)}


def with_memory(**changes):
    return {"memory": first_state(K, CONFIG).memory._replace(**changes)}


def codes(at, code, dtype=np.int64):
    changed = CODES.astype(dtype)
    changed[at] = code
    return {"codes": changed}


STARTS, LENGTHS = plan(CONFIG, N, 0, 10)[:2]
WRONG = {
    "a code of K": codes(8, K),
    "a negative code": codes(8, -1),
    "a huge code": codes(8, 2**60),
    "codes that are no integers": {"codes": CODES.astype(float)},
    "a text of two dimensions": {"codes": CODES[:, None]},
    "a text too short": {"codes": CODES[:30]},
    "a text without the last target": {"codes": CODES[: (STARTS + LENGTHS[:, None]).max()]},
    "no text": {"codes": CODES[:0]},
    "a start past the end": with_plan(starts=STARTS + 53),
    "a start far past the end": with_plan(starts=STARTS + 2**40),
    "a start before the text": with_plan(starts=STARTS - 1),
    "starts of one strand": with_plan(starts=STARTS[:, :1]),
    "starts that are no integers": with_plan(starts=STARTS.astype(float)),
    "a plan too short": {"plan": plan(CONFIG, N, 0, 9)},
    "lengths past the end": with_plan(lengths=LENGTHS + 40),
    "lengths of 0": with_plan(lengths=LENGTHS * 0),
    "negative lengths": with_plan(lengths=-LENGTHS),
    "lengths of another number": with_plan(lengths=LENGTHS[:9]),
    "rates of another number": with_plan(rates=np.ones(9)),
    "rates of another type": with_plan(rates=np.ones(10, np.float32)),
    "resets of another number": with_plan(resets=np.ones(11, bool)),
    "losses of another number": {"losses": np.empty(11)},
    "losses of another type": {"losses": np.empty(10, np.float32)},
    "states of another network": {"h": np.zeros((2, m + 1))},
    "states of another batch": {"h": np.zeros((3, m))},
    "states of another type": {"h": np.zeros((2, m), np.float32)},
    "states of one dimension": {"h": np.zeros(m)},
    "another W": with_params(W=np.zeros((m, m + 1))),
    "U transposed": with_params(U=np.zeros((K, m))),
    "V of fewer characters": with_params(V=np.zeros((K - 1, m))),
    "a bias too short": with_params(c=np.zeros(K - 1)),
    "weights of two types": with_params(b=np.zeros(m, np.float32)),
    "weights of a type it has not": {
        "params": model.Params(*(t.astype(np.float16) for t in first_state(K, CONFIG)[0]))
    },
    "memories of another network": with_memory(squares=first_state(K + 1, CONFIG).memory.squares),
    "means of another network": with_memory(means=first_state(K, CONFIG.replace(m=m + 1)).memory.means),
    "no number of updates": with_memory(updates=np.zeros(0, np.int64)),
    "an optimiser there is not": {"optimizer": "strange"},
}


@pytest.mark.parametrize("case", WRONG)
def test_what_would_lead_out_of_an_array_is_refused_and_nothing_is_touched(case):
    given = arguments(**WRONG[case])
    before = bytes_of(given)
    with pytest.raises(ValueError):  # noqa: PT011
        kernel.advance(**given)
    assert bytes_of(given) == before


def test_arrays_that_are_not_contiguous_are_trained_all_the_same():
    plain, strided = arguments(), arguments()
    wide = [np.repeat(theta, 2, axis=-1)[..., ::2] for theta in strided["params"]]
    strided |= {"params": model.Params(*wide), "codes": np.repeat(CODES, 2)[::2]}
    strided["memory"] = strided["memory"]._replace(
        squares=model.Params(*(theta.copy(order="F") for theta in strided["memory"].squares))
    )
    kernel.advance(**plain)
    kernel.advance(**strided)
    assert bytes_of(plain) == bytes_of(strided)


@pytest.mark.parametrize("wrong", [np.array([0, K]), np.array([-1, 0]), np.array([0.0, 1.0])])
def test_a_text_of_other_codes_is_not_evaluated(wrong):
    params = first_state(K, CONFIG).params
    with pytest.raises(ValueError, match=f"expected codes from 0 to {K - 1}"):
        kernel.evaluate(params, np.zeros(m), wrong)


def test_sequences_are_evaluated_together_as_each_alone():
    params = first_state(K, CONFIG).params
    rng = np.random.default_rng(0)
    h = rng.uniform(-1, 1, (3, m))
    codes = rng.integers(K, size=(3, 150))
    together = kernel.evaluate(params, h, codes)
    assert together.shape == (3, 149)
    np.testing.assert_allclose(
        together,
        [kernel.evaluate(params, *state_and_codes) for state_and_codes in zip(h, codes, strict=True)],
        rtol=1e-12,
    )
    assert kernel.evaluate(params, h, codes[:, :1]).shape == (3, 0)


@pytest.mark.parametrize("length", [1, 2, kernel.PIECE, kernel.PIECE + 1, 150])
def test_the_states_after_a_text_are_those_of_the_model(length):
    params = first_state(K, CONFIG).params
    rng = np.random.default_rng(0)
    h = rng.uniform(-1, 1, (3, m))
    codes = rng.integers(K, size=(3, length))
    given = h.copy()
    expected = [model.forward(params, x, h0)[0][-1] for x, h0 in zip(codes, h, strict=True)]
    np.testing.assert_allclose(kernel.states_after(params, h, codes), expected, rtol=1e-9)
    np.testing.assert_allclose(kernel.states_after(params, h[0], codes[0]), expected[0], rtol=1e-9)
    assert np.array_equal(h, given)


def test_the_kernel_has_every_rule_of_the_model_by_its_name():
    assert list(kernel.RULES) == list(model.OPTIMIZERS)
    assert len(set(kernel.RULES.values())) == len(kernel.RULES)


def test_without_a_folder_for_machine_code_it_is_compiled_all_the_same():
    """As where another user has set everything up, and the home cannot be written to."""
    program = (
        "from numba.core import caching; caching.CacheImpl._locator_classes = []; "
        "from rnn.engine import kernel; print(type(kernel._advance._cache).__name__)"
    )
    output = subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, capture_output=True, text=True)
    assert output.stdout.startswith("NullCache")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_begin_where_a_line_of_the_cache_does(dtype):
    for size in range(1, 30):
        padded = kernel.padded(np.ones((size, size), dtype), size, 32)
        assert padded.ctypes.data % 64 == 0
        assert padded.sum() == size * size


@pytest.mark.parametrize("h", [np.zeros(m + 1), np.zeros((1, m)), np.zeros(m, np.float32), np.zeros(m, int)])
def test_states_of_another_network_are_refused(h):
    params = first_state(K, CONFIG).params
    with pytest.raises(ValueError, match=r"expected .*, got "):
        kernel.evaluate(params, h, CODES)


@pytest.mark.parametrize("text", [1, 2, 25, 26, 60])
def test_a_text_of_one_character_less_than_a_sequence_or_far_less(text):
    """A sequence longer than the text is the text, wherever sequences may begin."""
    corpus = read_corpus().part(0, text + 1)
    for order in WORDS["order"]:
        config = Config(m=3, T=25, remainder=True, order=order, epochs=3)
        of_steps = plan(config, text + 1, 0, config.steps(text + 1))
        assert (of_steps.starts >= 0).all()
        assert ((of_steps.starts + of_steps.lengths[:, None]) <= text).all()
        assert of_steps.lengths.max() == min(25, text)
        params, memory, h, *_ = first_state(corpus.K, config)
        losses = np.full(config.steps(text + 1), np.nan)
        training.advance(params, memory, h, corpus.codes, 0, losses, config)
        assert np.isfinite(losses).all()


def test_a_sequence_far_longer_than_the_text_takes_no_more_room_than_the_text(tmp_path):
    config = Config(m=3, T=10**12, remainder=True, order="random", epochs=2)
    run = train(read_corpus().part(0, 100), config, runs=tmp_path, show=False)
    assert len(run.losses) == 2


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize("engine", ["kernel", "numpy"])
def test_blas_has_one_thread_inside_the_kernel_alone(monkeypatch, engine):
    seen = []

    def spy(function):
        def call(*given):
            seen.append(blas_threads())
            return function(*given)

        return call

    for module, name in ((kernel, "_advance"), (kernel, "_evaluate"), (model, "train_step")):
        monkeypatch.setattr(module, name, spy(getattr(module, name)))
    config = CONFIG.replace(engine=engine)
    params, memory, h, *_ = first_state(K, config)
    with threadpool_limits(2, "blas"):
        training.advance(params, memory, h, CODES, 0, np.empty(5), config)
        kernel.evaluate(params, h[0], CODES)
        with pytest.raises(ValueError, match="the kernel has no optimiser 'strange'"):
            kernel.advance(**arguments(optimizer="strange"))
        assert blas_threads() == {2}
    assert len(seen) >= 2
    assert all(threads == {1} for threads in seen)


def test_importing_the_package_leaves_the_threads_of_the_process_alone():
    program = (
        "import scipy.linalg, threadpoolctl as t; t.threadpool_limits(2); before = t.threadpool_info(); "
        "from report import show; from rnn.engine import training, kernel, sweep; from report.measure import held_out; "
        "assert {p['filepath']: p['num_threads'] for p in before}.items() "
        "<= {p['filepath']: p['num_threads'] for p in t.threadpool_info()}.items()"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


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


@pytest.mark.parametrize("small", [0, 20_000])
@pytest.mark.parametrize("n", [1, 2, 3, 8, 17, 200])
def test_products_are_right_whether_blas_is_fast_at_small_ones_or_not(monkeypatch, small, n):
    """What Numba compiles, as Python runs it: the size is that of this machine's BLAS in the compiled code."""
    monkeypatch.setattr(kernel, "SMALL", small)
    A, D, R = (np.random.default_rng(0).normal(size=shape) for shape in ((n, 16), (n, 16), (16, 16)))
    monkeypatch.setattr(kernel, "dot", kernel.dot.py_func)
    for product in (lambda out: kernel.product.py_func(A, R, R.T.copy(), out), lambda out: kernel.dot(A, R, out)):
        out = np.full_like(A, np.nan)
        product(out)
        np.testing.assert_allclose(out, A @ R, rtol=0, atol=1e-12)
    out = np.full_like(R, np.nan)
    kernel.dot_of_rows.py_func(A, D, out)
    np.testing.assert_allclose(out, A.T @ D, rtol=0, atol=1e-12)
