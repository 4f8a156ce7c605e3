"""Training: start a run, continue it, watch it. The steps are those of `kernel.advance` or `model.train_step`."""

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
    finished,
    is_on,
    is_own_rule,
    load_state,
    opened_run_directory,
    read_losses,
    save_state,
    told,
)
from rnn.engine.threads import one_thread

CHECKPOINT_SECONDS = 10  # what a killed run loses at most
CHUNK_SECONDS = 0.2  # what the kernel takes at a time, and so how soon an interrupt is answered
ABSURD = 1_000  # times the loss of a uniform guess: what diverges need not become infinite
# of the largest loss that NumPy's engine can give; with a large learning rate, training can begin a little below
NEARLY_ALL = 0.92


class Interrupted(UserError, KeyboardInterrupt):  # noqa: N818  (it is no error)
    """Training that was stopped by the user; the message says how it goes on."""


class Plan(NamedTuple):
    """What n steps of training read, and how fast they learn."""

    starts: np.ndarray  # (n, B), where in the text each sequence of a step begins
    lengths: np.ndarray  # (n,), of the sequences: T, and less in the last step of an epoch with a remainder
    resets: np.ndarray  # (n,), whether the step begins at states of zero
    rates: np.ndarray  # (n,), the learning rates


def plan(config, N, step, n):
    """Return the `Plan` of n steps on N characters, from step number `step` on; it follows from these numbers alone."""
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
    """Return where n steps begin their sequences (n, B), anywhere in the text."""
    random = np.random.PCG64([config.seed, 1]).advance(step * config.B)  # one number for each sequence before
    places = N - min(config.T, N - 1)
    return (np.random.Generator(random).random((n, config.B)) * places).astype(np.intp)


def _shuffle(starts, config, N, step):
    """Put the sequences of each epoch into an order of its own; the shorter ones stay an epoch's last."""
    n, B = starts.shape
    strand, per_epoch = (N - 1) // B, config.steps_per_epoch(N)
    whole = strand // config.T  # sequences of a strand
    for epoch in range(step // per_epoch, -(-(step + n) // per_epoch)):
        first = epoch * per_epoch - step  # where the epoch begins among these steps
        here = slice(max(0, first), max(0, first + whole))
        order = _shuffled(config.seed, epoch, whole * B).reshape(whole, B)
        in_epoch = np.arange(n)[here] - first
        strands, numbers = np.divmod(order[in_epoch], max(1, whole))
        starts[here] = numbers * config.T + strands * strand


@functools.lru_cache(maxsize=2)
def _shuffled(seed, epoch, n):
    """Return the order (n,) in which an epoch has its sequences."""
    return np.random.default_rng([seed, 2, epoch]).permutation(n)


def first_state(K, config):
    """Return the `State` before the first step of a run with K characters."""
    params = model.init_params(K, config.m, np.random.default_rng(config.seed), config.sigma, config.dtype)
    return State(params, model.init_memory(params), np.zeros((config.B, config.m), config.dtype))


def advance(params, memory, h, codes, step, losses, config):
    """Take len(losses) steps, from step number `step` on, and write the loss of each in nats per sequence.

    `params` (`Params`), `memory` (`Memory`), the carried states `h` (B, m) and `losses` are changed in place. Ends at
    the first loss that is not finite. Raises RunError if the compiled steps are asked for where there is no Numba.
    """
    these = plan(config, len(codes), step, len(losses))
    if config.engine == "kernel":
        _kernel().advance(params, memory, h, codes, losses, these, config.clip, config.optimizer)
        return
    for n, (loss, _) in enumerate(model_steps(params, memory, h, codes, these, config)):
        losses[n] = loss
        if not np.isfinite(loss):
            return


def _kernel():
    """Return the compiled code, which the engine of NumPy does without."""
    try:
        from rnn.engine import kernel
    except ImportError as error:
        raise RunError(f"The kernel needs Numba ({error}): install it, or train with engine='numpy'.") from None
    return kernel


def model_steps(params, memory, h, codes, these, config):
    """Yield the loss and the gradient of each step of a `Plan`, taken with the functions of `model`."""
    for starts, length, reset, rate in zip(*these, strict=True):
        if reset:
            h[:] = 0
        x = np.stack([codes[start : start + length] for start in starts])
        y = np.stack([codes[start + 1 : start + length + 1] for start in starts])
        with one_thread():
            loss, gradient = model.train_step(params, memory, x, y, h, rate, config.clip, config.optimizer)
        yield loss, gradient


def train(corpus, config=Config(), start=None, runs=RUNS, watch=None, show=True):
    """Return the `Run` of `config` on `corpus`; train the steps that are not on disk yet.

    With `start`, a finished `Run` on the same text, training goes on from its last weights and memories instead of from
    new ones. A run that was stopped goes on from its last checkpoint, and ends with the bits it would have had; an
    interrupt leaves a checkpoint of the last step taken, and raises Interrupted. `watch(step, losses)` is called a few
    times a second with the number of steps taken and the losses of the latest, the first time with those that were on
    disk; a bar shows the progress unless `show` is false. Raises RunError if the text is too short, if a loss is not
    finite or absurdly large, if files of the run are damaged or cannot be written, if `start` does not fit, or if
    another process trains the run.
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
    """Raise RunError if a text is too short for a run, if its optimiser does not fit, or if `start` does not."""
    if config.steps(len(corpus.codes)) < 1:
        needed = f"{config.B * config.T + 1:,} are needed for T = {config.T} and B = {config.B}"
        raise RunError(f"{len(corpus.codes)} characters are too few: {needed}.")
    if config.engine == "kernel" and not is_own_rule(config.optimizer):
        raise RunError(f"The kernel does not know your optimiser {config.optimizer!r}: set engine='numpy' too.")
    if start is None:
        return
    if start.vocabulary != corpus.vocabulary:
        raise RunError("A run cannot go on from one on a text with other characters: their codes mean other letters.")
    if (start.config.m, start.config.dtype) != (config.m, config.dtype):
        before = f"one with m = {start.config.m} in {start.config.dtype}"
        raise RunError(f"A run with m = {config.m} in {config.dtype} cannot go on from {before}.")
    if not is_on(start, corpus):
        raise RunError(f"A run on {corpus.id} cannot go on from one on another text, which is in {start.directory}.")
    if not start.is_finished:
        raise RunError(f"The run in {start.directory} is not finished: train it to its end, then go on from it.")


class Recorder:
    """How far a run has come, and what is written to disk while it trains."""

    def __init__(self, directory, corpus, config, start=None):
        """Read how far the run in `directory` has come, or begin it."""
        self.directory, self.first_step = directory, start.last_step if start else 0
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
        with told(directory / "losses.f64"):
            self.file = (directory / "losses.f64").open("ab")
            self.file.truncate(8 * self.state.step)  # what comes after the checkpoint is computed again
        self.saved_at = time.monotonic()
        if not self.state.snapshots:
            self._snapshot()

    @property
    def steps(self):
        """The number of steps taken, those of the run before included."""
        return self.first_step + self.state.step

    def until_snapshot(self):
        """Return the number of steps to the next snapshot."""
        step = self.state.step
        return min([n - step % n for n in self.regular] + [n - step for n in self.once if n > step])

    def record(self, losses):
        """Write the losses of the steps just taken; what is due of snapshots and checkpoints too."""
        due = len(losses) == self.until_snapshot()
        with told(self.directory / "losses.f64"):
            self.file.write(losses.tobytes())
        step, checksum = self.state.step + len(losses), zlib.crc32(losses, self.state.checksum)
        self.state = self.state._replace(step=step, checksum=checksum)
        if due:
            self._snapshot()
        if time.monotonic() - self.saved_at > CHECKPOINT_SECONDS:
            self.checkpoint()

    def _snapshot(self):
        self.state = self.state._replace(snapshots=(*self.state.snapshots, self.steps))
        save_state(self.directory / "snapshots" / str(self.steps), self.state)

    def checkpoint(self):
        """Write all that the run needs to go on from here."""
        with told(self.directory / "losses.f64"):
            self.file.flush()
            os.fsync(self.file.fileno())
        save_state(self.directory / "checkpoint", self.state)
        self.saved_at = time.monotonic()

    def close(self):
        """Close the file of losses."""
        with told(self.directory / "losses.f64"):
            self.file.close()


def _take_steps(recorder, corpus, config, watch, show, interrupted):
    """Take the steps that are missing, some at a time, and record them; raise Interrupted when the user stops it."""
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
            f"Stopped after {recorder.steps:,} of {recorder.first_step + steps:,} steps. The same call goes on "
            "from there: run the cell again. To look at the run as far as it came:\n"
            f"from rnn.engine.runs import read_run; run = read_run({str(recorder.directory)!r})"
        )


def absurd_loss(K, config):
    """Return the loss of a step, in nats per sequence, from which on a run counts as diverged.

    The kernel's losses have no limit. In NumPy a probability that is rounded to 0 counts as the smallest number of its
    type (see `model.cross_entropy`): no character costs more than 87 nats in float32, and 708 in float64.
    """
    absurd = ABSURD * config.T * np.log(K)
    if config.engine == "numpy":
        largest = -config.T * np.log(np.finfo(config.dtype).tiny)
        return min(absurd, NEARLY_ALL * largest)
    return absurd


def _diverged(recorder, losses, first, config):
    """Return the RunError of losses of which that number `first` is absurd; the run on disk is that before them."""
    step = recorder.steps + first
    recorder.state = load_state(recorder.directory / "snapshots" / str(recorder.state.snapshots[-1]))
    recorder.checkpoint()
    return RunError(
        f"The loss of step {step:,} is {losses[first]:g}, at learning rate {config.learning_rate:g}: "
        f"try a smaller one. The run as it was after {recorder.steps:,} steps is in {recorder.directory}."
    )


def progress_bar(**settings):
    """Return a bar of tqdm; in a notebook it is written to standard output, because standard error is pink there."""
    tqdm.set_lock(threading.RLock())  # tqdm's own is one between processes, which a killed process leaves behind
    file = sys.stdout if "ipykernel" in sys.modules else sys.stderr
    return tqdm(file=file, ncols=100, mininterval=0.5, leave=False, **settings)


@contextlib.contextmanager
def interrupts_remembered():
    """Let an interrupt wait: yield an event that it sets, instead of an exception between any two lines."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted  # signals go to the main thread
        return
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)
