"""A training run: its settings, its state, and its files.

runs/<text>/codes.npy               the text as codes, for the workers of a sweep
runs/<text>/<run>/run.json          what decides the run: the settings, the text's hash, the vocabulary
                  losses.f64        the loss of every step, as plain 8-byte floats
                  snapshots/<n>     everything that is needed to continue from step n; at steps 10, 100 and 1,000, in
                                    the middle of the first epoch, at the end of every epoch, and every
                                    `Config.snapshot_interval` steps
                  checkpoint        the same for the last step that was taken

Snapshots are safetensors inside gzip, whose checksum detects damage. Each contains the hash of its run and its step.
"""

import contextlib
import dataclasses
import gzip
import hashlib
import inspect
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
from filelock import FileLock, Timeout

from rnn.corpus import ROOT, UserError
from rnn.model import OPTIMIZERS, Memory, Params, init_params

RUNS = ROOT / "runs"
SHARED_EPOCHS = 32  # up to here a longer run contains the shorter ones: it has a snapshot where each of them ends
EARLY = (10, 100, 1_000)  # steps with a snapshot in every run, because much happens in the first ones
FORMAT = 7  # of these files; a new number makes every run a new run


ROUND_NUMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class ConfigError(UserError, ValueError):
    """An impossible setting. The message says which one it is and what is allowed."""


class RunError(UserError, RuntimeError):
    """A run that cannot start, continue or be read. The message says why, and what to do."""


class LockedError(RunError):
    """A run that another process is training now."""


HUGE = 10**15  # larger than any number of steps or characters
RULES = {  # {a setting that is a number or a switch: (what it must be, whether a value of its type is that)}
    "m": ("a whole number from 1 to 10,000", lambda m: 0 < m <= 10_000),
    **dict.fromkeys(("T", "B"), ("a whole number from 1 to 10^15", lambda n: 0 < n <= HUGE)),
    "snapshot_every": ("a whole number from 1 to 10^15, or None", lambda n: n is None or 0 < n <= HUGE),
    "epochs": ("a whole number from 1 to 10^15, or 0.5", lambda n: 0 < n <= HUGE),
    "seed": ("a whole number of at least 0", lambda n: n >= 0),
    "warmup": ("a whole number from 0 to 10^15", lambda n: 0 <= n <= HUGE),
    "learning_rate": ("a finite number above 0", lambda rate: 0 < rate < math.inf),
    "clip": ("a number above 0", lambda bound: bound > 0),
    "sigma": ("a finite number of at least 0, or None", lambda sigma: sigma is None or 0 <= sigma < math.inf),
    **dict.fromkeys(("remainder", "decay"), ("True or False", lambda _: True)),
}
WORDS = {  # {a setting that is a word: the possible words}
    "dtype": ("float32", "float64"),
    "optimizer": OPTIMIZERS,
    "order": ("carried", "reset", "random", "shuffled"),
    "engine": ("kernel", "numpy"),
}


def _as(kind, value):
    """Return a value as Python's own int, float, bool or str; raise TypeError for anything else."""
    if isinstance(value, bool | np.bool_) != (kind is bool):
        raise TypeError
    exactly = {int: operator.index, bool: bool, str: str, int | float: lambda x: 0.5 if x == 0.5 else operator.index(x)}
    exactly[int | None] = operator.index
    return value if value is None else exactly.get(kind, lambda x: float(+x))(value)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings of a run. The defaults are those of the assignment.

    With the text, and the run that it continues if there is one, they decide every bit of the run. Raises ConfigError
    for an impossible setting.
    """

    m: int = 100  # hidden units
    T: int = 25  # characters in a sequence
    learning_rate: float = 0.1
    sigma: float | None = 0.01  # standard deviation of the first weights; None: scaled, see `model.init_params`
    clip: float = 5.0  # each component of the gradient is clipped to [-clip, clip] before the update
    epochs: int | float = 7  # 0.5, or a whole number; see `is_shared`
    remainder: bool = False  # whether to train also on the shorter sequence at the end of the text
    seed: int = 0
    dtype: str = "float32"
    optimizer: str = "adagrad"  # one of `model.OPTIMIZERS`
    B: int = 1  # sequences in a step, one from each of the B strands of equal length that the text is cut into
    # "carried": sequences in order, each from the state of the previous one. All other orders start from zero:
    # "reset": in order; "random": from random places; "shuffled": the sequences of "reset", shuffled in every epoch
    order: str = "carried"
    warmup: int = 0  # steps over which the learning rate rises linearly from nearly 0
    decay: bool = False  # whether the learning rate falls linearly, to 0 after the last step
    engine: str = "kernel"  # "kernel": compiled; "numpy": the functions of `model`
    # steps between snapshots, None: see `snapshot_interval`; this does not change the run
    snapshot_every: int | None = field(default=None, compare=False)

    def __post_init__(self):
        for name, kind in ((setting.name, setting.type) for setting in dataclasses.fields(self)):
            given = getattr(self, name)
            words = WORDS.get(name, ())
            what, fits = RULES.get(name) or (" or ".join(map(repr, words)), words.__contains__)
            try:
                value = _as(kind, given)
                right = fits(value)
            except (TypeError, ValueError, OverflowError):
                right = False
            if not right:
                raise ConfigError(f"{name} must be {what}, got {given!r}.")
            # NumPy's numbers become Python's, and -0.0 becomes 0.0
            object.__setattr__(self, name, value + 0.0 if isinstance(value, float) else value)

    @property
    def is_shared(self):
        """Whether a run with fewer epochs is the beginning of this one: `epochs` is small and the rate never decays."""
        return self.epochs <= SHARED_EPOCHS and not self.decay

    def replace(self, **changes):
        """Return this configuration with some settings changed; raise ConfigError if one is impossible."""
        return dataclasses.replace(self, **changes)

    def steps_per_epoch(self, N):
        """The number of steps in an epoch over N characters."""
        whole, rest = divmod((N - 1) // self.B, self.T)
        return whole + (self.remainder and rest > 0)

    def steps(self, N):
        """The number of steps in the whole run over N characters."""
        return math.ceil(self.epochs * self.steps_per_epoch(N))

    def snapshot_interval(self, N):
        """The number of steps between snapshots in a run over N characters.

        It is `snapshot_every` if that is set. If not, it is the largest of 1, 2, 5, 10, 20, ..., 10,000 that gives ten
        snapshots in seven epochs; so a run has the same snapshots however long it is trained. A run that is not shared
        (see `is_shared`) gets ten snapshots in all.
        """
        if self.snapshot_every is not None:
            return self.snapshot_every
        steps = self.replace(epochs=7).steps(N) if self.is_shared else self.steps(N)
        return max((n for n in ROUND_NUMBERS if 10 * n <= steps), default=1)


BASELINE = Config()  # the network of the whole report: the assignment's settings, seed 0


class State(NamedTuple):
    """Everything that training needs to continue from a step as if it had never stopped."""

    params: Params
    memory: Memory
    h: np.ndarray  # (B, m), the states carried into the next step
    step: int = 0  # steps taken
    checksum: int = 0  # CRC-32 of the losses of these steps in `losses.f64`
    snapshots: tuple[int, ...] = ()  # the steps with a snapshot; they count from the start of the run before


class Run(NamedTuple):
    """A run on disk, finished or not, or the beginning of a longer one."""

    directory: Path
    config: Config
    vocabulary: str
    first_step: int  # 0, or the number of steps of the runs that this one continues
    losses: np.ndarray  # (steps,), the loss of every step in nats per sequence
    snapshots: list[int]  # the steps with a snapshot, ascending; a finished run has one at `last_step`
    is_finished: bool

    @property
    def last_step(self):
        """The number of steps taken, including those of the runs that this one continues."""
        return self.first_step + len(self.losses)

    def params(self, step=None):
        """The weights after `step` steps (None: after the last), which must be one of `snapshots`."""
        return self.state(step).params

    def state(self, step=None):
        """The `State` after `step` steps (None: after the last), which must be one of `snapshots`.

        Raises RunError if its file is missing or damaged, or belongs to another run or step.
        """
        step = self.last_step if step is None else step
        if step in self.snapshots:
            return load_state(self.directory / "snapshots" / str(step))
        state = load_state(self.directory / "checkpoint")
        if self.first_step + state.step != step:
            raise RunError(f"{self.directory} has no snapshot of step {step:,}: it has {self.snapshots}.")
        return state


def made_from(corpus, config, start=None):
    """Return what decides a run, as the bytes of its `run.json`."""
    settings = dataclasses.asdict(config)
    del settings["snapshot_every"]
    if config.is_shared:
        del settings["epochs"]  # a longer run has the same folder
    if not is_own_rule(config.optimizer):
        settings["optimizer"] = [config.optimizer, _source_hash(config.optimizer)]
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


def is_own_rule(optimizer):
    """Return whether the optimiser of this name is one of `rnn.model`'s, and not a function of a notebook."""
    return getattr(OPTIMIZERS[optimizer], "__module__", None) == init_params.__module__


def _source_hash(optimizer):
    """Return the SHA-256 of an optimiser's source: changed code makes another run."""
    try:
        return hashlib.sha256(inspect.getsource(OPTIMIZERS[optimizer]).encode()).hexdigest()
    except (OSError, TypeError):
        raise ConfigError(f"The optimiser {optimizer!r} must be a function from a notebook cell or a file.") from None


def run_directory(corpus, config, start=None, runs=RUNS):
    """Return the folder of a run, whose name follows from what decides the run. Nothing is written."""
    digest = hashlib.sha256(made_from(corpus, config, start)).hexdigest()[:12]
    return Path(runs) / corpus.id / f"m{config.m}-T{config.T}-rate{config.learning_rate:g}-{digest}"


@contextlib.contextmanager
def opened_run_directory(corpus, config, start=None, runs=RUNS):
    """Yield the folder of a run and lock it, so that no other process writes to it. Make it if it is not there.

    Raises LockedError if another process trains the run, and RunError if the folder belongs to another run or cannot be
    written to.
    """
    directory = run_directory(corpus, config, start, runs)
    described = made_from(corpus, config, start)
    with as_run_error(directory):
        (directory / "snapshots").mkdir(parents=True, exist_ok=True)
        _check_kind(directory / "lock")
    with as_run_error(directory / "lock"):
        try:
            lock = FileLock(directory / "lock", timeout=0).acquire()
        except Timeout:
            raise LockedError(f"Another process is training {directory}: wait for it, or stop it.") from None
    with lock:
        if not (directory / "run.json").exists():
            write_atomically(directory / "run.json", described)
        _check_description(directory, described)
        yield directory


@contextlib.contextmanager
def as_run_error(path):
    """Turn an OSError, such as a full disk, into a RunError that names the file."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{error.filename or path} cannot be used: {error.strerror or error}.") from None


def _check_kind(path):
    """Raise RunError if a path is not a regular file: reading a pipe would wait for ever."""
    if path.exists() and not path.is_file():
        raise _unusable(path, "is not a file")


def _read_file(path):
    """Return the bytes of a file of a run; raise RunError if it is missing or cannot be read."""
    _check_kind(path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _unusable(path, "is missing") from None
    except OSError as error:
        raise _unusable(path, f"cannot be read ({error.strerror})") from None


def _check_description(directory, described):
    if _read_file(directory / "run.json") != described:
        raise _unusable(directory / "run.json", "is damaged, or belongs to another run")


def is_on(run, corpus):
    """Return whether a run was trained on this text, or this part of a text."""
    described = json.loads(_read_file(run.directory / "run.json"))
    return (described["text"], described["part"]) == (corpus.sha256, corpus.span and list(corpus.span))


def finished(corpus, config=Config(), start=None, runs=RUNS):
    """Return the `Run` of `config` on `corpus` if all of it is on disk, else None. Nothing is written.

    Of a longer run, only its beginning is returned. Raises RunError if files of the run are damaged.
    """
    directory = run_directory(corpus, config, start, runs)
    steps = config.steps(len(corpus.codes))
    if not (directory / "checkpoint").exists():
        return None
    run = read_run(directory)
    _check_description(directory, made_from(corpus, config, start))
    if len(run.losses) < steps:
        return None
    snapshots = [step for step in run.snapshots if step <= run.first_step + steps]
    return run._replace(config=config, losses=run.losses[:steps], snapshots=snapshots, is_finished=True)


def read_run(directory):
    """Return the `Run` in a folder, as far as it has been trained; raise RunError if files are missing or damaged."""
    directory = Path(directory)
    state = load_state(directory / "checkpoint")  # checks run.json, whose hash it contains
    described = json.loads(_read_file(directory / "run.json"))
    config = _config_of(described, directory)
    N = described["characters"]
    if "epochs" not in described["config"]:
        half = config.replace(epochs=0.5)
        epochs = -(-state.step // config.steps_per_epoch(N))
        config = half if state.step <= half.steps(N) else config.replace(epochs=epochs)
    return Run(
        directory,
        config,
        described["vocabulary"],
        described["first_step"],
        read_losses(directory, state),
        list(state.snapshots),
        is_finished=state.step == config.steps(N),
    )


def _config_of(described, directory):
    """Return the `Config` in a run.json; raise RunError if it has settings that are unknown here."""
    settings = dict(described["config"])
    if isinstance(settings["optimizer"], list):
        settings["optimizer"], _ = settings["optimizer"]  # [name, hash of its source]
    try:
        return Config(**settings)
    except (ConfigError, TypeError) as error:
        raise RunError(f"{directory} was trained with a setting that is unknown here: {error}") from None


def read_losses(directory, state):
    """Return the losses (state.step,) of the steps before a `State`; raise RunError if they are damaged."""
    path = directory / "losses.f64"
    losses = np.empty(0)
    _check_kind(path)
    try:
        if state.step:
            losses = np.asarray(np.memmap(path, np.float64, "r", shape=state.step))  # on disk, not in memory
    except (OSError, ValueError) as error:  # there is no file, or it is too short
        raise _unusable(path, f"is damaged ({error})") from None
    if zlib.crc32(losses) != state.checksum:
        raise _unusable(path, "is damaged: it does not match the run's checkpoint")
    return losses


def write_atomically(path, data):
    """Write bytes to a file, all at once: after a crash there is the old file or the new one, never half of it.

    Raises RunError, which names the file, if it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    with as_run_error(path):
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


NAMES = [f"{kind}.{name}" for kind in ("params", "squares", "means") for name in Params._fields] + ["updates", "h"]


def save_state(path, state):
    """Write a `State` to a file in its run's folder; raise RunError if it cannot be written."""
    params, (squares, means, updates), h, step, checksum, snapshots = state
    arrays = dict(zip(NAMES, map(np.ascontiguousarray, (*params, *squares, *means, updates, h)), strict=True))
    arrays |= {"run": _fingerprint(path), "step": np.array([step, checksum]), "snapshots": np.array(snapshots)}
    write_atomically(path, gzip.compress(safetensors.numpy.save(arrays), 0, mtime=0))


def load_state(path):
    """Return the `State` in a file; raise RunError if it is missing or damaged, or belongs to another run or step."""
    data = _read_file(path)
    fingerprint = _fingerprint(path)
    try:
        arrays = safetensors.numpy.load(gzip.decompress(data))
        is_own = np.array_equal(arrays["run"], fingerprint)
    except Exception as error:  # gzip and safetensors raise many kinds of errors for damaged files
        raise _unusable(path, f"is damaged ({error})") from None
    if not is_own:
        raise _unusable(path, f"belongs to another run or step, or {_directory_of(path) / 'run.json'} is damaged")
    step, checksum = arrays["step"].tolist()
    return State(*trained(arrays), step, checksum, tuple(arrays["snapshots"].tolist()))


def trained(arrays):
    """Return (`Params`, `Memory`, states h) from the arrays of a snapshot."""
    *thetas, updates, h = (arrays[name].copy() for name in NAMES)
    params, squares, means = (Params(*thetas[n : n + 5]) for n in (0, 5, 10))
    return params, Memory(squares, means, updates), h


def _directory_of(path):
    return path.parent.parent if path.parent.name == "snapshots" else path.parent


def _unusable(path, why):
    return RunError(f"{path} {why}. Delete {_directory_of(path)} to train it again.")


def _fingerprint(path):
    """Return the SHA-256 of a file's name and of its run's `run.json`, as bytes (32,)."""
    belongs_to = path.name.encode() + _read_file(_directory_of(path) / "run.json")
    return np.frombuffer(hashlib.sha256(belongs_to).digest(), np.uint8)
