"""Start a training run, resume it, and report its progress. `kernel.advance` or `model.train_step` take the steps."""

import contextlib
import functools
import os
import signal
import sys
import threading
import time
import zlib
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from rnn import model
from rnn.corpus import UserError
from rnn.engine.runs import (
    EARLY,
    RUNS,
    Config,
    RunError,
    State,
    as_run_error,
    finished,
    is_on,
    is_own_rule,
    load_state,
    opened_run_directory,
    read_losses,
    save_state,
)
from rnn.engine.threads import one_thread

CHECKPOINT_SECONDS = 10  # a killed run loses at most so much
CHUNK_SECONDS = 0.2  # the kernel returns about so often, and only then sees an interrupt
ABSURD = 1_000  # times the loss of a uniform guess: such a run has diverged, although its loss is finite
NEARLY_ALL = 0.92  # of the largest possible loss; a run with a large learning rate can begin a little below that


class Interrupted(UserError, KeyboardInterrupt):  # noqa: N818  (it is no error)
    """Training that the user stopped. The message says how to continue."""


class Plan(NamedTuple):
    """What n steps of training read, and their learning rates."""

    starts: np.ndarray  # (n, B), where in the text each sequence of a step begins
    lengths: np.ndarray  # (n,), of the sequences: T, or less in the last step of an epoch with a remainder
    resets: np.ndarray  # (n,), whether the step starts from states of zero
    rates: np.ndarray  # (n,), the learning rates


def plan(config, N, step, n):
    """Return the `Plan` of n steps on N characters, from step number `step` on. It depends on nothing else."""
    steps = np.arange(step, step + n)
    strand = (N - 1) // config.B  # characters in each of the B strands
    places = steps % config.steps_per_epoch(N) * config.T  # in the strand
    starts = places[:, None] + strand * np.arange(config.B)
    lengths = np.minimum(config.T, strand - places)
    resets = (places == 0) | (config.order != "carried")
    if config.order == "random":
        lengths[:] = min(config.T, N - 1)
        starts = _random_starts(config, N, step, n)
    if config.order == "shuffled":
        _shuffle(starts, config, N, step)
    warmup = np.minimum(1, (steps + 1) / max(1, config.warmup))
    decay = 1 - steps / config.steps(N) if config.decay else 1
    return Plan(starts, lengths, resets, (config.learning_rate * warmup * decay).astype(config.dtype))


def _random_starts(config, N, step, n):
    """Return random starts (n, B) of the sequences of n steps."""
    random = np.random.PCG64([config.seed, 1]).advance(step * config.B)  # each earlier sequence has used one number
    places = N - min(config.T, N - 1)
    return (np.random.Generator(random).random((n, config.B)) * places).astype(np.intp)


def _shuffle(starts, config, N, step):
    """Shuffle the sequences of each epoch in place. The shorter sequences stay at the end of the epoch."""
    n, B = starts.shape
    strand = (N - 1) // B
    per_epoch = config.steps_per_epoch(N)
    whole = strand // config.T  # sequences in a strand
    for epoch in range(step // per_epoch, -(-(step + n) // per_epoch)):
        first = epoch * per_epoch - step  # where the epoch begins among these steps
        here = slice(max(0, first), max(0, first + whole))
        order = _shuffled(config.seed, epoch, whole * B).reshape(whole, B)
        in_epoch = np.arange(n)[here] - first
        strands, numbers = np.divmod(order[in_epoch], max(1, whole))
        starts[here] = numbers * config.T + strands * strand


@functools.lru_cache(maxsize=2)
def _shuffled(seed, epoch, n):
    """Return the order (n,) of the sequences in an epoch."""
    return np.random.default_rng([seed, 2, epoch]).permutation(n)


def first_state(K, config):
    """Return the `State` before the first step of a run with a vocabulary of K characters."""
    params = model.init_params(K, config.m, np.random.default_rng(config.seed), config.sigma, config.dtype)
    return State(params, model.init_memory(params), np.zeros((config.B, config.m), config.dtype))


def advance(params, memory, h, codes, step, losses, config):
    """Take len(losses) steps, from step number `step` on, and write the loss of each in nats per sequence.

    `params` (`Params`), `memory` (`Memory`), the carried states `h` (B, m) and `losses` change in place. Stops at the
    first loss that is not finite. Raises RunError if the engine is "kernel" and Numba is not installed.
    """
    planned = plan(config, len(codes), step, len(losses))
    if config.engine == "kernel":
        _kernel().advance(params, memory, h, codes, losses, planned, config.clip, config.optimizer)
        return
    for n, (loss, _) in enumerate(model_steps(params, memory, h, codes, planned, config)):
        losses[n] = loss
        if not np.isfinite(loss):
            return


def _kernel():
    """Return the module of the compiled code; raise RunError if Numba is not installed."""
    try:
        from rnn.engine import kernel
    except ImportError as error:
        raise RunError(f"The kernel needs Numba ({error}): install it, or train with engine='numpy'.") from None
    return kernel


def model_steps(params, memory, h, codes, planned, config):
    """Yield the loss and the gradient of each step of a `Plan`, taken with the functions of `model`."""
    for starts, length, reset, rate in zip(*planned, strict=True):
        if reset:
            h[:] = 0
        x = np.stack([codes[start : start + length] for start in starts])
        y = np.stack([codes[start + 1 : start + length + 1] for start in starts])
        with one_thread():
            loss, gradient = model.train_step(params, memory, x, y, h, rate, config.clip, config.optimizer)
        yield loss, gradient


def train(corpus, config=Config(), start=None, runs=RUNS, watch=None, show=True):
    """Return the `Run` of `config` on `corpus`. Train the steps that are not on disk yet.

    With `start`, a finished `Run` on the same text, training continues from its last weights and memories instead of
    new ones. A run that was stopped continues from its last checkpoint and ends with the same bits as without the stop.
    An interrupt saves the last step taken and raises Interrupted.

    `watch(step, losses)` is called a few times a second with the number of steps taken and the latest losses; in its
    first call these are the losses from disk, if there are any. `show` shows a progress bar.

    Raises RunError if the text is too short, if `start` does not fit, if a loss is not finite or absurdly large, if
    files of the run are damaged or cannot be written, or if another process trains the run.
    """
    with interrupts_remembered() as interrupted:
        check(corpus, config, start)
        run = finished(corpus, config, start, runs)
        if not run:
            with opened_run_directory(corpus, config, start, runs) as directory:
                recorder = Recorder(directory, corpus, config, start)
                _take_steps(recorder, corpus, config, watch, show, interrupted)
            run = finished(corpus, config, start, runs)
    if interrupted.is_set():
        raise Interrupted(f"Stopped. The run is finished; it is in {run.directory}.")
    return run


def check(corpus, config, start=None):
    """Raise RunError if the text is too short, or if the optimiser or `start` does not fit."""
    if config.steps(len(corpus.codes)) < 1:
        needed = f"{config.B * config.T + 1:,} are needed for T = {config.T} and B = {config.B}"
        raise RunError(f"{len(corpus.codes)} characters are too few: {needed}.")
    if config.engine == "kernel" and not is_own_rule(config.optimizer):
        raise RunError(f"The kernel does not have your optimiser {config.optimizer!r}: set engine='numpy' too.")
    if start is None:
        return
    if start.vocabulary != corpus.vocabulary:
        raise RunError(
            f"A run on {corpus.id} cannot continue the one in {start.directory}: the two texts have different "
            "characters."
        )
    if (start.config.m, start.config.dtype) != (config.m, config.dtype):
        before = f"one with m = {start.config.m} in {start.config.dtype}"
        raise RunError(f"A run with m = {config.m} in {config.dtype} cannot continue {before}.")
    if not is_on(start, corpus):
        raise RunError(f"A run on {corpus.id} cannot continue the one in {start.directory}, which has another text.")
    if not start.is_finished:
        raise RunError(f"The run in {start.directory} is not finished: train it to its end before you continue it.")


class Recorder:
    """The progress of a run that is training. It writes losses, snapshots and checkpoints to disk."""

    def __init__(self, directory, corpus, config, start=None):
        """Read the progress of the run in `directory`, or begin the run."""
        self.directory = directory
        self.first_step = start.last_step if start else 0
        N = len(corpus.codes)
        self.regular = [config.snapshot_interval(N), config.steps(N)]
        self.once = list(EARLY)
        if config.is_shared:  # where runs of fewer epochs end
            self.regular.append(config.steps_per_epoch(N))
            self.once.append(config.replace(epochs=0.5).steps(N))
        if (directory / "checkpoint").exists():
            self.state = load_state(directory / "checkpoint")
        else:
            self.state = first_state(corpus.K, config)
            if start:
                before = start.state()
                self.state = self.state._replace(params=before.params, memory=before.memory)
        self.losses = read_losses(directory, self.state)
        with as_run_error(directory / "losses.f64"):
            self.file = (directory / "losses.f64").open("ab")
            self.file.truncate(8 * self.state.step)  # later losses are computed again
        self.saved_at = time.monotonic()
        if not self.state.snapshots:
            self._snapshot()

    @property
    def steps(self):
        """The number of steps taken, including those of the runs that this one continues."""
        return self.first_step + self.state.step

    def until_snapshot(self):
        """Return the number of steps to the next snapshot."""
        step = self.state.step
        return min([n - step % n for n in self.regular] + [n - step for n in self.once if n > step])

    def record(self, losses):
        """Write the losses of the steps just taken, and a snapshot and a checkpoint if they are due."""
        due = len(losses) == self.until_snapshot()
        with as_run_error(self.directory / "losses.f64"):
            self.file.write(losses.tobytes())
        step = self.state.step + len(losses)
        checksum = zlib.crc32(losses, self.state.checksum)
        self.state = self.state._replace(step=step, checksum=checksum)
        if due:
            self._snapshot()
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self.checkpoint()

    def _snapshot(self):
        self.state = self.state._replace(snapshots=(*self.state.snapshots, self.steps))
        save_state(self.directory / "snapshots" / str(self.steps), self.state)

    def checkpoint(self):
        """Write everything that the run needs to continue from here."""
        with as_run_error(self.directory / "losses.f64"):
            self.file.flush()
            os.fsync(self.file.fileno())
        save_state(self.directory / "checkpoint", self.state)
        self.saved_at = time.monotonic()

    def close(self):
        """Close the file of losses."""
        with as_run_error(self.directory / "losses.f64"):
            self.file.close()


def _take_steps(recorder, corpus, config, watch, show, interrupted):
    """Take the missing steps, in chunks, and record them; raise Interrupted if the user stops training."""
    steps = config.steps(len(corpus.codes))
    absurd = absurd_loss(corpus.K, config)
    chunk = 100  # steps
    average = None  # of the latest losses
    if watch and len(recorder.losses):
        watch(recorder.steps, recorder.losses.copy())
    settings = {"total": steps, "initial": recorder.state.step, "unit": " steps", "disable": not show}
    first = "starting; the first time, the kernel is compiled"
    with contextlib.closing(recorder), progress_bar(desc=first, **settings) as bar:
        while (step := recorder.state.step) < steps and not interrupted.is_set():
            began = time.monotonic()
            losses = np.full(min(chunk, recorder.until_snapshot()), np.nan)
            advance(*recorder.state[:3], corpus.codes, step, losses, config)
            if not (losses < absurd).all():
                raise _diverged(recorder, losses, int((losses < absurd).argmin()), config)
            chunk = max(1, int(len(losses) * CHUNK_SECONDS / max(time.monotonic() - began, 1e-3)))
            recorder.record(losses)
            average = losses.mean() if average is None else 0.9 * average + 0.1 * losses.mean()
            bar.set_description(f"epoch {int(step * config.epochs / steps) + 1} of {config.epochs}", refresh=False)
            bar.set_postfix_str(f"loss {average:.1f}", refresh=False)
            bar.update(len(losses))
            if watch:
                watch(recorder.steps, losses.copy())
        recorder.checkpoint()
    if step < steps:
        raise Interrupted(
            f"Stopped after {recorder.steps:,} of {recorder.first_step + steps:,} steps. To continue from there, "
            "run the cell again. To read what has been trained so far:\n"
            f"from rnn.engine.runs import read_run; run = read_run({str(recorder.directory)!r})"
        )


def absurd_loss(K, config):
    """Return the loss of a step, in nats per sequence, at which a run counts as diverged.

    The kernel's losses have no limit. In NumPy a probability that is rounded to 0 counts as the smallest number of its
    type (see `model.cross_entropy`), so no character costs more than 87 nats in float32 and 708 in float64.
    """
    absurd = ABSURD * config.T * np.log(K)
    if config.engine == "numpy":
        largest = -config.T * np.log(np.finfo(config.dtype).tiny)
        return min(absurd, NEARLY_ALL * largest)
    return absurd


def _diverged(recorder, losses, first, config):
    """Return a RunError for losses of which number `first` is absurd. Put the run back to its last snapshot."""
    step = recorder.steps + first
    recorder.state = load_state(recorder.directory / "snapshots" / str(recorder.state.snapshots[-1]))
    recorder.checkpoint()
    return RunError(
        f"The loss of step {step:,} is {losses[first]:g} at learning rate {config.learning_rate:g}: "
        f"try a smaller rate. The run up to step {recorder.steps:,} is in {recorder.directory}."
    )


def progress_bar(**settings):
    """Return a tqdm bar. In a notebook it goes to standard output, because standard error is pink there."""
    tqdm.set_lock(threading.RLock())  # tqdm's own lock is shared by processes, and a killed process never releases it
    file = sys.stdout if "ipykernel" in sys.modules else sys.stderr
    return tqdm(file=file, ncols=100, mininterval=0.5, leave=False, **settings)


@contextlib.contextmanager
def interrupts_remembered():
    """Yield an event that an interrupt sets. So no KeyboardInterrupt is raised between two lines of the caller."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # only the main thread gets signals
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
