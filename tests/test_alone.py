"""The mathematics is a folder that a student can copy: it needs NumPy, and nothing else of this project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

from rnn.corpus import ROOT

PROGRAM = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {"numpy", "rnn", *sys.stdlib_module_names}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Refuse())
from pathlib import Path
import numpy as np
from rnn import corpus, gradcheck, mistakes, model, sampling

text = corpus.read_corpus(sys.argv[1])
rng = np.random.default_rng(0)
params = model.init_params(text.K, 20, rng, sigma=0.3, dtype=np.float64)
x, y, h0 = text.codes[:10], text.codes[1:11], np.zeros(20)
gradient, _ = model.backward(params, x, y, *model.forward(params, x, h0))
numerical = np.zeros_like(params.W)
for place in np.ndindex(*params.W.shape):
    changed = params._replace(W=params.W.astype(complex))
    changed.W[place] += 1e-30j
    numerical[place] = model.loss(changed, x, y, h0).imag / 1e-30
error = np.abs(gradient.W - numerical).max()

memory, h, losses = model.init_memory(params), np.zeros((1, 20)), []
for n in range(1_000):
    start = n * 25 % (len(text.codes) - 26)
    x, y = text.codes[start : start + 25], text.codes[start + 1 : start + 26]
    losses.append(model.train_step(params, memory, x[None], y[None], h, 0.1, 5)[0])
codes = sampling.sample(params, h[0], x[-1], 40, rng)
print(error, np.mean(losses[:50]), np.mean(losses[-50:]), len(corpus.decode(codes, text.vocabulary)))
"""


def test_the_folder_alone_checks_its_gradient_trains_and_writes(tmp_path):
    shutil.copytree(ROOT / "rnn", tmp_path / "rnn", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "text.txt").write_text("To be, or not to be, that is the question. " * 40, "utf-8")
    environment = os.environ | {"PYTHONPATH": str(Path(np.__file__).parents[1])}
    command = [sys.executable, "-S", "-c", PROGRAM, "text.txt"]
    output = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)
    error, first, last, length = map(float, output.split())
    assert error < 1e-12
    assert last < first / 2
    assert length == 40
