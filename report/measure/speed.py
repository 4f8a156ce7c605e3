"""How long a step of training takes, in versions that are held to the same losses before they are timed.

A version is two pieces of code, `forward` and `backward`, which a notebook writes in cells that begin with `%%piece`
(see `report.show.pieces`); the loop around them and the update by AdaGrad are the same in all. What a version
took is kept in build/speed/ under a name that its code, the machine and the libraries decide, and not measured again.
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
KEPT = ROOT / "build" / "speed"
MICROSECONDS = 50_000  # of a measurement
LIKE_KERNEL = {"fastmath": {"reassoc", "contract", "arcp", "nsz"}, "error_model": "numpy"}
BENCHED = {  # rows of `make bench`: what people would use instead
    "torch_eager": "PyTorch",
    "torch_compile": "PyTorch, torch.compile",
    "jax_scan": "JAX, the whole training in one jit",
}
LOOP = """\
def run(params, memory, h0, codes, starts, fresh, losses, rate, clip, T):
    W, U, V, b, c = params
    K, m = V.shape
    for n in range(len(losses)):
        x, y = codes[starts[n] : starts[n] + T], codes[starts[n] + 1 : starts[n] + T + 1]
        if fresh[n]:
            h0 = np.zeros_like(b)
{pieces}
        update(params, memory, Params(dW, dU, dV, db, dc), rate, clip)
        losses[n] = L
        h0 = h[T]
"""


def update(params, memory, gradient, rate, clip):
    """One step of AdaGrad in NumPy, in place, of the clipped gradient."""
    for theta, squares, g in zip(params, memory, gradient, strict=True):
        model.adagrad(theta, squares, None, np.clip(g, -clip, clip), rate, None)


@numba.njit
def compiled_update(params, memory, gradient, rate, clip):
    """The same, compiled."""
    kernel.adagrad(params.W.reshape(-1), memory.W.reshape(-1), gradient.W.reshape(-1), rate, clip)
    kernel.adagrad(params.U.reshape(-1), memory.U.reshape(-1), gradient.U.reshape(-1), rate, clip)
    kernel.adagrad(params.V.reshape(-1), memory.V.reshape(-1), gradient.V.reshape(-1), rate, clip)
    kernel.adagrad(params.b, memory.b, gradient.b, rate, clip)
    kernel.adagrad(params.c, memory.c, gradient.c, rate, clip)


@numba.njit(fastmath=True, error_model="numpy")
def _sum(a, times):
    """Read all of an array, so many times."""
    total = a[0]
    for _ in range(times):
        total = -total
        for i in range(len(a)):
            total += a[i]
    return total


class Versions:
    """Versions of a step of training, each timed, in `microseconds` {label: the shortest time of a step}."""

    def __init__(self, corpus, config=Config(learning_rate=0.001), quick=False, kept=KEPT):
        """Begin without a version. A small learning rate keeps rounding small; a rehearsal takes a step or two."""
        self.corpus, self.config, self.quick, self.kept = corpus, config, quick, Path(kept)
        self.pieces, self.microseconds, self.said = {}, {}, ""
        self.dtype, self.compiled = "float64", False
        self.expected, _ = self._taken(model_run, 2 if quick else 40)

    def piece(self, line, body):
        """Exchange a piece; with a label behind its name, check the version and time it (the magic `%%piece`)."""
        name, _, label = line.strip().partition(" ")
        if name not in ("forward", "backward"):
            raise ValueError(f"a piece is forward or backward, got {name!r}")
        self.pieces[name], self.said = body, ""
        if label:
            self.time(label)

    def time(self, label, dtype=None, compiled=None):
        """Check the pieces as they are, and time them; from here on in another type, or compiled, if asked."""
        self.dtype, self.compiled = dtype or self.dtype, self.compiled if compiled is None else compiled
        of_kernel = KERNEL.read_text("utf-8") if self.compiled else ""
        self._measure(label, self._run_of(self.source), self.source + self.dtype + of_kernel)

    def time_kernel(self, label):
        """Check and time `training.advance`, which trains the networks of this report."""
        self._measure(label, kernel_run, KERNEL.read_text("utf-8"))

    @property
    def source(self):
        """The code of the version, the loop around the pieces included."""
        pieces = self.pieces["forward"] + "\n" + self.pieces["backward"]
        return LOOP.format(pieces=textwrap.indent(pieces, " " * 8))

    def rates(self):
        """Return how many operations the processor does in a microsecond, and how many bytes it reads, in float32.

        The first in a large product of matrices, the second in an array as large as W, which stays in a cache.
        """

        def measured():
            side, a, tries = 512, np.ones(self.config.m**2, np.float32), 2 if self.quick else 100
            A, B = (np.ones((side, side), np.float32) for _ in range(2))
            work, times = (lambda a, _: a.sum(), 1) if self.quick else (_sum, 100)
            work(a, times)
            with kernel.one_thread():
                product = min(_cpu_time(lambda: A @ B) for _ in range(tries))
                reading = min(_cpu_time(lambda: work(a, times)) / times for _ in range(tries))
            return 2 * side**3 / product, a.nbytes / reading

        return self._kept("rates", measured)

    def _measure(self, label, run, decides):
        def measured():
            losses, taken = self._taken(run, len(self.expected))  # the first call compiles
            np.testing.assert_allclose(losses, self.expected, rtol=1e-4, err_msg=f"{label!r} computes something else")
            if self.quick:
                return [taken / len(losses)]
            steps = 40 * int(1 + MICROSECONDS / self._taken(run, 40)[1])
            return [self._taken(run, steps)[1] / steps for _ in range(9)]

        self.microseconds[label] = min(self._kept(decides, measured))
        self.said = f"The same losses as model.train_step. {label}: {self.microseconds[label]:,.0f} µs a step"

    def _taken(self, run, steps):
        """Return the losses of so many first steps, and the microseconds that they took."""
        config, codes = self.config.replace(dtype=self.dtype), self.corpus.codes
        params, memory, h, *_ = first_state(self.corpus.K, config)
        losses = np.empty(steps)
        with kernel.one_thread():
            taken = _cpu_time(lambda: run(params, memory, h, codes, losses, config))
        return losses, taken

    def _kept(self, decides, measure):
        """Return the measurement that is on disk, or measure now."""
        described = decides, self.quick, machine(), self.corpus.K, self.config
        path = self.kept / f"{hashlib.sha256(repr(described).encode()).hexdigest()[:16]}.json"
        if not path.exists():
            self.kept.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(measure()).encode())
        return json.loads(path.read_bytes())

    def _run_of(self, source):
        """Return the function that a source defines; it is compiled when it is first called."""
        inside = self.compiled and not self.quick  # in a rehearsal the loops are Python's
        helpers = {name: getattr(kernel, name) for name in ("tanh", "softmax")}
        if not inside:
            helpers = {name: function.py_func for name, function in helpers.items()}
        namespace = {"np": np, "Params": Params, **helpers, "update": compiled_update if inside else update}
        name = f"<version {hashlib.sha256(source.encode()).hexdigest()[:8]}>"
        linecache.cache[name] = len(source), None, source.splitlines(keepends=True), name  # for tracebacks
        exec(compile(source, name, "exec"), namespace)
        loop = numba.njit(**LIKE_KERNEL)(namespace["run"]) if inside else namespace["run"]

        def run(params, memory, h, codes, losses, config):
            starts, _, fresh, rates = plan(config, len(codes), 0, len(losses))
            rate, clip = rates[0], rates.dtype.type(config.clip)
            loop(params, memory.squares, h[0], codes.astype(np.intp), starts[:, 0], fresh, losses, rate, clip, config.T)

        return run


def kernel_run(params, memory, h, codes, losses, config):
    """Take the first steps with `training.advance`."""
    advance(params, memory, h, codes, 0, losses, config)


def model_run(params, memory, h, codes, losses, config):
    """Take the first steps with the functions of `model`."""
    advance(params, memory, h, codes, 0, losses, config.replace(engine="numpy"))


def _cpu_time(work):
    """Return the microseconds of its own that this thread took: others on the machine do not count."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1e6


def machine():
    """Return what the time of a step depends on, in words: the processor, the system, Python, NumPy."""
    name = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
        name = names[0] if names else name
    elif platform.system() == "Darwin":
        name = subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, Numba {numba.__version__}"
    return f"{name} ({platform.machine()}), {platform.system()}, {versions}"


def benched():
    """Return what `make bench` has measured of other libraries here, {label: microseconds a step}, if it has."""
    path = ROOT / "build" / "bench.json"
    measured = json.loads(path.read_bytes()) if path.exists() else {}
    return {label: measured[name] for name, label in BENCHED.items() if name in measured}
