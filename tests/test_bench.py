import sys

import numpy as np

from rnn.engine import training
from rnn.engine.runs import Config
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import baselines
import bench
import moonshot


def test_what_is_timed_beside_the_kernel_computes_the_same_losses(project, tmp_path):
    codes, params = bench.make_problem(K=83, m=20)
    implementations = dict(baselines.QUICK)
    if c_float32 := baselines.build_c(tmp_path):
        implementations["c_float32"] = c_float32
    assert project.make("build/web/kernel-fused.wasm").returncode == 0
    implementations["web_float32"] = baselines.build_web(project.folder / "build")
    assert "kernel_float32" in implementations
    bench.check_same_losses(implementations, codes, params)
    losses = baselines.kernel_float32(codes, params, 60, Config())
    assert losses.shape == (60,)
    assert np.isfinite(losses).all()


def test_in_a_mixture_that_is_the_network_alone_the_steps_are_those_of_training():
    config = moonshot.ADAM.replace(m=5, T=7, B=3, epochs=1)
    codes = np.random.default_rng(0).integers(0, 9, 500).astype(np.uint8)
    both = []
    for steps, more in ((training.advance, ()), (moonshot.mixed_steps, (np.full(500, 0.5), 1.0))):
        params, memory, h = training.first_state(9, config)[:3]
        losses = np.full(config.steps(500), np.nan)
        steps(params, memory, h, codes, 0, losses, config, *more)
        both.append((*params, losses))
    for one, other in zip(*both, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
