"""Train many runs at once with `concurrent.futures`: on the cores of this machine, or on a cluster."""

import contextlib
import dataclasses
import hashlib
import io
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from pathlib import Path

import numpy as np

from rnn.corpus import ROOT, Corpus, UserError
from rnn.engine.cores import cores
from rnn.engine.runs import (
    RUNS,
    Config,
    LockedError,
    RunError,
    as_run_error,
    finished,
    is_own_rule,
    run_directory,
    write_atomically,
)
from rnn.engine.training import Interrupted, interrupts_remembered, progress_bar, train

DEATHS = 5  # a sweep gives up if so many workers die and no run finishes in between
GONE_SECONDS = 60  # a sweep waits so long for a worker if a cluster has none
CONNECT_SECONDS = 10  # a scheduler must answer within this time
MOMENT = 0.2  # seconds between two checks for finished runs
BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
# a hash of the code in rnn/; workers must have the same code as this process
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in sorted((ROOT / "rnn").rglob("*.py")))).hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run to train: a text, a configuration, and the configuration of the run that it continues, if any."""

    corpus: Corpus
    config: Config
    after: Config | None = None

    def start(self, runs):
        """Return the `Run` that this one continues if that is finished, else None."""
        return self.after and finished(self.corpus, self.after, runs=runs)

    def finished(self, runs):
        """Return the `Run` if all of it is on disk, else None."""
        start = self.start(runs)
        return finished(self.corpus, self.config, start, runs) if start or not self.after else None

    @property
    def steps(self):
        """The number of steps of the run."""
        return self.config.steps(len(self.corpus.codes))

    @property
    def work(self):
        """An estimate of how long the run takes, in arbitrary units."""
        return int(self.steps * (self.config.B + 1) * self.config.T * self.config.m**1.5)


def sweep(corpus, configs, after=None, **settings):
    """Return {config: finished `Run`} for `configs` on `corpus`. Train what is not on disk yet.

    With `after`, each continues the run of that configuration. All other settings, and the errors raised, are those of
    `sweep_all`.
    """
    jobs = [Job(corpus, config, after) for config in configs]
    sweep_all(jobs, **settings)
    return {job.config: job.finished(settings.get("runs", RUNS)) for job in jobs}


def sweep_all(jobs, scheduler=None, workers=None, runs=RUNS):
    """Train the `jobs` that are not on disk yet, the longest first. A job that continues another one waits for it.

    `workers` processes on this machine train them (None: one for each core), or the workers of the Dask cluster whose
    scheduler has the address `scheduler` or $SCHEDULER. Those must see the folder `runs` under the same path. Each run
    has one thread, so the number of workers changes no bit. If a worker dies, its run continues from its last
    checkpoint. An interrupt ends all processes at once and loses at most ten seconds of training.

    Raises Interrupted, and RunError if no scheduler answers, if a worker has different code, if there is no worker for
    a minute, if workers die again and again, and, after all other runs are trained, if a run failed.
    """
    waiting = _to_train(jobs, runs)
    if not waiting:
        return
    if own := sorted({job.config.optimizer for job in waiting if not is_own_rule(job.config.optimizer)}):
        raise RunError(f"Worker processes do not have your optimiser {own[0]!r}: use `train`, one run at a time.")
    scheduler = scheduler or os.environ.get("SCHEDULER")
    with interrupts_remembered() as interrupted:
        texts = _written(waiting, runs)
        with contextlib.closing(_Cluster(scheduler) if scheduler else _Processes(workers or cores())) as pool:
            _Sweep(waiting, pool, texts, runs).train(interrupted)


def _to_train(jobs, runs):
    """Return the jobs that are not on disk, and the jobs that these continue, the longest first."""
    before = [Job(job.corpus, job.after) for job in jobs if job.after]
    longest = {}  # {folder: its longest run}; the shorter ones are the beginning of that
    for job in [*before, *jobs]:
        if not job.finished(runs):
            folder = run_directory(job.corpus, job.config, runs=runs), job.after
            longest[folder] = max(longest.get(folder, job), job, key=lambda other: other.config.epochs)
    return sorted(longest.values(), key=lambda job: job.work, reverse=True)


def _written(jobs, runs):
    """Write the codes of the jobs' texts into the folders of their runs; return {text's id: file}.

    They are not sent through the executor's pipe: Python before 3.12 waits for ever if a worker dies while it reads.
    """
    files = {}
    for corpus in {job.corpus.id: job.corpus for job in jobs}.values():
        file = files[corpus.id] = Path(runs) / corpus.id / "codes.npy"
        data = io.BytesIO()
        np.save(data, corpus.codes)
        with as_run_error(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            is_there = file.exists() and file.read_bytes() == data.getvalue()
        if not is_there:  # another sweep may be reading it
            write_atomically(file, data.getvalue())
    return files


class _Sweep:
    """The progress of a sweep."""

    def __init__(self, waiting, pool, texts, runs):
        self.waiting = waiting
        self.pool = pool
        self.texts = texts
        self.runs = runs
        self.running = {}  # {future: (job, its run's folder)}
        self.trained = []
        self.failed = []  # messages
        self.deaths = 0

    def train(self, interrupted):
        """Train all jobs, one for each worker at a time."""
        n = len(self.waiting)
        total = sum(job.work for job in self.waiting)
        worked_at = time.monotonic()
        with progress_bar(total=total, desc=f"0 of {n} runs", smoothing=0, miniters=1, bar_format=BAR) as bar:
            while self.waiting or self.running:
                if interrupted.is_set():
                    raise Interrupted("Stopped. What was trained is kept: the same call continues from there.")
                self.begin()
                if self.running:
                    worked_at = time.monotonic()
                elif time.monotonic() - worked_at > GONE_SECONDS:
                    raise RunError("There is no worker: start one. What was trained is kept.")
                self.end()
                bar.set_description_str(f"{len(self.trained)} of {n} runs", refresh=False)
                bar.update(self.work_done() - bar.n)
        if self.failed:
            raise RunError(f"{len(self.failed)} of {n} runs failed. The first: {self.failed[0]}")

    def begin(self):
        """Give a job to each idle worker. Jobs that continue an unfinished run have to wait."""
        unfinished = [*self.waiting, *(job for job, _ in self.running.values())]
        folders = {run_directory(job.corpus, job.config, runs=self.runs) for job in unfinished if not job.after}
        for job in list(self.waiting):
            if len(self.running) >= self.pool.slots():
                return
            if job.after and run_directory(job.corpus, job.after, runs=self.runs) in folders:
                continue
            self.waiting.remove(job)
            without_codes = dataclasses.replace(job, corpus=job.corpus._replace(codes=None))
            future = self.pool.submit(_train_one, without_codes, self.texts[job.corpus.id], self.runs, CODE)
            self.running[future] = job, run_directory(job.corpus, job.config, job.start(self.runs), self.runs)

    def end(self):
        """Wait a moment, and collect the jobs that have ended."""
        if not self.running:
            time.sleep(MOMENT)
            return
        done, _ = wait(self.running, MOMENT, FIRST_COMPLETED)
        if any(isinstance(future.exception(), self.pool.died) for future in done):
            self.renew()
            done = [future for future in self.running if future.done()]
        for future in done:
            job, _ = self.running.pop(future)
            error = future.exception()
            if isinstance(error, self.pool.died):
                self.waiting.insert(0, job)
            elif error:
                self.failed.append(str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")
            elif not job.finished(self.runs):
                raise RunError(f"A run was trained but is not in {self.runs}: workers must see the same folder.")
            else:
                self.trained.append(job)
                self.deaths = 0

    def renew(self):
        """Get new workers after one has died; raise RunError if that happens again and again."""
        self.deaths += 1
        if self.deaths == DEATHS:
            names = " and ".join(folder.name for _, folder in self.running.values())
            raise RunError(
                f"A worker was killed {DEATHS} times while {names} trained: is there too little memory? "
                "What was trained is kept: the same call continues from there."
            )
        self.pool.renew(self.deaths)

    def work_done(self):
        """Return how much of the work is done. The size of a run's file of losses shows its progress."""
        work = sum(job.work for job in self.trained)
        for job, folder in self.running.values():
            with contextlib.suppress(OSError):
                steps = (folder / "losses.f64").stat().st_size // 8
                work += job.work * min(steps, job.steps) // job.steps
        return work


def _train_one(job, text, runs, code):
    """Train a run, in a worker."""
    if code != CODE:
        raise RunError("A worker has different code in rnn/ than this process: restart both.")
    job = dataclasses.replace(job, corpus=job.corpus._replace(codes=np.load(text)))
    start = job.start(runs)
    if job.after and not start:
        raise RunError("It continues a run that failed.")
    while True:
        try:
            train(job.corpus, job.config, start, runs, show=False)
            return
        except LockedError:  # another sweep trains it, or a worker that the cluster has given up but that still runs
            time.sleep(1)


class _Processes:
    """Worker processes on this machine. They end when they are told to, and when this process ends."""

    died = BrokenProcessPool

    def __init__(self, n):
        self.n = self.now = n
        self.begin()

    def begin(self):
        context = multiprocessing.get_context("spawn")
        other_end, self.lifeline = context.Pipe(duplex=False)
        self.executor = ProcessPoolExecutor(self.now, context, _begin_worker, (other_end,))

    def slots(self):
        return self.now

    def submit(self, function, *arguments):
        resource_tracker.ensure_running()  # if it started below, it would unblock interrupts again
        # a terminal sends an interrupt to every process, and the workers, which start here, must not see it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self.executor.submit(function, *arguments)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def renew(self, deaths):
        """Start again, with fewer processes if they die again and again: there may be too little memory."""
        self.close()
        self.now = max(1, self.n - deaths // 2)
        self.begin()

    def close(self):
        self.lifeline.close()
        self.executor.shutdown(cancel_futures=True)


def _begin_worker(lifeline):
    def end_with_the_sweep():
        lifeline.poll(None)  # returns when the sweep closes its end, or dies
        os._exit(0)

    threading.Thread(target=end_with_the_sweep, daemon=True).start()


class _Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, address):
        from distributed import Client, KilledWorker

        self.died = KilledWorker
        try:
            self.client = Client(address, timeout=CONNECT_SECONDS)
        except Exception as error:  # if another program listens there, Dask may raise anything
            why = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise RunError(f"No Dask scheduler answers at {address} ({why}).") from None
        self.submit = self.client.get_executor(pure=False).submit

    def slots(self):
        return sum(self.client.nthreads().values())

    def renew(self, deaths):
        """Do nothing: a cluster restarts its workers itself."""

    def close(self):
        self.client.close()
