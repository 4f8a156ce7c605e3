"""What a training run is, and how it lies on disk.

runs/<text>/<run>/run.json          what the run was made from: the configuration, the text's hash, the vocabulary
                  losses.f64        the loss of every step, as plain 8-byte floats
                  snapshots/<n>.npz the weights after n steps, and the states
                  checkpoint.npz    all that the run needs to go on
"""

import hashlib
import io
import json
import os
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn.corpus import ROOT
from rnn.model import Memory, Params

RUNS = ROOT / "runs"
FORMAT = 2  # of these files; a run of another format is another run


class RunError(RuntimeError):
    """A run that cannot start, go on or be read; the message says in a sentence why, and what to do."""


class LockedError(RunError):
    """A run that another process trains at this moment."""


class Config(NamedTuple):
    """What decides a run, together with the text and the run it goes on from. The defaults are the assignment's."""

    m: int = 100  # hidden units
    T: int = 25  # characters in a sequence
    learning_rate: float = 0.1
    sigma: float | None = 0.01  # standard deviation of the initial weights; None: scaled, see `model.init_params`
    clip: float = 5.0  # each component of the gradient is clipped to [-clip, clip] before the update
    epochs: int = 7
    remainder: bool = False  # whether to train on the shorter sequence at the end of the text too
    snapshot_every: int = 10_000  # steps between the weights that are kept
    seed: int = 0
    dtype: str = "float32"
    optimizer: str = "adagrad"  # or "adam"
    B: int = 1  # sequences in a step; the text is cut into B strands of equal length, and each gives one of them
    order: str = "carried"  # sequences in order, the state carried on; or in order, "reset"; or from places at "random"
    decay: bool = False  # whether the learning rate falls in a line, to 0 after the last step

    def steps_per_epoch(self, N):
        """The number of steps in an epoch over N characters."""
        whole, rest = divmod((N - 1) // self.B, self.T)
        return whole + (self.remainder and rest > 0)

    def steps(self, N):
        """The number of steps in the whole run over N characters."""
        return self.epochs * self.steps_per_epoch(N)


class Run(NamedTuple):
    """A run as it lies on disk, up to its last checkpoint: finished, or as far as it came."""

    directory: Path
    config: Config
    vocabulary: str
    first_step: int  # 0, or the number of steps behind the run that this one went on from
    losses: np.ndarray  # (steps,), the loss of every step in nats per sequence

    @property
    def last_step(self):
        """The number of steps taken, those of the run before included."""
        return self.first_step + len(self.losses)

    @property
    def snapshots(self):
        """The steps whose weights are on disk, ascending; the last is `last_step` if the run is finished."""
        steps = (int(path.stem) for path in self.directory.glob("snapshots/*.npz"))
        return sorted(step for step in steps if step <= self.last_step)

    def params(self, step=None):
        """The weights after `step` steps, one of `snapshots`; the last of them for None."""
        arrays = self._snapshot(step)
        return Params(*(arrays[name] for name in Params._fields))

    def states(self, step=None):
        """The states (B, m) that training carried on after `step` steps, one of `snapshots`; the last for None."""
        return self._snapshot(step)["h"]

    def _snapshot(self, step):
        return load_arrays(self.directory / "snapshots" / f"{self.snapshots[-1] if step is None else step}.npz")


def read_run(directory):
    """Return the `Run` in a directory; raise RunError if its files are damaged."""
    made_from = json.loads((directory / "run.json").read_text("utf-8"))
    config = Config(**made_from["config"])
    losses = read_losses(directory, Checkpoint.load(directory))
    return Run(directory, config, made_from["vocabulary"], made_from["first_step"], losses)


def read_losses(directory, checkpoint):
    """Return the losses (checkpoint.step,) of the steps before a checkpoint; raise RunError if they are damaged."""
    path = directory / "losses.f64"
    steps = min(path.stat().st_size // 8, checkpoint.step) if path.exists() else 0
    losses = np.asarray(np.memmap(path, np.float64, "r", shape=steps)) if steps else np.empty(0)  # not in memory
    if len(losses) < checkpoint.step or zlib.crc32(losses) != checkpoint.checksum:
        raise RunError(f"{path} is damaged: it is not what checkpoint.npz says. Delete {directory} to train anew.")
    return losses


def publish(run):
    """Make `run` the one that the notebooks after this one sample from."""
    write_atomically(run.directory.parent / "published.txt", run.directory.name.encode())


def published(corpus, runs=RUNS):
    """Return the `Run` on this text that was last published, or None."""
    pointer = Path(runs) / corpus.id / "published.txt"
    return read_run(pointer.parent / pointer.read_text("utf-8")) if pointer.exists() else None


def run_directory(corpus, config, start=None, runs=RUNS, make=True):
    """Return the folder of a run; what decides the run decides the name. Make it, with its `run.json`, if need be."""
    made_from = {
        "format": FORMAT,
        "text": corpus.sha256,
        "vocabulary": corpus.vocabulary,
        "start": start and start.directory.name,
        "first_step": start.last_step if start else 0,
        "config": config._asdict(),
    }
    described = json.dumps(made_from, ensure_ascii=False, indent=1).encode()
    digest = hashlib.sha256(described).hexdigest()[:8]
    name = f"m{config.m}-T{config.T}-rate{config.learning_rate:g}-epochs{config.epochs}-{digest}"
    directory = Path(runs) / corpus.id / name
    if not make:
        return directory
    (directory / "snapshots").mkdir(parents=True, exist_ok=True)
    if not (directory / "run.json").exists():
        write_atomically(directory / "run.json", described)
    return directory


def write_atomically(path, data):
    """Put bytes in the place of the file `path` at once: never half a file, whatever happens."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def save_arrays(path, **arrays):
    """Write arrays as an .npz file, with the SHA-256 of its bytes behind them."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    write_atomically(path, file.getvalue() + hashlib.sha256(file.getvalue()).digest())


def load_arrays(path):
    """Return {name: array} of a file that `save_arrays` wrote; raise RunError if one bit of it has changed."""
    data = path.read_bytes()
    if hashlib.sha256(data[:-32]).digest() != data[-32:]:
        raise RunError(f"{path} is damaged: its checksum is wrong. Delete {_run_of(path)} to train anew.")
    with np.load(io.BytesIO(data[:-32]), allow_pickle=False) as arrays:
        return dict(arrays)


def _run_of(path):
    return path.parent.parent if path.parent.name == "snapshots" else path.parent


class Checkpoint(NamedTuple):
    """All that a run needs to go on as if it had never stopped."""

    params: Params
    memory: Memory
    h: np.ndarray  # (B, m), the states carried into the next step
    step: int  # steps taken
    checksum: int  # CRC-32 of their losses in `losses.f64`

    def save(self, directory):
        """Write the checkpoint of the run in a directory, and in it what the run was made from."""
        squares, means, updates = self.memory
        kinds = {"": self.params, "squares_": squares, "means_": means}
        thetas = {kind + name: theta for kind, params in kinds.items() for name, theta in params._asdict().items()}
        made_from = (directory / "run.json").read_text("utf-8")
        rest = {"updates": updates, "h": self.h, "step": self.step, "checksum": self.checksum, "made_from": made_from}
        save_arrays(directory / "checkpoint.npz", **thetas, **rest)

    @classmethod
    def load(cls, directory):
        """Return the checkpoint of the run in a directory; raise RunError if it is damaged or another run's."""
        path = directory / "checkpoint.npz"
        arrays = load_arrays(path)
        theirs, ours = json.loads(str(arrays["made_from"])), json.loads((directory / "run.json").read_text("utf-8"))
        for name in ours:
            if theirs.get(name) != ours[name]:
                raise RunError(f"{path} is of another run: its {_difference(name, theirs.get(name), ours[name])}.")
        kinds = ("", "squares_", "means_")
        params, squares, means = (Params(*(arrays[kind + name] for name in Params._fields)) for kind in kinds)
        memory = Memory(squares, means, arrays["updates"])
        return cls(params, memory, arrays["h"], int(arrays["step"]), int(arrays["checksum"]))


def _difference(name, theirs, ours):
    if name == "config" and theirs:
        name = next(key for key in ours if theirs.get(key) != ours[key])
        theirs, ours = theirs.get(name), ours[name]
    return f"{name} is {theirs!r}, not {ours!r}"
