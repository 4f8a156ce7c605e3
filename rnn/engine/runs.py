"""What a training run is, and how it lies on disk.

runs/<text>/codes.npy           the text as codes, for the workers of a sweep
runs/<text>/<run>/run.json          what the run was made from: the settings, the text's hash, the vocabulary
                  losses.f64        the loss of every step, as plain 8-byte floats
                  snapshots/<n>     all that the run needs to go on from step n: steps 10, 100 and 1,000, the middle of
                                    the first epoch, the end of every epoch, and every `Config.snapshot_interval` steps
                  checkpoint        the same of the last step taken

Snapshots are safetensors inside gzip, whose checksum finds damage; each names its run and its step.
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
SHARED_EPOCHS = 32  # runs of no more epochs keep snapshots where those of fewer end, which are read from them
EARLY = (10, 100, 1_000)  # steps with a snapshot in every run: much happens in the first ones
FORMAT = 7  # of these files; a run of another format is another run


ROUND_NUMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)


class ConfigError(UserError, ValueError):
    """An impossible setting; the message says which, and what is allowed."""


class RunError(UserError, RuntimeError):
    """A run that cannot start, go on or be read; the message says in a sentence why, and what to do."""


class LockedError(RunError):
    """A run that another process trains at this moment."""


HUGE = 10**15  # more of anything than can be
RULES = {  # a setting of numbers or of switches: what it must be, and whether a value of its type is that
    "m": ("a whole number from 1 to 10,000", lambda m: 0 < m <= 10_000),
    **dict.fromkeys(("T", "B"), ("a whole number from 1 on", lambda n: 0 < n < HUGE)),
    "snapshot_every": ("a whole number from 1 on, or None", lambda n: n is None or 0 < n < HUGE),
    "epochs": ("a whole number from 1 on, or 0.5", lambda n: 0 < n < HUGE),
    "seed": ("a whole number from 0 on", lambda n: n >= 0),
    "warmup": ("a whole number from 0 on, and of at most 15 digits", lambda n: 0 <= n < HUGE),
    "learning_rate": ("a finite number above 0", lambda rate: 0 < rate < math.inf),
    "clip": ("a number above 0", lambda bound: bound > 0),
    "sigma": ("a finite number from 0 on, or None", lambda sigma: sigma is None or 0 <= sigma < math.inf),
    **dict.fromkeys(("remainder", "decay"), ("True or False", lambda _: True)),
}
WORDS = {  # a setting of words: those there are
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
    """What decides a run, together with the text and the run it goes on from. The defaults are the assignment's.

    Raises ConfigError for a setting that means nothing.
    """

    m: int = 100  # hidden units
    T: int = 25  # characters in a sequence
    learning_rate: float = 0.1
    sigma: float | None = 0.01  # standard deviation of the initial weights; None: scaled, see `model.init_params`
    clip: float = 5.0  # each component of the gradient is clipped to [-clip, clip] before the update
    epochs: int | float = 7  # how far to train, half an epoch being the least; see `is_shared`
    remainder: bool = False  # whether to train on the shorter sequence at the end of the text too
    seed: int = 0
    dtype: str = "float32"
    optimizer: str = "adagrad"  # one of `model.OPTIMIZERS`
    B: int = 1  # sequences in a step; the text is cut into B strands of equal length, and each gives one of them
    # sequences in order, the state carried on; or in order, "reset"; or from places at "random"; or those of "reset"
    order: str = "carried"  # "shuffled", in another order in each epoch: in both of these the state is reset too
    warmup: int = 0  # steps in which the learning rate rises in a line, from nearly 0
    decay: bool = False  # whether the learning rate falls in a line, to 0 after the last step
    engine: str = "kernel"  # what takes the steps: the compiled "kernel", or "numpy", the functions of `model`
    # steps from one snapshot to the next, None: see `snapshot_interval`; looking more often makes no other run
    snapshot_every: int | None = field(default=None, compare=False)

    def __post_init__(self):
        for name, kind in ((setting.name, setting.type) for setting in dataclasses.fields(self)):
            given, words = getattr(self, name), WORDS.get(name, ())
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
        return math.ceil(self.epochs * self.steps_per_epoch(N))

    def snapshot_interval(self, N):
        """The number of steps from one snapshot to the next in a run over N characters.

        It is `snapshot_every`. For None it is the largest of 1, 2, 5, 10, 20, ..., 10,000 that gives ten snapshots: in
        seven epochs, so that a run has the same snapshots however far it is trained, or in the whole run if it is not
        the beginning of a longer one (see `is_shared`).
        """
        if self.snapshot_every is not None:
            return self.snapshot_every
        steps = self.replace(epochs=7).steps(N) if self.is_shared else self.steps(N)
        return max((n for n in ROUND_NUMBERS if 10 * n <= steps), default=1)


BASELINE = Config()  # the network of the whole report: the assignment's settings, seed 0


class State(NamedTuple):
    """All that training needs to go on from a step as if it had never stopped."""

    params: Params
    memory: Memory
    h: np.ndarray  # (B, m), the states carried into the next step
    step: int = 0  # steps taken
    checksum: int = 0  # CRC-32 of their losses in `losses.f64`
    snapshots: tuple[int, ...] = ()  # the steps whose weights are on disk, those of the run before counted


class Run(NamedTuple):
    """A run on disk, finished or not, or the beginning of one."""

    directory: Path
    config: Config
    vocabulary: str
    first_step: int  # 0, or the number of steps behind the run that this one went on from
    losses: np.ndarray  # (steps,), the loss of every step in nats per sequence
    snapshots: list[int]  # the steps whose weights are on disk, ascending; the last is `last_step` if it is finished
    is_finished: bool

    @property
    def last_step(self):
        """The number of steps taken, those of the run before included."""
        return self.first_step + len(self.losses)

    def params(self, step=None):
        """The weights after `step` steps, one of `snapshots`; those after the last step for None."""
        return self.state(step).params

    def state(self, step=None):
        """The `State` after `step` steps, one of `snapshots`; after the last step for None.

        Raises RunError if its file is missing, damaged, or of another run or step.
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
        del settings["epochs"]  # how far it is trained, not what it is
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
    """Return whether the optimiser of this name is one of rnn's own, and no function of a notebook."""
    return getattr(OPTIMIZERS[optimizer], "__module__", None) == init_params.__module__


def _source_hash(optimizer):
    """Return the SHA-256 of the source of an optimiser's function: with other code it makes another run."""
    try:
        return hashlib.sha256(inspect.getsource(OPTIMIZERS[optimizer]).encode()).hexdigest()
    except (OSError, TypeError):
        raise ConfigError(f"The optimiser {optimizer!r} must be a function from a notebook cell or a file.") from None


def run_directory(corpus, config, start=None, runs=RUNS):
    """Return the folder of a run; what decides the run decides the name. Nothing is written."""
    digest = hashlib.sha256(made_from(corpus, config, start)).hexdigest()[:12]
    return Path(runs) / corpus.id / f"m{config.m}-T{config.T}-rate{config.learning_rate:g}-{digest}"


@contextlib.contextmanager
def opened_run_directory(corpus, config, start=None, runs=RUNS):
    """Yield the folder of a run, made with its `run.json` if need be, while no other process can write to it.

    Raises LockedError if one does, and RunError if the folder is another run's or if it cannot be written to.
    """
    directory, described = run_directory(corpus, config, start, runs), made_from(corpus, config, start)
    with told(directory):
        (directory / "snapshots").mkdir(parents=True, exist_ok=True)
        _check_kind(directory / "lock")
    with told(directory / "lock"):
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
def told(path):
    """Turn an error of the system, such as a full disk, into a RunError that names the file."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{error.filename or path} cannot be used: {error.strerror or error}.") from None


def _check_kind(path):
    """Raise RunError if a path is not a regular file: reading a pipe would wait for ever."""
    if path.exists() and not path.is_file():
        raise _unusable(path, "is no file")


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
        raise _unusable(directory / "run.json", "is damaged, or of another run")


def is_on(run, corpus):
    """Return whether a run was trained on this text, or on this part of it."""
    described = json.loads(_read_file(run.directory / "run.json"))
    return (described["text"], described["part"]) == (corpus.sha256, corpus.span and list(corpus.span))


def finished(corpus, config=Config(), start=None, runs=RUNS):
    """Return the `Run` of `config` on `corpus` if it is on disk to its last step, or None; nothing is written.

    A run that went on further is read up to that step. Raises RunError if its files are damaged.
    """
    directory, steps = run_directory(corpus, config, start, runs), config.steps(len(corpus.codes))
    if not (directory / "checkpoint").exists():
        return None
    run = read_run(directory)
    _check_description(directory, made_from(corpus, config, start))
    if len(run.losses) < steps:
        return None
    snapshots = [step for step in run.snapshots if step <= run.first_step + steps]
    return run._replace(config=config, losses=run.losses[:steps], snapshots=snapshots, is_finished=True)


def read_run(directory):
    """Return the `Run` in a folder, as far as it came; raise RunError if its files are missing or damaged."""
    directory = Path(directory)
    state = load_state(directory / "checkpoint")  # which has the hash of run.json
    described = json.loads(_read_file(directory / "run.json"))
    config, N = _config_of(described, directory), described["characters"]
    if "epochs" not in described["config"]:
        half, epochs = config.replace(epochs=0.5), -(-state.step // config.steps_per_epoch(N))
        config = half if state.step <= half.steps(N) else config.replace(epochs=epochs)
    losses, is_finished = read_losses(directory, state), state.step == config.steps(N)
    first_step, vocabulary = described["first_step"], described["vocabulary"]
    return Run(directory, config, vocabulary, first_step, losses, list(state.snapshots), is_finished)


def _config_of(described, directory):
    """Return the `Config` in a run.json; raise RunError if it has settings that are unknown here."""
    settings = dict(described["config"])
    if isinstance(settings["optimizer"], list):
        settings["optimizer"], _ = settings["optimizer"]  # a name, and the hash of its source
    try:
        return Config(**settings)
    except (ConfigError, TypeError) as error:
        raise RunError(f"{directory} was trained with a setting that is unknown here. {error}") from None


def read_losses(directory, state):
    """Return the losses (state.step,) of the steps before a `State`; raise RunError if they are damaged."""
    path, losses = directory / "losses.f64", np.empty(0)
    _check_kind(path)
    try:
        if state.step:
            losses = np.asarray(np.memmap(path, np.float64, "r", shape=state.step))  # on disk, not in memory
    except (OSError, ValueError) as error:  # no such file, or not so many losses in it
        raise _unusable(path, f"is damaged ({error})") from None
    if zlib.crc32(losses) != state.checksum:
        raise _unusable(path, "is damaged: it is not what the run's checkpoint says")
    return losses


def write_atomically(path, data):
    """Put bytes in the place of the file `path` at once: never half a file, whatever happens.

    Raises RunError, which names the file, if they cannot be written.
    """
    part = path.with_name(path.name + ".part")
    with told(path):
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


NAMES = [f"{kind}.{name}" for kind in ("params", "squares", "means") for name in Params._fields] + ["updates", "h"]


def save_state(path, state):
    """Write the `State` of the run whose folder has the file `path`."""
    params, (squares, means, updates), h, step, checksum, snapshots = state
    arrays = dict(zip(NAMES, map(np.ascontiguousarray, (*params, *squares, *means, updates, h)), strict=True))
    arrays |= {"run": _fingerprint(path), "step": np.array([step, checksum]), "snapshots": np.array(snapshots)}
    write_atomically(path, gzip.compress(safetensors.numpy.save(arrays), 0, mtime=0))


def load_state(path):
    """Return the `State` in a file; raise RunError if it is missing, damaged by one bit, or of another run or step."""
    data, fingerprint = _read_file(path), _fingerprint(path)
    try:
        arrays = safetensors.numpy.load(gzip.decompress(data))
        ours = np.array_equal(arrays["run"], fingerprint)
    except Exception as error:  # whatever a damaged file makes of gzip and safetensors
        raise _unusable(path, f"is damaged ({error})") from None
    if not ours:
        raise _unusable(path, f"is of another run or step, or {_directory_of(path) / 'run.json'} is damaged")
    step, checksum = arrays["step"].tolist()
    return State(*trained(arrays), step, checksum, tuple(arrays["snapshots"].tolist()))


def trained(arrays):
    """Return the `Params`, the `Memory` and the states h among the arrays of a file."""
    *thetas, updates, h = (arrays[name].copy() for name in NAMES)
    params, squares, means = (Params(*thetas[n : n + 5]) for n in (0, 5, 10))
    return params, Memory(squares, means, updates), h


def _directory_of(path):
    return path.parent.parent if path.parent.name == "snapshots" else path.parent


def _unusable(path, why):
    return RunError(f"{path} {why}. Delete {_directory_of(path)} to train anew.")


def _fingerprint(path):
    """Return the SHA-256 of the file's name and of the `run.json` that it belongs to, as bytes (32,)."""
    belongs_to = path.name.encode() + _read_file(_directory_of(path) / "run.json")
    return np.frombuffer(hashlib.sha256(belongs_to).digest(), np.uint8)
