"""Training: a run is started, gone on with, or read from disk. The steps themselves are `kernel.advance`."""

import contextlib
import os
import signal
import threading
import time
import zlib
from typing import NamedTuple

import numpy as np
from filelock import FileLock, Timeout
from scipy.signal import lfilter
from tqdm import tqdm

from rnn import kernel, model
from rnn.runs import RUNS, Checkpoint, Config, LockedError, RunError, read_losses, read_run, run_directory, save_arrays

CHECKPOINT_SECONDS = 10  # what a killed run loses at most
CHUNK_SECONDS = 0.2  # what the kernel takes at a time, and so how soon an interrupt is answered


def smooth(losses, alpha):
    """Return the smoothed loss of every step, s_n = alpha s_{n-1} + (1 - alpha) L_n with s_0 = L_0."""
    return lfilter([1 - alpha], [1, -alpha], losses, zi=alpha * losses[:1])[0]


class Plan(NamedTuple):
    """What n steps do, apart from the arithmetic."""

    starts: np.ndarray  # (n, B), where in the text each sequence of a step begins
    lengths: np.ndarray  # (n,), of the sequences: T, and less in the last step of an epoch with a remainder
    fresh: np.ndarray  # (n,), whether the step begins at states of zero
    rates: np.ndarray  # (n,), the learning rates


def plan(config, N, step, n):
    """Return the `Plan` of n steps on N characters, from step number `step` on; it follows from these numbers alone."""
    steps, per_epoch = np.arange(step, step + n), config.steps_per_epoch(N)
    strand = (N - 1) // config.B
    places = steps % per_epoch * config.T  # in the strand
    starts = places[:, None] + strand * np.arange(config.B)
    lengths, fresh = np.minimum(config.T, strand - places), places == 0
    if config.order != "carried":
        fresh[:] = True
    if config.order == "random":
        random = np.random.PCG64([config.seed, 1]).advance(step * config.B)  # one number for each sequence before
        starts = (np.random.Generator(random).random((n, config.B)) * (N - config.T)).astype(np.intp)
        lengths[:] = config.T
    left = 1 - steps / config.steps(N) if config.decay else np.ones(n)
    return Plan(starts, lengths, fresh, (config.learning_rate * left).astype(config.dtype))


def advance(params, memory, h, codes, step, losses, config):
    """Take len(losses) steps, from step number `step` on, and write the loss of each in nats per sequence.

    `params` (`Params`), `memory` (`Memory`), the carried states `h` (B, m) and `losses` are changed in place. Ends at
    the first loss that is not finite.
    """
    with_columns = [of._replace(U=of.U.T) for of in (params, memory.squares, memory.means)]
    kernel.advance(
        with_columns[0],
        memory._replace(squares=with_columns[1], means=with_columns[2]),
        h,
        codes,
        losses,
        plan(config, len(codes), step, len(losses)),
        config.T,
        np.dtype(config.dtype).type(config.clip),
        config.optimizer == "adam",
    )


def finished(corpus, config=Config(), start=None, runs=RUNS):
    """Return the `Run` of `config` on `corpus` if it is on disk to its last step, or None; nothing is written."""
    directory = run_directory(corpus, config, start, runs, make=False)
    if not (directory / "checkpoint.npz").exists():
        return None
    steps = Checkpoint.load(directory).step
    return read_run(directory) if steps >= config.steps(len(corpus.codes)) else None


def train(corpus, config=Config(), start=None, runs=RUNS, watch=None, show=True):
    """Return the `Run` of `config` on `corpus`, trained now as far as it is not on disk yet.

    With `start`, a finished `Run`, training goes on from its last weights and memories instead of from new ones.
    A run that was stopped goes on from its last checkpoint, and ends with the bits it would have had; an interrupt
    leaves a checkpoint of the last step taken. `watch(step, losses)` is called a few times a second with the number
    of steps taken and the losses of the latest; a bar shows the progress unless `show` is false. Raises RunError if
    the text is too short, if a loss is not finite, if files of the run are damaged, or if another process trains it.
    """
    steps = config.steps(len(corpus.codes))
    for setting, known in (("optimizer", ("adagrad", "adam")), ("order", ("carried", "reset", "random"))):
        if getattr(config, setting) not in known:
            raise RunError(f"There is no {setting} {getattr(config, setting)!r}: choose {' or '.join(known)}.")
    if start and (start.config.m, start.config.dtype) != (config.m, config.dtype):
        raise RunError(
            f"A run with m = {config.m} in {config.dtype} cannot go on from one with m = {start.config.m} in "
            f"{start.config.dtype}."
        )
    if steps < 1:
        needed = config.B * config.T + 1
        sizes = f"T = {config.T}" + (f" and B = {config.B}" if config.B > 1 else "")
        raise RunError(f"{len(corpus.codes)} characters are too few: {sizes} needs {needed} of them.")
    if run := finished(corpus, config, start, runs):
        return run
    directory = run_directory(corpus, config, start, runs)
    try:
        with FileLock(directory / "lock", timeout=0):
            _train_in(directory, corpus, config, start, steps, watch, show)
    except Timeout:
        raise LockedError(f"Another process is training {directory}: wait for it, or stop it.") from None
    return read_run(directory)


def _first_checkpoint(corpus, config, start):
    h = np.zeros((config.B, config.m), config.dtype)
    if start:
        return Checkpoint.load(start.directory)._replace(h=h, step=0, checksum=0)
    rng = np.random.default_rng(config.seed)
    params = model.init_params(corpus.K, config.m, rng, config.sigma, config.dtype)
    return Checkpoint(params, model.init_memory(params), h, step=0, checksum=0)


@contextlib.contextmanager
def _interrupt_remembered():
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


def _train_in(directory, corpus, config, start, steps, watch, show):
    found = (directory / "checkpoint.npz").exists()
    params, memory, h, step, checksum = state = (
        Checkpoint.load(directory) if found else _first_checkpoint(corpus, config, start)
    )
    losses_file, snapshots = directory / "losses.f64", directory / "snapshots"
    read_losses(directory, state)  # or say that they are damaged
    losses_file.touch()
    os.truncate(losses_file, 8 * step)  # what stands behind the checkpoint will be computed again
    first_step = start.last_step if start else 0
    chunk, saved_at, average = 100, time.monotonic(), None
    starting = "starting; the first time, the kernel is compiled"
    bar = tqdm(total=steps, initial=step, unit=" steps", ncols=100, mininterval=0.5, desc=starting, disable=not show)
    with bar, losses_file.open("ab") as losses_out, _interrupt_remembered() as interrupted:
        while step < steps and not interrupted.is_set():
            if step % config.snapshot_every == 0:
                save_arrays(snapshots / f"{first_step + step}.npz", **params._asdict(), h=h)
            began = time.monotonic()
            to_snapshot = config.snapshot_every - step % config.snapshot_every
            losses = np.full(min(chunk, to_snapshot, steps - step), np.nan)
            advance(params, memory, h, corpus.codes, step, losses, config)
            if not np.isfinite(losses).all():
                bad = int(np.argmin(np.isfinite(losses)))
                raise RunError(
                    f"The loss of step {first_step + step + bad:,} is {losses[bad]}, at learning rate "
                    f"{config.learning_rate:g}: try a smaller one. What was reached before stays in {directory}."
                )
            chunk = max(1, int(len(losses) * CHUNK_SECONDS / max(time.monotonic() - began, 1e-3)))
            step += len(losses)
            losses_out.write(losses.tobytes())
            checksum = zlib.crc32(losses.tobytes(), checksum)
            average = losses[-1] if average is None else 0.9 * average + 0.1 * losses.mean()
            bar.set_description(f"epoch {(step - 1) * config.epochs // steps + 1} of {config.epochs}", refresh=False)
            bar.set_postfix_str(f"loss {average:.1f}", refresh=False)
            bar.update(len(losses))
            if watch:
                watch(first_step + step, losses.copy())
            if step == steps:
                save_arrays(snapshots / f"{first_step + step}.npz", **params._asdict(), h=h)
            if step == steps or interrupted.is_set() or time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                losses_out.flush()
                os.fsync(losses_out.fileno())
                Checkpoint(params, memory, h, step, checksum).save(directory)
                saved_at = time.monotonic()
    if interrupted.is_set():
        raise KeyboardInterrupt(
            f"Stopped after {first_step + step:,} steps. The same call goes on from there; "
            f"read_run({str(directory)!r}) is the run as far as it came."
        )
