"""What a training run is, and how it lies on disk.

runs/<text>/<run>/run.json          what the run was made from: the configuration, the text's hash, the vocabulary
                  losses.f64        the loss of every step, as plain 8-byte floats
                  snapshots/<n>.npz the weights after n steps
                  checkpoint.npz    all that the run needs to go on
"""

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnn.corpus import ROOT
from rnn.model import Params

RUNS = ROOT / "runs"
FORMAT = 1  # of these files; a run of another format is another run


class Config(NamedTuple):
    """What decides a run, together with the text and the run it goes on from. The defaults are the assignment's."""

    m: int = 100  # hidden units
    T: int = 25  # characters in a sequence
    learning_rate: float = 0.1
    sigma: float = 0.01  # standard deviation of the initial weights
    clip: float = 5.0  # each component of the gradient is clipped to [-clip, clip] before the update
    epochs: int = 7
    remainder: bool = False  # whether to train on the shorter sequence at the end of the text too
    snapshot_every: int = 10_000  # steps between the weights that are kept
    seed: int = 0
    dtype: str = "float32"

    def steps_per_epoch(self, N):
        """The number of sequences, and so of steps, in an epoch over N characters."""
        whole, rest = divmod(N - 1, self.T)
        return whole + (self.remainder and rest > 0)


class Run(NamedTuple):
    """A finished run as it lies on disk."""

    directory: Path
    config: Config
    vocabulary: str
    first_step: int  # 0, or the number of steps behind the run that this one went on from
    losses: np.ndarray  # (steps,), the loss of every step in nats per sequence

    @property
    def last_step(self):
        """The number of steps behind the final weights."""
        return self.first_step + len(self.losses)

    @property
    def snapshots(self):
        """The steps whose weights are on disk, ascending; the last is `last_step`."""
        return sorted(int(path.stem) for path in self.directory.glob("snapshots/*.npz"))

    def params(self, step=None):
        """The weights after `step` steps, one of `snapshots`; the final ones for None."""
        step = self.last_step if step is None else step
        return load_params(self.directory / "snapshots" / f"{step}.npz")


def read_run(directory):
    """Return the finished `Run` in a directory."""
    made_from = json.loads((directory / "run.json").read_text("utf-8"))
    config = Config(**made_from["config"])
    losses = np.fromfile(directory / "losses.f64", np.float64)
    return Run(directory, config, made_from["vocabulary"], made_from["first_step"], losses)


def publish(run):
    """Make `run` the one that the notebooks after this one sample from."""
    write_atomically(run.directory.parent / "published.txt", lambda file: file.write(run.directory.name.encode()))


def published(corpus, runs=RUNS):
    """Return the `Run` on this text that was last published, or None."""
    pointer = Path(runs) / corpus.id / "published.txt"
    return read_run(pointer.parent / pointer.read_text("utf-8")) if pointer.exists() else None


def run_directory(corpus, config, start=None, runs=RUNS):
    """Return the folder of a run, made if need be, with its `run.json`; what decides the run decides the name."""
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
    (directory / "snapshots").mkdir(parents=True, exist_ok=True)
    write_atomically(directory / "run.json", lambda file: file.write(described))
    return directory


def write_atomically(path, write):
    """Let `write(file)` fill a new file, then put it in the place of `path` at once: never half a file."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def save_params(path, params):
    """Write `Params` to an .npz file."""
    write_atomically(path, lambda file: np.savez(file, **params._asdict()))


def load_params(path):
    """Return the `Params` of an .npz file."""
    with np.load(path) as arrays:
        return Params(**{name: arrays[name] for name in Params._fields})


class Checkpoint(NamedTuple):
    """All that a run needs to go on as if it had never stopped."""

    params: Params
    memory: Params
    h: np.ndarray  # (m,), the state carried into the next step
    step: int  # steps taken
    checksum: int  # CRC-32 of their losses in `losses.f64`

    def save(self, path):
        """Write the checkpoint to an .npz file."""
        memory = {f"memory_{name}": theta for name, theta in self.memory._asdict().items()}
        arrays = self.params._asdict() | memory | {"h": self.h, "step": self.step, "checksum": self.checksum}
        write_atomically(path, lambda file: np.savez(file, **arrays))

    @classmethod
    def load(cls, path):
        """Return the checkpoint of an .npz file."""
        with np.load(path) as arrays:
            memory = Params(**{name: arrays[f"memory_{name}"] for name in Params._fields})
            return cls(load_params(path), memory, arrays["h"], int(arrays["step"]), int(arrays["checksum"]))
