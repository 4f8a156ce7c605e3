"""The jobs of a sweep, trained by Dask: on this machine's cores, or wherever its workers are."""

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

from rnn.corpus import ROOT
from rnn.engine.runs import RUNS, LockedError, RunError, opened_run_directory, write_atomically
from rnn.engine.sweep import Job
from rnn.engine.training import interrupts_remembered, train

# what this process runs, and a worker must too: the SHA-256 of the network's modules as they are when it begins
MODULES = sorted((ROOT / "rnn").rglob("*.py"))
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in MODULES)).hexdigest()
SETTINGS = {  # of Dask: no profile, which takes 4 % of the time; no run that waits for one worker while another has
    # none; and no warning of what a run goes on from, 20 MB
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.admin.large-graph-warning-threshold": "1 GB",
}
CONNECT_SECONDS = 10  # how long a scheduler may take to answer
GONE_SECONDS = 60  # how long a sweep waits for a first worker, or for another after the last one has gone
BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
LEFT = 20  # of the runs, when a sweep is near its end
DEATHS = 10  # how often Dask may give up a run because workers died of it, four at a time, before the sweep does


@contextlib.contextmanager
def _client(scheduler, workers):
    address = scheduler or os.environ.get("SCHEDULER") or dask.config.get("scheduler-address", None)
    if address:
        try:
            LoopRunner().run_sync(_greet, address, callback_timeout=CONNECT_SECONDS)
        except Exception as error:  # whatever something else makes of Dask's greeting, or Dask of its answer
            why = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise RunError(f"No scheduler of Dask answers at {address} ({why}).") from None
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


def train_all(jobs, scheduler, workers, runs, near_end):
    """Train the jobs, the longest first; see `rnn.engine.sweep.sweep_all`."""
    with dask.config.set(SETTINGS), _client(scheduler, workers) as client:
        _train_all(client, jobs, runs, near_end)


def _train_all(client, jobs, runs, near_end):
    print(f"{len(jobs)} runs to train. Dask's dashboard is at {client.dashboard_link}", file=sys.stderr, flush=True)
    waiting, failed, deaths, futures = list(jobs), [], Counter(), {}
    # tasks too: what a dead worker held is made again
    texts = {job.corpus.id: client.submit(tuple, tuple(job.corpus), key=job.corpus.id) for job in jobs}

    def task(text, settings, before, runs, code):  # goes to the workers as it is here, being no module's own
        from rnn.engine import cluster
        from rnn.engine.sweep import Config, Corpus, Job

        if getattr(cluster, "CODE", None) != code:
            where = get_worker().address
            raise ConnectionRefusedError(f"The worker {where} runs another rnn than this process: start both anew.")
        config, *after = (Config(**of) for of in settings)
        return cluster.train_there(Job(Corpus(*text), config, *after), before, runs)

    def submit(job):
        settings = [dataclasses.asdict(config) for config in (job.config, job.after) if config]
        before = _files(job.start(runs)) if job.after else {}
        arguments = texts[job.corpus.id], settings, before, runs, CODE
        # Dask keeps the order of what comes within 0.1 s no better than by its names
        futures[client.submit(task, *arguments, pure=False, priority=job.work)] = job

    def submit_what_can_begin():
        for job in [job for job in waiting if not job.after or job.start(runs)]:
            waiting.remove(job)
            submit(job)

    submit_what_can_begin()
    with tqdm(
        desc=f"0 of {len(jobs)} runs", total=sum(job.work for job in jobs), ncols=100, smoothing=0, bar_format=BAR
    ) as bar:
        for future, job in _as_completed(client, futures):
            try:
                if future.status != "finished" or not job.finished(runs):  # where workers see the same folder, it is
                    _bring_home(job, runs, future.result(timeout=GONE_SECONDS))
            except ConnectionRefusedError as refusal:
                raise RunError(str(refusal)) from None
            except Exception as error:  # whatever stopped a run, or the workers that had it; the others go on
                deaths[job] += isinstance(error, KilledWorker)
                if isinstance(error, KilledWorker) and deaths[job] < DEATHS:
                    submit(job)
                    continue
                failed.append(f"{type(error).__name__}: {error}")
            submit_what_can_begin()
            bar.set_description_str(f"{len(jobs) - len(waiting) - len(futures)} of {len(jobs)} runs", refresh=False)
            bar.update(job.work)
            if near_end and len(waiting) + len(futures) == LEFT:
                near_end()
    if failed:
        n = len(failed) + len(waiting)
        raise RunError(f"{n} of {len(jobs)} runs failed. The first: {failed[0]}")


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


def train_there(job, before, runs):
    """Train a run, on a worker, and return its files, {name: bytes}; `before` are those of the run it goes on from."""
    tqdm.set_lock(threading.RLock())  # its own is one between processes, of which a killed worker leaves a rest
    try:
        Path(runs).mkdir(parents=True, exist_ok=True)
    except OSError:  # a machine that has no such folder
        runs = RUNS
    if job.after:
        _bring_home(Job(job.corpus, job.after), runs, before)
    while True:
        try:
            return _files(train(job.corpus, job.config, job.start(runs), runs, show=False))
        except LockedError:  # by a worker that the scheduler has given up and that is alive still
            time.sleep(1)


def _files(run):
    """Return the files of a run, {name: bytes}, the checkpoint last."""
    paths = [run.directory / "losses.f64", *run.directory.glob("snapshots/*"), run.directory / "checkpoint"]
    return {str(path.relative_to(run.directory)): path.read_bytes() for path in paths}


def _bring_home(job, runs, files):
    """Write the files of a run that was trained where the folder `runs` is another."""
    if not job.finished(runs):
        with opened_run_directory(job.corpus, job.config, job.start(runs), runs) as directory:
            for name, data in files.items():
                write_atomically(directory / name, data)
