"""The time of a step of training, in versions that must give the same losses before they are timed.

A version is two pieces of code, `forward` and `backward`. A notebook has them in cells that begin with `%%piece` (see
`report.show.pieces`). The loop around them and the update by AdaGrad are the same in all versions. Times are kept in
build/speed/ and measured again only if the code, the machine or the libraries change.
"""

import hashlib
import json
import linecache
import platform
import re
import subprocess
import textwrap
import time
from pathlib import Path

import numba
import numpy as np

from rnn import model
from rnn.corpus import ROOT
from rnn.engine import kernel
from rnn.engine.runs import Config, write_atomically
from rnn.engine.training import advance, first_state, plan
from rnn.model import Params

KERNEL = Path(kernel.__file__)
TIMES = ROOT / "build" / "speed"
MICROSECONDS = 50_000  # the length of a measurement
LIKE_KERNEL = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy"}
BENCHED = {  # {name in `make bench`: label} of the libraries that people would use instead
    "torch_eager": "PyTorch",
    "torch_compile": "PyTorch, torch.compile",
    "jax_scan": "JAX, the whole training in one jit",
}
LOOP = """\
def run(params, memory, h0, codes, starts, resets, losses, rate, clip, T):
    W, U, V, b, c = params
    K, m = V.shape
    for n in range(len(losses)):
        x = codes[starts[n] : starts[n] + T]
        y = codes[starts[n] + 1 : starts[n] + T + 1]
        if resets[n]:
            h0 = np.zeros_like(b)
{pieces}
        update(params, memory, Params(dW, dU, dV, db, dc), rate, clip)
        losses[n] = L
        h0 = h[T]
"""


def update(params, memory, gradient, rate, clip):
    """Take a step of AdaGrad with the clipped gradient in NumPy, in place."""
    for theta, squares, g in zip(params, memory, gradient, strict=True):
        model.adagrad(theta, squares, None, np.clip(g, -clip, clip), rate, None)


@numba.njit
def compiled_update(params, memory, gradient, rate, clip):
    """Take the same step, compiled."""
    kernel.adagrad(params.W.reshape(-1), memory.W.reshape(-1), gradient.W.reshape(-1), rate, clip)
    kernel.adagrad(params.U.reshape(-1), memory.U.reshape(-1), gradient.U.reshape(-1), rate, clip)
    kernel.adagrad(params.V.reshape(-1), memory.V.reshape(-1), gradient.V.reshape(-1), rate, clip)
    kernel.adagrad(params.b, memory.b, gradient.b, rate, clip)
    kernel.adagrad(params.c, memory.c, gradient.c, rate, clip)


@numba.njit(fastmath=True, error_model="numpy")
def _sum(a, times):
    """Read all of the array a, `times` times."""
    total = a[0]
    for _ in range(times):
        total = -total
        for i in range(len(a)):
            total += a[i]
    return total


class Versions:
    """Versions of a step of training. `microseconds` has their times, {label: the shortest time of a step}."""

    def __init__(self, corpus, config=Config(learning_rate=0.001), quick=False, folder=TIMES):
        """Compute the expected losses. The small learning rate keeps rounding small; `quick` only takes two steps."""
        self.corpus = corpus
        self.config = config
        self.quick = quick
        self.folder = Path(folder)
        self.pieces = {}
        self.microseconds = {}
        self.message = ""
        self.dtype = "float64"
        self.compiled = False
        self.expected, _ = self._losses_and_time(model_run, 2 if quick else 40)

    def piece(self, line, body):
        """Replace a piece. If a label follows the name of the piece, check and time the version (the magic `%%piece`).

        Raises ValueError for another piece, and AssertionError if the version gives other losses.
        """
        name, _, label = line.strip().partition(" ")
        if name not in ("forward", "backward"):
            raise ValueError(f"a piece must be forward or backward, got {name!r}")
        self.pieces[name] = body
        self.message = ""
        if label:
            self.time(label)

    def time(self, label, dtype=None, compiled=None):
        """Check and time the current pieces. `dtype` and `compiled`, if given, stay in force for later versions."""
        self.dtype = dtype or self.dtype
        self.compiled = self.compiled if compiled is None else compiled
        kernel_source = KERNEL.read_text("utf-8") if self.compiled else ""
        self._measure(label, self._run_of(self.source), self.source + self.dtype + kernel_source)

    def time_kernel(self, label):
        """Check and time `training.advance`, which trains the networks of the report."""
        self._measure(label, kernel_run, KERNEL.read_text("utf-8"))

    @property
    def source(self):
        """The code of the current version, including the loop."""
        pieces = self.pieces["forward"] + "\n" + self.pieces["backward"]
        return LOOP.format(pieces=textwrap.indent(pieces, " " * 8))

    def rates(self):
        """Return (operations, bytes read) of this processor in a microsecond, in float32.

        The operations are those of a large product of matrices; the bytes are read from an array as large as W, which
        stays in a cache.
        """

        def measured():
            side = 512
            tries = 2 if self.quick else 100
            a = np.ones(self.config.m**2, np.float32)
            A, B = (np.ones((side, side), np.float32) for _ in range(2))
            work, times = (lambda a, _: a.sum(), 1) if self.quick else (_sum, 100)
            work(a, times)
            with kernel.one_thread():
                product = min(_cpu_time(lambda: A @ B) for _ in range(tries))
                reading = min(_cpu_time(lambda: work(a, times)) / times for _ in range(tries))
            return 2 * side**3 / product, a.nbytes / reading

        return self._measured_once("rates", measured)

    def _measure(self, label, run, code):
        """Check and time a version, unless the time of this code is on disk."""

        def measured():
            losses, microseconds = self._losses_and_time(run, len(self.expected))  # the first call compiles
            np.testing.assert_allclose(losses, self.expected, rtol=1e-4, err_msg=f"{label!r} computes something else")
            if self.quick:
                return [microseconds / len(losses)]
            steps = 40 * int(1 + MICROSECONDS / self._losses_and_time(run, 40)[1])
            return [self._losses_and_time(run, steps)[1] / steps for _ in range(9)]

        self.microseconds[label] = min(self._measured_once(code, measured))
        self.message = f"The same losses as model.train_step. {label}: {self.microseconds[label]:,.0f} µs a step"

    def _losses_and_time(self, run, steps):
        """Return the losses (steps,) of the first steps and the microseconds that they took."""
        config = self.config.replace(dtype=self.dtype)
        params, memory, h, *_ = first_state(self.corpus.K, config)
        losses = np.empty(steps)
        with kernel.one_thread():
            microseconds = _cpu_time(lambda: run(params, memory, h, self.corpus.codes, losses, config))
        return losses, microseconds

    def _measured_once(self, what, measure):
        """Return the measurement from disk, or measure now and write it."""
        described = what, self.quick, machine(), self.corpus.K, self.config
        path = self.folder / f"{hashlib.sha256(repr(described).encode()).hexdigest()[:16]}.json"
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(measure()).encode())
        return json.loads(path.read_bytes())

    def _run_of(self, source):
        """Return the function that `source` defines. If it is compiled, that happens in its first call."""
        with_numba = self.compiled and not self.quick  # a rehearsal runs the loops in Python
        helpers = {name: getattr(kernel, name) for name in ("tanh", "softmax")}
        if not with_numba:
            helpers = {name: function.py_func for name, function in helpers.items()}
        namespace = {"np": np, "Params": Params, **helpers, "update": compiled_update if with_numba else update}
        name = f"<version {hashlib.sha256(source.encode()).hexdigest()[:8]}>"
        linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name  # for tracebacks
        exec(compile(source, name, "exec"), namespace)
        loop = numba.njit(**LIKE_KERNEL)(namespace["run"]) if with_numba else namespace["run"]

        def run(params, memory, h, codes, losses, config):
            starts, _, resets, rates = plan(config, len(codes), 0, len(losses))
            codes = codes.astype(np.intp)
            clip = rates.dtype.type(config.clip)
            loop(params, memory.squares, h[0], codes, starts[:, 0], resets, losses, rates[0], clip, config.T)

        return run


def kernel_run(params, memory, h, codes, losses, config):
    """Take the first steps with `training.advance`."""
    advance(params, memory, h, codes, 0, losses, config)


def model_run(params, memory, h, codes, losses, config):
    """Take the first steps with the functions of `model`."""
    advance(params, memory, h, codes, 0, losses, config.replace(engine="numpy"))


def _cpu_time(work):
    """Return the processor time of this thread in microseconds. Other work on the machine does not count."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1e6


def machine():
    """Return in words what the time of a step depends on: the processor, the system, Python, NumPy and Numba."""
    name = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        name = names[0] if names else name
    elif platform.system() == "Darwin":
        name = subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
    return f"{name} ({platform.machine()}), {platform.system()}, {versions}"


def benched():
    """Return {label: microseconds a step} of other libraries, if `make bench` has measured them here; else {}."""
    path = ROOT / "build" / "bench.json"
    measured = json.loads(path.read_bytes()) if path.exists() else {}
    return {label: measured[name] for name, label in BENCHED.items() if name in measured}
