"""What a training run is, and how it lies on disk.

runs/<text>/<run>/run.json          what the run was made from: the settings, the text's hash, the vocabulary
                  losses.f64        the loss of every step, as plain 8-byte floats
                  snapshots/<n>     all that the run needs to go on from step n, at every epoch's end and more often
                  checkpoint        the same of the last step taken

Snapshots are safetensors inside gzip, whose checksum finds damage; each names its run and its step.
"""

import dataclasses
import gzip
import hashlib
import json
import math
import operator
import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.numpy

from rnn.corpus import ROOT, Sentence
from rnn.model import OPTIMIZERS, Memory, Params

RUNS = ROOT / "runs"
SHARED_EPOCHS = 32  # runs of no more epochs keep a snapshot at the end of each, and those of fewer are read from them
FORMAT = 3  # of these files; a run of another format is another run


class ConfigError(Sentence, ValueError):
    """A setting that means nothing; the message says which, and what would."""


class RunError(Sentence, RuntimeError):
    """A run that cannot start, go on or be read; the message says in a sentence why, and what to do."""


class LockedError(RunError):
    """A run that another process trains at this moment."""


def _real(value):
    return float(operator.pos(value)) if not isinstance(value, bool | np.bool_) else _refuse()


def _whole(value):
    return operator.index(value) if not isinstance(value, bool | np.bool_) else _refuse()


def _flag(value):
    return bool(value) if isinstance(value, bool | np.bool_) else _refuse()


def _refuse():
    raise TypeError("another type is needed")


def _one_of(*words):
    return str, lambda value: value in words, " or ".join(map(repr, words))


RULES = {  # field of `Config`: its type, whether a value fits, what it must be
    **dict.fromkeys(("m", "T", "B", "epochs", "snapshot_every"), (_whole, lambda n: n > 0, "a whole number from 1 on")),
    "seed": (_whole, lambda n: n >= 0, "a whole number from 0 on"),
    "learning_rate": (_real, lambda rate: 0 < rate < math.inf, "a finite number above 0"),
    "clip": (_real, lambda bound: bound > 0, "a number above 0"),
    "sigma": (
        lambda sigma: sigma if sigma is None else _real(sigma),
        lambda sigma: sigma is None or 0 <= sigma < math.inf,
        "a finite number from 0 on, or None",
    ),
    **dict.fromkeys(("remainder", "decay"), (_flag, lambda _: True, "True or False")),
    "dtype": _one_of("float32", "float64"),
    "optimizer": _one_of(*OPTIMIZERS),
    "order": _one_of("carried", "reset", "random"),
    "engine": _one_of("kernel", "numpy"),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """What decides a run, together with the text and the run it goes on from. The defaults are the assignment's.

    Raises ConfigError for a setting that means nothing.
    """

    m: int = 100  # hidden units
    T: int = 25  # characters in a sequence
    learning_rate: float = 0.1
    sigma: float | None = 0.01  # standard deviation of the initial weights; None: scaled, see `model.init_params`
    clip: float = 5.0  # each component of the gradient is clipped to [-clip, clip] before the update
    epochs: int = 7  # how far to train, see `is_shared`
    remainder: bool = False  # whether to train on the shorter sequence at the end of the text too
    seed: int = 0
    dtype: str = "float32"
    optimizer: str = "adagrad"  # one of `model.OPTIMIZERS`
    B: int = 1  # sequences in a step; the text is cut into B strands of equal length, and each gives one of them
    order: str = "carried"  # sequences in order, the state carried on; or in order, "reset"; or from places at "random"
    decay: bool = False  # whether the learning rate falls in a line, to 0 after the last step
    engine: str = "kernel"  # what takes the steps: the compiled "kernel", or "numpy", the functions of `model`
    snapshot_every: int = field(default=10_000, compare=False)  # steps; looking more often makes no other run

    def __post_init__(self):
        for name, (kind, fits, what) in RULES.items():
            given = getattr(self, name)
            try:
                value = kind(given)
                right = fits(value)
            except (TypeError, ValueError, OverflowError):
                right = False
            if not right:
                raise ConfigError(f"{name} must be {what}, got {given!r}.")
            object.__setattr__(self, name, value)  # NumPy's numbers become Python's

    @property
    def is_shared(self):
        """Whether fewer epochs are the beginning of the same run: if they are not many, and the rate does not decay."""
        return self.epochs <= SHARED_EPOCHS and not self.decay

    def replace(self, **changes):
        """Return this configuration with some settings changed."""
        return dataclasses.replace(self, **changes)

    def steps_per_epoch(self, N):
        """The number of steps in an epoch over N characters."""
        whole, rest = divmod((N - 1) // self.B, self.T)
        return whole + (self.remainder and rest > 0)

    def steps(self, N):
        """The number of steps in the whole run over N characters."""
        return self.epochs * self.steps_per_epoch(N)


class State(NamedTuple):
    """All that training needs to go on from a step as if it had never stopped."""

    params: Params
    memory: Memory
    h: np.ndarray  # (B, m), the states carried into the next step
    step: int  # steps taken
    checksum: int  # CRC-32 of their losses in `losses.f64`


class Run(NamedTuple):
    """A run as it lies on disk, or its beginning: finished, or as far as it came."""

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
        names = (path.name for path in self.directory.glob("snapshots/*"))
        steps = (int(name) for name in names if name.isascii() and name.isdigit() and name == str(int(name)))
        return sorted(step for step in steps if self.first_step <= step <= self.last_step)

    def params(self, step=None):
        """The weights after `step` steps, one of `snapshots`; those after the last step for None."""
        return self.state(step).params

    def states(self, step=None):
        """The states (B, m) that training carried on after `step` steps, one of `snapshots`; the last for None."""
        return self.state(step).h

    def state(self, step=None):
        """The `State` after `step` steps, one of `snapshots`; after the last step for None.

        Raises RunError if its file is missing, damaged, or of another run or step.
        """
        step = self.last_step if step is None else step
        path = self.directory / "snapshots" / str(step)
        if not path.exists():
            last = load_state(self.directory / "checkpoint")
            if self.first_step + last.step == step:
                return last
            raise RunError(f"{path} is missing. Delete {self.directory} to train anew.")
        return load_state(path)


def made_from(corpus, config, start=None):
    """Return what decides a run, as the bytes of its `run.json`."""
    settings = dataclasses.asdict(config)
    del settings["snapshot_every"]
    if config.is_shared:
        del settings["epochs"]  # how far it is trained, not what it is
    described = {
        "format": FORMAT,
        "text": corpus.sha256,
        "part": corpus.span,
        "characters": len(corpus.codes),
        "vocabulary": corpus.vocabulary,
        "start": start and [start.directory.name, start.last_step],
        "first_step": start.last_step if start else 0,
        "config": settings,
    }
    return json.dumps(described, ensure_ascii=False, indent=1).encode()


def run_directory(corpus, config, start=None, runs=RUNS):
    """Return the folder of a run; what decides the run decides the name. Nothing is written."""
    digest = hashlib.sha256(made_from(corpus, config, start)).hexdigest()[:12]
    return Path(runs) / corpus.id / f"m{config.m}-T{config.T}-rate{config.learning_rate:g}-{digest}"


def make_run_directory(corpus, config, start=None, runs=RUNS):
    """Return the folder of a run, made, with its `run.json`, if need be; raise RunError if that is another run's."""
    directory, described = run_directory(corpus, config, start, runs), made_from(corpus, config, start)
    (directory / "snapshots").mkdir(parents=True, exist_ok=True)
    path = directory / "run.json"
    if not path.exists():
        write_atomically(path, described)
    elif path.read_bytes() != described:
        raise RunError(f"{path} is damaged, or of another run. Delete {directory} to train anew.")
    return directory


def finished(corpus, config=Config(), start=None, runs=RUNS):
    """Return the `Run` of `config` on `corpus` if it is on disk to its last step, or None; nothing is written.

    A run that went on further is read up to that step. Raises RunError if its files are damaged.
    """
    directory, steps = run_directory(corpus, config, start, runs), config.steps(len(corpus.codes))
    if not (directory / "checkpoint").exists():
        return None
    run = read_run(directory)
    if len(run.losses) < steps:
        return None
    return run._replace(config=config, losses=run.losses[:steps])


def read_run(directory):
    """Return the `Run` in a folder, as far as it came; raise RunError if its files are missing or damaged."""
    directory = Path(directory)
    state = load_state(directory / "checkpoint")  # which names the hash of run.json
    described = json.loads((directory / "run.json").read_bytes())
    settings = described["config"]
    config = Config(**settings)
    if "epochs" not in described["config"]:
        config = config.replace(epochs=max(1, -(-state.step // config.steps_per_epoch(described["characters"]))))
    return Run(directory, config, described["vocabulary"], described["first_step"], read_losses(directory, state))


def read_losses(directory, state):
    """Return the losses (state.step,) of the steps before a `State`; raise RunError if they are damaged."""
    path = directory / "losses.f64"
    try:
        steps = min(path.stat().st_size // 8, state.step)
        losses = np.asarray(np.memmap(path, np.float64, "r", shape=steps)) if steps else np.empty(0)  # not in memory
    except OSError:
        losses = np.empty(0)
    if len(losses) < state.step or zlib.crc32(losses) != state.checksum:
        raise RunError(
            f"{path} is damaged: it is not what the run's checkpoint says. Delete {directory} to train anew."
        )
    return losses


def write_atomically(path, data):
    """Put bytes in the place of the file `path` at once: never half a file, whatever happens."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def save_state(path, state):
    """Write the `State` of the run whose folder has the file `path`."""
    squares, means, updates = state.memory
    kinds = {"": state.params, "squares_": squares, "means_": means}
    arrays = {kind + name: theta for kind, params in kinds.items() for name, theta in params._asdict().items()}
    numbers = {"updates": updates, "step": np.array([state.step]), "checksum": np.array([state.checksum])}
    arrays |= numbers | {"h": state.h, "run": _fingerprint(path)}
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomically(path, gzip.compress(safetensors.numpy.save(arrays), 1, mtime=0))


def load_state(path):
    """Return the `State` in a file; raise RunError if it is missing, damaged by one bit, or of another run."""
    directory = _directory_of(path)
    try:
        arrays = safetensors.numpy.load(gzip.decompress(path.read_bytes()))
        arrays = {name: array.copy() for name, array in arrays.items()}
    except FileNotFoundError:
        raise RunError(f"{path} is missing. Delete {directory} to train anew.") from None
    except Exception as error:  # whatever a damaged file makes of gzip and safetensors
        raise RunError(f"{path} is damaged ({error}). Delete {directory} to train anew.") from None
    try:
        ours = np.array_equal(arrays["run"], _fingerprint(path))
    except OSError as error:
        raise RunError(f"{directory / 'run.json'} cannot be read: {error.strerror}.") from None
    if not ours:
        raise RunError(f"{path} is of another run or step, or run.json is damaged. Delete {directory} to train anew.")
    params, squares, means = (
        Params(*(arrays[kind + name] for name in Params._fields)) for kind in ("", "squares_", "means_")
    )
    memory = Memory(squares, means, arrays["updates"])
    return State(params, memory, arrays["h"], int(arrays["step"][0]), int(arrays["checksum"][0]))


def _directory_of(path):
    return path.parent.parent if path.parent.name == "snapshots" else path.parent


def _fingerprint(path):
    """Return the SHA-256 of the file's name and of the `run.json` that it belongs to, as bytes (32,)."""
    belongs_to = path.name.encode() + (_directory_of(path) / "run.json").read_bytes()
    return np.frombuffer(hashlib.sha256(belongs_to).digest(), np.uint8)
