"""Runs by the dozen, trained by Dask on this machine's cores or on any cluster.

    make sweep [SCHEDULER=tcp://host:port] [CORPUS=path] [QUICK=1]

trains all that `choices` has; notebooks call `sweep` for as much of it as their budget has.
"""

import contextlib
import dataclasses
import hashlib
import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from multiprocessing import resource_tracker
from pathlib import Path

import dask
from distributed import Client, KilledWorker, LocalCluster, get_worker
from distributed.core import rpc
from distributed.security import Security
from distributed.utils import LoopRunner
from tqdm import tqdm

from rnn.choices import FULL, SHORT, grid
from rnn.corpus import Corpus, CorpusError, read_corpus, split
from rnn.runs import (
    RUNS,
    Config,
    LockedError,
    RunError,
    finished,
    opened_run_directory,
    run_directory,
    write_atomically,
)
from rnn.training import Interrupted, interrupts_remembered, train

# what this process runs, and a worker must too: the SHA-256 of the network's modules as they are when it begins
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
CONNECT_SECONDS = 10  # how long a scheduler may take to answer
GONE_SECONDS = 60  # how long a sweep waits for a first worker, or for another after the last one has gone
DEATHS = 10  # how often Dask may give up a run because workers died of it, four at a time, before the sweep does


def sweep(corpus, configs, scheduler=None, workers=None, runs=RUNS):
    """Return {config: its finished `Run`} of `configs` on `corpus`, trained now as far as they are not on disk.

    A run is one task of Dask, on one thread, so that its bits do not depend on how many there are at a time. The tasks
    go to the cluster with the address `scheduler`, or $SCHEDULER, or Dask's own setting; without one, to `workers`
    processes on this machine, one for each core for None. A worker that dies has its run gone on with from the
    checkpoint that it left in `runs`, if the next worker sees that folder, and from the beginning otherwise. Finished
    runs come home to `runs`. Raises RunError if no scheduler answers, if a worker has other code than this process, if
    there is no worker for a minute, and, after all others have finished, if runs failed.
    """
    missing = {}  # the longest of those that share a folder, where the others are its beginning
    for config in configs:
        if not finished(corpus, config, runs=runs):
            folder = run_directory(corpus, config, runs=runs)
            missing[folder] = max(missing.get(folder, config), config, key=lambda other: other.epochs)
    try:
        if missing:
            with _client(scheduler, workers) as client:
                _train_all(client, corpus, missing.values(), runs)
    except KeyboardInterrupt:
        raise Interrupted("Stopped. What was trained is kept: the same call goes on from there.") from None
    return {config: finished(corpus, config, runs=runs) for config in configs}


@contextlib.contextmanager
def _client(scheduler, workers):
    address = scheduler or os.environ.get("SCHEDULER") or dask.config.get("scheduler-address", None)
    if address:
        try:
            LoopRunner().run_sync(_greet, address, callback_timeout=CONNECT_SECONDS)
        except Exception as error:  # whatever something else makes of Dask's greeting, or Dask of its answer
            raise RunError(f"No scheduler of Dask answers at {address} ({type(error).__name__}: {error}).") from None
    with contextlib.ExitStack() as stack:
        with _uninterrupted():
            if not address:
                # one thread a process: two runs in one process would wait for each other's Python; and no logs, or what
                # an interrupt cuts off between processes is told in tracebacks
                settings = {"threads_per_worker": 1, "silence_logs": logging.CRITICAL + 1}
                address = LocalCluster(n_workers=workers, dashboard_address="127.0.0.1:0", **settings)
                stack.callback(_close, address)
            client = Client(address, timeout=CONNECT_SECONDS)
            stack.callback(_close, client)
        yield client


def _close(cluster_or_client):
    with _uninterrupted(), contextlib.suppress(TimeoutError):
        cluster_or_client.close(timeout=10)


async def _greet(address):
    async with rpc(address, connection_args=Security().get_connection_args("client")) as scheduler:
        answer = await scheduler.identity()
    if answer["type"] != "Scheduler":
        raise TypeError(f"it is a {answer['type']}")


@contextlib.contextmanager
def _uninterrupted():
    """Let an interrupt wait until the end of the block; the processes that begin in it never get a terminal's."""
    resource_tracker.ensure_running()  # or it is begun below, and lets interrupts through again
    with interrupts_remembered() as interrupted:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which what begins here inherits
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if interrupted.is_set():
        raise KeyboardInterrupt


def _train_all(client, corpus, configs, runs):
    print(f"{len(configs)} runs to train. Dask's dashboard is at {client.dashboard_link}", file=sys.stderr, flush=True)
    N, failed, deaths = len(corpus.codes), [], Counter()
    text = client.submit(tuple, tuple(corpus), key=corpus.id)  # a task: what a dead worker held is made again

    def task(text, settings, runs, code):  # no module's own, or a worker would take its own version of it
        from rnn import sweep

        if getattr(sweep, "CODE", None) != code:
            where = get_worker().address
            raise ConnectionRefusedError(f"The worker {where} runs another rnn than this process: start both anew.")
        return sweep.train_there(Corpus(*text), Config(**settings), runs)

    def submit(config):
        return client.submit(task, text, dataclasses.asdict(config), runs, CODE, pure=False)

    def work(config):
        return config.steps(N) * config.B * config.T * config.m

    # the longest first, so that no worker is left alone with one at the end
    futures = {submit(config): config for config in sorted(configs, key=work, reverse=True)}
    with tqdm(total=len(futures), unit=" runs", ncols=100) as bar:
        for future, config in _as_completed(client, futures):
            try:
                _bring_home(corpus, config, runs, future.result(timeout=GONE_SECONDS))
            except ConnectionRefusedError as refusal:
                raise RunError(str(refusal)) from None
            except Exception as error:  # whatever stopped a run, or the workers that had it; the others go on
                deaths[config] += isinstance(error, KilledWorker)
                if isinstance(error, KilledWorker) and deaths[config] < DEATHS:
                    futures[submit(config)] = config
                    continue
                failed.append(f"{type(error).__name__}: {error}")
            bar.update()
    if failed:
        raise RunError(f"{len(failed)} of {len(configs)} runs failed. The first: {failed[0]}")


def _as_completed(client, futures):
    """Take the items out of {future: ...} as they are done; raise RunError when there has been no worker for a while.

    No wait is without an end: an interrupt is seen, and so is that nobody works any more.
    """
    seen_at = time.monotonic()
    while futures:
        if client.scheduler_info(n_workers=-1)["workers"]:
            seen_at = time.monotonic()
        elif time.monotonic() - seen_at > GONE_SECONDS:
            raise RunError("There is no worker: start one. What was trained is kept: the same call goes on from there.")
        for future in [future for future in futures if future.done()]:
            yield future, futures.pop(future)
        time.sleep(0.2)


def train_there(corpus, config, runs):
    """Train a run, on a worker, and return its files, {name: bytes}, the checkpoint last."""
    tqdm.set_lock(threading.RLock())  # its own is one between processes, of which a killed worker leaves a rest
    try:
        Path(runs).mkdir(parents=True, exist_ok=True)
    except OSError:  # a machine that has no such folder
        runs = RUNS
    while True:
        try:
            directory = train(corpus, config, runs=runs, show=False).directory
            break
        except LockedError:  # by a worker that the scheduler has given up and that is alive still
            time.sleep(1)
    paths = [directory / "losses.f64", *directory.glob("snapshots/*"), directory / "checkpoint"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def _bring_home(corpus, config, runs, files):
    """Write the files of a run that was trained where the folder `runs` is another."""
    if not finished(corpus, config, runs=runs):
        with opened_run_directory(corpus, config, runs=runs) as directory:
            for name, data in files.items():
                write_atomically(directory / name, data)


def main():
    """Train the full grid, or in a rehearsal the short one."""
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    try:
        text = split(read_corpus(arguments.get("CORPUS"), "QUICK" in arguments)).train
        runs = sweep(text, grid(len(text.codes), SHORT if "QUICK" in arguments else FULL))
    except (CorpusError, RunError, KeyboardInterrupt) as error:
        sys.exit(str(error))
    folder = next(iter(runs.values())).directory.parent
    print(f"{len(runs)} runs are in {folder}; make report shows what came of them.")


if __name__ == "__main__":
    main()
