import base64
import gzip
import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from report.measure.held_out import network_losses
from report.measure.statistics import smooth
from report.show import web, widget
from report.show.web import pack
from rnn.corpus import read_corpus, split
from rnn.engine import kernel
from rnn.engine.runs import Config
from rnn.engine.training import ABSURD, advance, first_state, train
from rnn.model import Params
from rnn.sampling import sample
from tests.conftest import ROOT

NODE = Path(sys.prefix) / "bin" / "node"
CODES = read_corpus().codes[:8_000]
SMALL_STEPS = {  # so small that rounding does not make another run of it
    "adagrad": {"optimizer": "adagrad", "learning_rate": 0.01, "sigma": None},
    "adam": {"optimizer": "adam", "learning_rate": 0.001, "sigma": None},
}


@pytest.fixture(scope="module", params=["kernel.wasm", "kernel-fused.wasm"])
def compiled(request, project):
    made = project.make(f"build/web/{request.param}")
    assert made.returncode == 0, made.stdout + made.stderr
    return project.folder / "build" / "web" / request.param


def question(config, K, steps, codes=None, **more):
    codes = CODES % K if codes is None else codes
    settings = {"m": config.m, "T": config.T, "rate": config.learning_rate, "clip": config.clip}
    return {
        "settings": settings | {"optimizer": config.optimizer},
        "K": K,
        "codes": codes.tolist(),
        "end": len(codes),
        "weights": base64.b64encode(pack(first_state(K, config).params)).decode(),
        "steps": steps,
    } | more


def in_javascript(compiled, questions):
    command = [NODE, ROOT / "tests" / "trainer.mjs", compiled]
    run = subprocess.run(command, input=json.dumps(questions), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def in_numpy(config, K, steps, codes=None):
    state, losses = first_state(K, config), np.zeros(steps)
    advance(*state[:3], CODES % K if codes is None else codes, 0, losses, config.replace(engine="numpy"))
    return state, losses


def unpacked(packed, like):
    flat = np.frombuffer(base64.b64decode(packed), "<f4")
    arrays = like._replace(U=like.U.T)
    ends = np.cumsum([theta.size for theta in arrays])[:-1]
    parts = [part.reshape(theta.shape) for part, theta in zip(np.split(flat, ends), arrays, strict=True)]
    return Params(*parts)._replace(U=parts[1].T)


@pytest.mark.parametrize("optimizer", SMALL_STEPS)
def test_the_losses_in_the_page_are_those_of_the_model(compiled, optimizer):
    sizes = list(product((5, 20, 100), (3, 40, 83), (2, 5, 25)))
    configs = [Config(m=m, T=T, **SMALL_STEPS[optimizer]) for m, _, T in sizes]
    asked = [question(config, K, steps=100) for config, (_, K, _) in zip(configs, sizes, strict=True)]
    for config, (m, K, T), answer in zip(configs, sizes, in_javascript(compiled, asked), strict=True):
        state, losses = in_numpy(config, K, 100)
        of_them = f"m = {m}, K = {K}, T = {T}"
        np.testing.assert_allclose(answer["losses"], losses, rtol=1e-4, err_msg=of_them)
        for theirs, ours in zip(unpacked(answer["weights"], state.params), state.params, strict=True):
            np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-3, err_msg=of_them)


def test_the_text_begins_again_from_a_state_of_zero(compiled):
    config = Config(m=20, T=10, **SMALL_STEPS["adam"])
    codes = CODES[:107] % 40  # an epoch has 10 steps, and a remainder
    (answer,) = in_javascript(compiled, [question(config, 40, 35, codes)])
    np.testing.assert_allclose(answer["losses"], in_numpy(config, 40, 35, codes)[1], rtol=1e-4)


def test_the_clipping_in_the_page_is_the_models(compiled):
    for clip in (0.01, float("inf")):
        config = Config(m=20, T=10, clip=clip, **SMALL_STEPS["adagrad"])
        asked = question(config, 83, 200)
        asked["settings"]["clip"] = min(clip, 1e38)
        (answer,) = in_javascript(compiled, [asked])
        np.testing.assert_allclose(answer["losses"], in_numpy(config, 83, 200)[1], rtol=1e-4)


def test_what_is_held_out_and_what_is_drawn_are_as_in_python(compiled):
    config = Config(m=50, **SMALL_STEPS["adam"])
    uniforms = np.random.default_rng(0).random(500)
    asked = question(config, 83, 300, CODES, heldOut=7_900, uniforms=uniforms.tolist()) | {"end": 7_600}
    (answer,) = in_javascript(compiled, [asked])
    state, losses = in_numpy(config, 83, 300, CODES[:7_600])
    np.testing.assert_allclose(answer["losses"], losses, rtol=1e-4)
    params = unpacked(answer["weights"], state.params)
    held_out = slice(7_600, 7_900)
    bits = network_losses(params, CODES, held_out, state.h[-1]).mean() / np.log(2)
    assert answer["bits"] == pytest.approx(bits, rel=1e-5)
    # from the state that training carries, and the next character of the text; an epoch has 303 steps
    h = state.h[-1]
    x = CODES[300 * config.T]
    drawn = answer["drawn"]
    expected = sample(params, h, x, 500, np.random.default_rng(0))  # draws by the same uniforms
    assert drawn["codes"] == expected.tolist()
    surprises = kernel.evaluate(params, h, np.concatenate(([x], expected))) / np.log(2)
    np.testing.assert_allclose(drawn["bits"], surprises, rtol=1e-3, atol=1e-4)


def test_more_steps_than_there_is_room_for_are_taken_in_turns(compiled):
    config = Config(m=5, T=2, **SMALL_STEPS["adagrad"])
    (answer,) = in_javascript(compiled, [question(config, 3, 1_000_000)])
    assert 0 < len(answer["losses"]) == answer["step"] < 1_000_000
    assert answer["diverged"] is None


def test_what_diverges_stops_before_the_step_that_is_absurd(compiled):
    config = Config(m=20, learning_rate=1e6)
    (answer,) = in_javascript(compiled, [question(config, 83, 500)])
    assert answer["step"] == len(answer["losses"]) < 500
    assert max(answer["losses"]) < ABSURD * 25 * np.log(83)
    assert not float(answer["diverged"]) < ABSURD * 25 * np.log(83)


def test_where_webassembly_or_its_vectors_are_missing_there_is_no_kernel(compiled):
    script = """
import { readFileSync } from "node:fs";
import { chosenKernel } from "./web/network.mjs";
const kernel = readFileSync(process.argv[1]);
const found = () => chosenKernel([kernel]) === kernel;
const seen = [found()];
WebAssembly.validate = () => false;
seen.push(found());
delete globalThis.WebAssembly;
seen.push(found());
process.stdout.write(JSON.stringify(seen));"""
    command = [NODE, "--input-type=module", "--eval", script, compiled]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [True, False, False]


def packed_for_the_page(tmp_path, monkeypatch, corpus=None, **settings):
    monkeypatch.setattr(widget, "ROOT", tmp_path)
    corpus = corpus or read_corpus(quick=True)
    config = Config(m=10, epochs=1, **settings)
    run = train(split(corpus).train, config, runs=tmp_path / "runs", show=False)
    widget.trainer(run, corpus, smooth(run.losses, 0.999))
    return run, corpus, json.loads(next((tmp_path / "figures" / corpus.id).glob("training-*.json")).read_text("utf-8"))


def test_the_page_has_the_text_the_first_weights_and_the_curve(tmp_path, monkeypatch):
    run, corpus, packed = packed_for_the_page(tmp_path, monkeypatch)
    assert packed["repeats"]
    assert gzip.decompress(base64.b64decode(packed["text"])).decode() == corpus.text
    params = first_state(corpus.K, run.config).params
    for theirs, ours in zip(unpacked(packed["weights"], params), params, strict=True):
        np.testing.assert_array_equal(theirs, ours)
    steps, values = np.array(packed["curve"]).T
    assert (steps[0], steps[-1]) == (1, run.last_step)
    np.testing.assert_allclose(values, smooth(run.losses, packed["alpha"])[steps.astype(int) - 1], atol=0.006)
    assert (packed["end"], packed["heldOut"]) == (10_800, 11_400)


@pytest.mark.parametrize("settings", [{"B": 2}, {"order": "random"}, {"decay": True}, {"remainder": True}])
def test_the_page_says_so_if_it_cannot_repeat_a_run(tmp_path, monkeypatch, settings):
    assert not packed_for_the_page(tmp_path, monkeypatch, **settings)[-1]["repeats"]


def test_the_page_has_the_beginning_of_a_long_text(tmp_path, monkeypatch):
    monkeypatch.setattr(web, "PAGE_CHARACTERS", 5_000)
    _, corpus, packed = packed_for_the_page(tmp_path, monkeypatch, clip=float("inf"))
    assert packed["cut"]
    assert packed["end"] is None
    assert packed["settings"]["clip"] is None
    assert gzip.decompress(base64.b64decode(packed["text"])).decode() == corpus.text[:5_000]
