import sys

import numpy as np

from rnn.engine.runs import Config
from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import baselines
import bench


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
