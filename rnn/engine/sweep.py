"""Many runs at once, through `concurrent.futures`: on the cores of this machine, or on the workers of a cluster."""

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
    finished,
    is_own_rule,
    run_directory,
    told,
    write_atomically,
)
from rnn.engine.training import Interrupted, interrupts_remembered, progress_bar, train

DEATHS = 5  # how many times worker processes may die, with no run finished in between, before a sweep gives up
GONE_SECONDS = 60  # how long a sweep waits for a cluster's first worker, or for another after the last one has gone
CONNECT_SECONDS = 10  # how long a scheduler may take to answer
MOMENT = 0.2  # seconds between two looks at what has ended
BAR = "{desc} {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
# of the code that this process runs; what works for it must run the same
CODE = hashlib.sha256(b"".join(path.read_bytes() for path in sorted((ROOT / "rnn").rglob("*.py")))).hexdigest()


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A run to train: on a text, with a configuration, from the end of another run on that text if there is one."""

    corpus: Corpus
    config: Config
    after: Config | None = None

    def start(self, runs):
        """Return the `Run` that this one goes on from if it is finished, else None."""
        return self.after and finished(self.corpus, self.after, runs=runs)

    def finished(self, runs):
        """Return the `Run` if it is on disk to its end, else None."""
        start = self.start(runs)
        return finished(self.corpus, self.config, start, runs) if start or not self.after else None

    @property
    def steps(self):
        """The number of steps."""
        return self.config.steps(len(self.corpus.codes))

    @property
    def work(self):
        """About how long the run takes, as a whole number in units of its own."""
        return int(self.steps * (self.config.B + 1) * self.config.T * self.config.m**1.5)


def sweep(corpus, configs, after=None, **settings):
    """Return {config: its finished `Run`} of `configs` on `corpus`, trained now as far as they are not on disk.

    With `after` they go on from the run of that configuration. The other settings are those of `sweep_all`.
    """
    jobs = [Job(corpus, config, after) for config in configs]
    sweep_all(jobs, **settings)
    return {job.config: job.finished(settings.get("runs", RUNS)) for job in jobs}


def sweep_all(jobs, scheduler=None, workers=None, runs=RUNS):
    """Train those of the `jobs` that are not on disk yet, the longest first; then what goes on from them.

    They are trained by `workers` processes on this machine (one for each of its `cores` for None), or by the workers of
    the Dask cluster whose scheduler has the address `scheduler` or $SCHEDULER; these must see the folder `runs` under
    the same name. A run has one thread, so its bits do not depend on how many there are at a time. If a worker dies,
    its run goes on from its last checkpoint. An interrupt ends all processes at once and loses at most ten seconds.

    Raises Interrupted, and RunError: if no scheduler answers, if a worker has other code than this process, if there is
    no worker for a minute, if workers die again and again, and, after everything else is trained, if runs failed.
    """
    waiting = _to_train(jobs, runs)
    if not waiting:
        return
    if own := sorted({job.config.optimizer for job in waiting if not is_own_rule(job.config.optimizer)}):
        raise RunError(f"Other processes do not know your optimiser {own[0]!r}: take `train`, a run at a time.")
    scheduler = scheduler or os.environ.get("SCHEDULER")
    with interrupts_remembered() as interrupted:
        texts = _written(waiting, runs)
        with contextlib.closing(_Cluster(scheduler) if scheduler else _Processes(workers or cores())) as pool:
            _Sweep(waiting, pool, texts, runs).train(interrupted)


def _to_train(jobs, runs):
    """Return the jobs that are not on disk, and what they go on from, the longest first."""
    before = [Job(job.corpus, job.after) for job in jobs if job.after]
    longest = {}  # of the runs that share a folder: the shorter ones are its beginning
    for job in [*before, *jobs]:
        if not job.finished(runs):
            folder = run_directory(job.corpus, job.config, runs=runs), job.after
            longest[folder] = max(longest.get(folder, job), job, key=lambda other: other.config.epochs)
    return sorted(longest.values(), key=lambda job: job.work, reverse=True)


def _written(jobs, runs):
    """Write the codes of the jobs' texts to where their runs are; return {text's id: the file}.

    They do not go through the executor's pipe: Python before 3.12 waits for ever if a worker dies while it reads them.
    """
    files = {}
    for corpus in {job.corpus.id: job.corpus for job in jobs}.values():
        file = files[corpus.id] = Path(runs) / corpus.id / "codes.npy"
        data = io.BytesIO()
        np.save(data, corpus.codes)
        with told(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            is_there = file.exists() and file.read_bytes() == data.getvalue()
        if not is_there:  # another sweep may be reading it
            write_atomically(file, data.getvalue())
    return files


class _Sweep:
    """The progress of a sweep."""

    def __init__(self, waiting, pool, texts, runs):
        self.waiting, self.pool, self.texts, self.runs = waiting, pool, texts, runs
        self.running = {}  # future: (job, its run's folder)
        self.trained, self.failed, self.deaths = [], [], 0

    def train(self, interrupted):
        """Train all jobs, one for each worker at a time."""
        n, total = len(self.waiting), sum(job.work for job in self.waiting)
        worked_at = time.monotonic()
        with progress_bar(total=total, desc=f"0 of {n} runs", smoothing=0, miniters=1, bar_format=BAR) as bar:
            while self.waiting or self.running:
                if interrupted.is_set():
                    raise Interrupted("Stopped. What was trained is kept: the same call goes on from there.")
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
        """Give a job to each idle worker, but none that goes on from a run which is not finished."""
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
                raise RunError(f"A run was trained, but not into {self.runs}: workers must see the same folder.")
            else:
                self.trained.append(job)
                self.deaths = 0

    def renew(self):
        """Get new workers after one has died."""
        self.deaths += 1
        if self.deaths == DEATHS:
            names = " and ".join(folder.name for _, folder in self.running.values())
            raise RunError(
                f"A worker was killed {DEATHS} times while {names} trained: is there too little memory? "
                "What was trained is kept: the same call goes on from there."
            )
        self.pool.renew(self.deaths)

    def work_done(self):
        """Return how much of the work is done; a run's losses on disk say how far it has come."""
        work = sum(job.work for job in self.trained)
        for job, folder in self.running.values():
            with contextlib.suppress(OSError):
                steps = (folder / "losses.f64").stat().st_size // 8
                work += job.work * min(steps, job.steps) // job.steps
        return work


def _train_one(job, text, runs, code):
    """Train a run, in a worker."""
    if code != CODE:
        raise RunError("A worker has other code in rnn/ than this process: start both anew.")
    job = dataclasses.replace(job, corpus=job.corpus._replace(codes=np.load(text)))
    start = job.start(runs)
    if job.after and not start:
        raise RunError("It goes on from a run that failed.")
    while True:
        try:
            train(job.corpus, job.config, start, runs, show=False)
            return
        except LockedError:  # another sweep trains it, or a worker that a cluster has given up and that lives
            time.sleep(1)


class _Processes:
    """Worker processes on this machine, which end when they are told to and when this process ends."""

    died = BrokenProcessPool

    def __init__(self, n):
        self.n = self.now = n
        self.begin()

    def begin(self):
        context = multiprocessing.get_context("spawn")
        lifeline, self.held = context.Pipe(duplex=False)
        self.executor = ProcessPoolExecutor(self.now, context, _begin_worker, (lifeline,))

    def slots(self):
        return self.now

    def submit(self, function, *arguments):
        resource_tracker.ensure_running()  # or it is begun below, and lets interrupts through again
        # a terminal sends an interrupt to every process: the workers, which begin here, are never to see it
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return self.executor.submit(function, *arguments)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def renew(self, deaths):
        """Begin anew, with fewer processes if they die again and again, as where there is too little memory."""
        self.close()
        self.now = max(1, self.n - deaths // 2)
        self.begin()

    def close(self):
        self.held.close()
        self.executor.shutdown(cancel_futures=True)


def _begin_worker(lifeline):
    def end_with_the_sweep():
        lifeline.poll(None)  # until the other end is closed, by the sweep or by its death
        os._exit(0)

    threading.Thread(target=end_with_the_sweep, daemon=True).start()


class _Cluster:
    """The workers of a Dask cluster."""

    def __init__(self, address):
        from distributed import Client, KilledWorker

        self.died = KilledWorker
        try:
            self.client = Client(address, timeout=CONNECT_SECONDS)
        except Exception as error:  # whatever something else makes of Dask's greeting, or Dask of its answer
            why = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise RunError(f"No scheduler of Dask answers at {address} ({why}).") from None
        self.submit = self.client.get_executor(pure=False).submit

    def slots(self):
        return sum(self.client.nthreads().values())

    def renew(self, deaths):
        """Do nothing: a cluster begins its workers itself."""

    def close(self):
        self.client.close()
