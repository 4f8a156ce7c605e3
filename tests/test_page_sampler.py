import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from report.measure import ngrams
from report.show.web import pack, spread
from rnn import model
from rnn.corpus import read_corpus
from rnn.model import Params
from rnn.sampling import next_distribution, state_after
from tests.conftest import ROOT

CORPUS = read_corpus()
NODE = Path(sys.prefix) / "bin" / "node"


def in_javascript(params, codes, temperature=1.0, top_p=1.0, seed=1, length=0):
    question = {
        "packed": base64.b64encode(pack(params)).decode(),
        "m": len(params.b),
        "K": len(params.c),
        "codes": [int(code) for code in codes],
        "temperature": temperature,
        "topP": top_p,
        "seed": seed,
        "length": length,
    }
    command = [NODE, ROOT / "tests" / "sampler.mjs"]
    run = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


@pytest.mark.parametrize("longest", [1, 3, 5])
@pytest.mark.parametrize("text", ["novel", "short"])
def test_the_5_gram_in_the_page_is_that_of_python(longest, text):
    codes = CORPUS.codes[:20_000] if text == "novel" else np.array([0, 1, 2, 0, 1, 3, 1, 2], np.uint8)
    K = int(codes.max()) + 1
    read_ = CORPUS.codes[30_000:30_300] % K
    question = {"codes": codes.tolist(), "K": K, "longest": longest, "read": read_.tolist()}
    run = subprocess.run(
        [NODE, ROOT / "tests" / "ngrams.mjs"], input=json.dumps(question), capture_output=True, text=True, check=True
    )
    tables = ngrams.count_ngrams(codes.astype(int), K, longest)
    p = ngrams.ngram_probabilities(tables, read_.astype(int), K, ngrams.kneser_ney)[longest]
    found = json.loads(run.stdout)
    np.testing.assert_allclose(found["p"], p, rtol=1e-9)
    np.testing.assert_allclose(found["total"], 1, rtol=1e-9)


def weights(seed=0):
    """Weights that make distributions as sharp as those of a trained network, and a state that is not chaotic."""
    rng = np.random.default_rng(seed)
    W, U, V, _, _ = model.init_params(CORPUS.K, 100, rng, sigma=0.3)
    return Params(W / 4, U, V, rng.normal(0, 0.3, 100).astype("f4"), rng.normal(0, 1, CORPUS.K).astype("f4"))


@pytest.mark.parametrize(
    ("steps", "n", "chosen"),
    [
        ([0], 5, [0]),
        ([0, 100], 5, [0, 100]),
        ([0, 10, 20, 30], 0, [30]),
        ([0, 10, 20, 30], 1, [30]),
        ([0, 10, 20, 30], 2, [0, 30]),
        (range(0, 1001, 10), 4, [0, 10, 100, 1000]),
        ([0, 10, 100, 1000, 1010, 1020], 4, [0, 10, 100, 1020]),
    ],
)
def test_the_steps_in_the_page_are_as_many_as_have_room(steps, n, chosen):
    assert spread(list(steps), n) == chosen


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.5, 1.0), (1.5, 0.9), (0.05, 0.5)])
def test_the_probabilities_in_the_page_are_those_of_numpy(temperature, top_p):
    params, codes = weights(), CORPUS.codes[:300]
    found = in_javascript(params, codes, temperature, top_p)["p"]
    h = None
    exact = Params(*(theta.astype(np.float64) for theta in params))
    for code, p in zip(codes, found, strict=True):
        h = state_after(exact, [code], h)
        np.testing.assert_allclose(p, next_distribution(exact.V @ h + exact.c, temperature, top_p), rtol=0, atol=1e-9)


def test_what_a_character_leaned_on_is_the_gradient_of_the_model():
    params, codes = weights(), CORPUS.codes[:30]
    W, U, V, b, c = (theta.astype(np.float64) for theta in params)
    x, y = codes[:-1], codes[-1]
    norms = in_javascript(params, codes)["norms"]
    for t in range(len(x)):
        # the character at t as one of its own, K: then dL/dU has dL/da_t in that character's column
        at_t = np.where(np.arange(len(x)) == t, CORPUS.K, x.astype(int))
        theirs = Params(W, np.column_stack((U, U[:, x[t]])), np.vstack((V, np.zeros(100))), b, np.append(c, -np.inf))
        h, p = model.forward(theirs, at_t, np.zeros(100))
        p[:-1] = 0
        p[np.arange(len(x) - 1), x[1:]] = 1  # so that only the last loss counts
        gradient, _ = model.backward(theirs, at_t, np.append(x[1:], y).astype(int), h, p)
        assert norms[t] == pytest.approx(np.linalg.norm(U.T @ gradient.U[:, CORPUS.K]), rel=1e-6)


def test_the_draws_in_the_page_follow_the_distribution_and_their_seed():
    params, n = weights(), 50_000
    found = in_javascript(params, CORPUS.codes[:1], seed=7, length=n)
    assert found == in_javascript(params, CORPUS.codes[:1], seed=7, length=n)
    assert found["drawn"] != in_javascript(params, CORPUS.codes[:1], seed=8, length=n)["drawn"]
    uniforms = np.array(found["uniforms"])
    p = np.array(found["p"][0])
    assert 0 <= uniforms.min() < 1e-3 < 1 - 1e-3 < uniforms.max() < 1
    assert abs(np.corrcoef(uniforms[:-1], uniforms[1:])[0, 1]) < 4 / np.sqrt(n)
    counts = np.bincount(found["drawn"], minlength=CORPUS.K)
    chi_squared = ((counts - n * p) ** 2 / (n * p)).sum()
    assert abs(chi_squared - (CORPUS.K - 1)) < 4 * np.sqrt(2 * (CORPUS.K - 1))


def test_a_unit_is_part_of_a_clock_if_it_comes_round_and_not_if_it_stands_still():
    code = f"""
const {{ clockOf }} = await import("{(ROOT / "web" / "sampler.mjs").as_uri()}");
const valuesOf = (values) => Array.from({{ length: 300 }}, (_, t) => values[t % values.length]);
const [round, still] = [[0.9, -0.8, 0.1], [1, 0.99]].map(valuesOf);
console.log(JSON.stringify([clockOf(round), clockOf(still).share]));
"""
    run = subprocess.run([NODE, "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
    (clock, share_of_still) = json.loads(run.stdout)
    assert (clock["n"], round(clock["share"], 6)) == (3, 1)
    assert share_of_still == 0
