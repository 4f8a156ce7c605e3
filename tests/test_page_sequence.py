import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from report.show import sequence
from report.show.web import as_json
from rnn import gradcheck, mistakes, model
from rnn.gradcheck import Problem
from tests.conftest import ROOT

NODE = Path(sys.prefix) / "bin" / "node"
SIZES = [(5, 3, 2), (5, 40, 25), (20, 83, 10), (100, 83, 25)]  # m, K, T
BUGS = {name: mistakes.plant(model.backward, bug) for name, bug in sequence.bugs().items()}


def problem(m, K, T, sigma=0.3, h0_sigma=0.5):
    rng = np.random.default_rng([m, K, T])
    return gradcheck.make_problem(rng.integers(0, K, T + 1), K, rng, m, T, sigma, h0_sigma)


def in_javascript(problems, mistake=None, places=(), steps=0, backward=None):
    questions = [
        {
            **sequence.packed_problem("", whole, "".join(map(chr, range(256, 512))), "<f8"),
            "theirs": backward and sequence.packed_returned(whole, model.forward, backward),
            "mistake": mistake,
            "places": places,
            "steps": steps,
        }
        for whole in problems
    ]
    command = [NODE, ROOT / "tests" / "sequence.mjs"]
    run = subprocess.run(command, input=as_json(questions), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def flat(gradient):
    return {name: d.ravel() for name, d in gradient._replace(U=gradient.U.T)._asdict().items()}


def assert_same(found, expected, what, size=None):
    size = np.abs(expected).max(initial=1e-300) if size is None else size
    np.testing.assert_allclose(found, np.asarray(expected), rtol=0, atol=1e-12 * size, err_msg=what)


def differ(found, right):
    size = max(np.linalg.norm(found), np.linalg.norm(right))
    share = np.linalg.norm(found - right) / size if size else 0
    return 0 if share < 1e-10 else share


@pytest.mark.parametrize("mistake", [None, *BUGS])
@pytest.mark.parametrize("h0_sigma", [0.5, 0.0])
def test_the_views_numbers_are_those_of_numpy(mistake, h0_sigma):
    problems = [problem(*size, sigma, h0_sigma) for size in SIZES for sigma in (0.01, 0.7 * size[0] ** -0.5)]
    for (params, x, y, h0), answer in zip(problems, in_javascript(problems, mistake), strict=True):
        h, p = model.forward(params, x, h0)
        assert_same(answer["h"], h, "h")
        assert_same(answer["p"], p, "p")
        assert answer["loss"] == pytest.approx(model.cross_entropy(p, y), rel=1e-13)
        gradient, dh0 = BUGS.get(mistake, model.backward)(params, x, y, h, p)
        right, right_dh0 = model.backward(params, x, y, h, p)
        assert_same(answer["gradient"]["h0"], dh0, "dh0")
        for name, d in flat(gradient).items():  # what is clipped has the rounding of what was clipped
            size = max(np.abs(d).max(), np.abs(getattr(right, name)).max())
            assert_same(answer["gradient"][name], d, name, size)
        pairs = {"h0": (dh0, right_dh0)} | {name: (d, flat(right)[name]) for name, d in flat(gradient).items()}
        apart = {name: differ(*pair) for name, pair in pairs.items()}
        assert answer["differences"] == pytest.approx(apart, rel=1e-9), "how far each gradient is from the truth"


def test_the_terms_of_some_columns_are_the_gradient_of_the_rest_of_the_sequence():
    params, x, y, h0 = whole = problem(20, 40, 10)
    (answer,) = in_javascript([whole])
    h, p = model.forward(params, x, h0)
    gradient, _ = model.backward(params, x[5:], y[5:], h[5:], p[5:])
    for name, d in flat(gradient).items():
        assert_same(answer["half"][name], d, name)
    assert not any(answer["half"]["h0"]), "h0 belongs to the first column"


def test_the_complex_step_and_the_centred_difference_are_those_of_numpy():
    whole = problem(5, 6, 8)
    exact = gradcheck.complex_step(model.loss, *whole)
    exact = {"h0": exact.pop("h₀")} | {name: d.T.ravel() if name == "U" else d.ravel() for name, d in exact.items()}
    places = [(name, i) for name, d in exact.items() for i in range(len(d))]
    (answer,) = in_javascript([whole], places=places)
    for (name, i), (complex_step, centred) in zip(places, answer["numerical"], strict=True):
        assert complex_step == pytest.approx(exact[name][i], rel=1e-12, abs=1e-14), (name, i)
        assert centred == pytest.approx(exact[name][i], rel=1e-6, abs=1e-9), (name, i)


def test_updates_are_those_of_train_step():
    params, x, y, h0 = whole = problem(20, 40, 10, sigma=0.01)
    (answer,) = in_javascript([whole], steps=4)
    theirs = model.Params(*(theta.copy() for theta in params))
    memory = model.init_memory(params)
    for _ in range(4):
        model.train_step(theirs, memory, x[None], y[None], h0[None].copy(), 0.1, 5)
    for name, theta in flat(theirs).items():
        np.testing.assert_allclose(answer["updated"][name], theta, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("name", "columns"),
    [(None, set()), ("H0_DROPPED", {0}), ("W_NOT_TRANSPOSED", set(range(9))), ("TARGETS_ARE_INPUTS", set(range(10)))],
)
def test_the_columns_are_marked_in_which_a_notebooks_backward_is_wrong(name, columns):
    whole = problem(20, 40, 10)
    backward = BUGS.get(name, model.backward)
    assert set(np.flatnonzero(sequence.wrong_columns(whole, model.forward, backward))) == columns
    (answer,) = in_javascript([whole], name)
    assert set(np.flatnonzero(answer["columns"])) == columns, "and the page marks the same"


def test_a_gradient_of_U_that_is_overwritten_is_marked_at_letters_that_come_twice():
    whole = Problem(*problem(20, 40, 10)[:1], np.array([3, 5, 3, 7, 8, 5, 9, 3]), np.arange(8), np.full(20, 0.5))

    def overwriting(params, x, y, h, p):
        gradient, dh0 = model.backward(params, x, y, h, p)
        dU = np.zeros_like(gradient.U)
        last = {code: t for t, code in enumerate(x)}
        for code, t in last.items():
            rest, _ = model.backward(params, x[t:], y[t:], h[t:], p[t:])
            dU[:, code] = rest.U[:, code]
        return gradient._replace(U=dU), dh0

    wrong = sequence.wrong_columns(whole, model.forward, overwriting)
    assert set(np.flatnonzero(wrong)) == {0, 1, 2}


@pytest.mark.parametrize("number", [np.nan, np.inf])
@pytest.mark.parametrize("name", model.Params._fields)
def test_a_gradient_with_a_number_that_is_not_finite_is_wrong(name, number):
    def backward(*given):
        gradient, dh0 = model.backward(*given)
        getattr(gradient, name).flat[0] = number
        return gradient, dh0

    (answer,) = in_javascript([problem(5, 3, 2)], backward=backward)
    assert [theta for theta, share in answer["differences"].items() if share != 0] == [name]


def test_a_state_that_is_not_a_number_is_wrong_from_its_column_on():
    def forward(params, x, h0):
        h, p = model.forward(params, x, h0)
        h[4:], p[3:] = np.nan, np.nan
        return h, p

    assert set(np.flatnonzero(sequence.wrong_columns(problem(20, 40, 10), forward, model.backward))) == set(
        range(3, 10)
    )
