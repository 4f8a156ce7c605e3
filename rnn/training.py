"""AdaGrad training: a run is started, gone on with, or read from disk. The steps themselves are `kernel.advance`."""

import itertools
import os
import time
import zlib

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from rnn import kernel, model
from rnn.model import Params
from rnn.runs import RUNS, Checkpoint, Config, read_run, run_directory, save_params

CHECKPOINT_SECONDS = 10  # what a killed run loses at most


class TrainingError(RuntimeError):
    """A run that cannot start or go on; the message says in a sentence why, and what to do."""


def smooth(losses, alpha):
    """Return the smoothed loss of every step, s_n = alpha s_{n-1} + (1 - alpha) L_n with s_0 = L_0."""
    smoothed = itertools.accumulate(losses.tolist(), lambda s, L: alpha * s + (1 - alpha) * L)
    return np.fromiter(smoothed, np.float64, len(losses))


def advance(params, memory, h, codes, step, losses, config):
    """Take len(losses) steps, from step number `step` on, and write the loss of each in nats per sequence.

    `params` and `memory` (`Params`), the carried state `h` (m,) and `losses` are changed in place. Which sequence of
    `codes` (N,) a step sees follows from its number alone. Ends at the first loss that is not finite.
    """
    real = np.dtype(config.dtype).type
    kernel.advance(
        params._replace(U=params.U.T),
        memory._replace(U=memory.U.T),
        h,
        codes,
        step,
        losses,
        config.T,
        config.steps_per_epoch(len(codes)),
        real(config.learning_rate),
        real(config.clip),
    )


def train(corpus, config=Config(), start=None, runs=RUNS):
    """Return the `Run` of `config` on `corpus`, trained now as far as it is not on disk yet.

    With `start`, a finished `Run`, training goes on from its last weights and memories instead of from new ones.
    A run that was stopped goes on from its last checkpoint, and ends with the bits it would have had. Raises
    TrainingError if the text is too short, if a loss is not finite, or if another process trains this run.
    """
    steps = config.epochs * config.steps_per_epoch(len(corpus.codes))
    if steps < 1:
        raise TrainingError(f"{len(corpus.codes)} characters are too few: T = {config.T} needs {config.T + 1} of them.")
    directory = run_directory(corpus, config, start, runs)
    try:
        with FileLock(directory / "lock", timeout=0):
            _train_in(directory, corpus, config, start, steps)
    except Timeout:
        raise TrainingError(f"Another process is training {directory}: wait for it, or stop it.") from None
    return read_run(directory)


def _first_checkpoint(corpus, config, start):
    if start:
        return Checkpoint.load(start.directory / "checkpoint.npz")._replace(step=0, checksum=0)
    rng = np.random.default_rng(config.seed)
    params = model.init_params(corpus.K, config.m, rng, config.sigma, config.dtype)
    memory = Params(*(np.zeros_like(theta) for theta in params))
    return Checkpoint(params, memory, np.zeros(config.m, config.dtype), step=0, checksum=0)


def _train_in(directory, corpus, config, start, steps):
    checkpoint, losses_file = directory / "checkpoint.npz", directory / "losses.f64"
    state = Checkpoint.load(checkpoint) if checkpoint.exists() else _first_checkpoint(corpus, config, start)
    params, memory, h, step, checksum = state
    if step == steps:
        return
    first_step = start.last_step if start else 0
    losses_file.touch()
    os.truncate(losses_file, 8 * step)  # what stands behind the checkpoint will be computed again
    if zlib.crc32(losses_file.read_bytes()) != checksum:
        raise TrainingError(f"{losses_file} is not what {checkpoint} says: delete {directory} to train anew.")

    chunk, saved_at, smoothed = 100, time.monotonic(), None
    bar = tqdm(total=steps, initial=step, unit=" steps", ncols=100, mininterval=0.5)
    with bar, losses_file.open("ab") as losses_out:
        while step < steps:
            if step % config.snapshot_every == 0:
                save_params(directory / "snapshots" / f"{first_step + step}.npz", params)
            began = time.monotonic()
            losses = np.full(min(chunk, config.snapshot_every - step % config.snapshot_every, steps - step), np.nan)
            advance(params, memory, h, corpus.codes, step, losses, config)
            if not np.isfinite(losses).all():
                bad = int(np.argmin(np.isfinite(losses)))
                raise TrainingError(
                    f"The loss of step {first_step + step + bad:,} is {losses[bad]}, at learning rate "
                    f"{config.learning_rate:g}: try a smaller one. What was reached before stays in {directory}."
                )
            chunk = max(1, int(len(losses) * 0.2 / max(time.monotonic() - began, 1e-3)))  # 0.2 s, to answer Ctrl-C
            step += len(losses)
            losses_out.write(losses.tobytes())
            checksum = zlib.crc32(losses.tobytes(), checksum)
            smoothed = losses[-1] if smoothed is None else 0.9 * smoothed + 0.1 * losses.mean()
            bar.set_description(f"epoch {(step - 1) * config.epochs // steps + 1} of {config.epochs}", refresh=False)
            bar.set_postfix_str(f"loss {smoothed:.1f}", refresh=False)
            bar.update(len(losses))
            if step == steps:
                save_params(directory / "snapshots" / f"{first_step + step}.npz", params)
            if step == steps or time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                losses_out.flush()
                os.fsync(losses_out.fileno())
                Checkpoint(params, memory, h, step, checksum).save(checkpoint)
                saved_at = time.monotonic()
