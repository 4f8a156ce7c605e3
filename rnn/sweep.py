"""Runs by the dozen, trained by Dask on this machine's cores or on any cluster.

    make sweep [SCHEDULER=tcp://host:port] [CORPUS=path] [QUICK=1]

trains all that `choices` has; notebooks call `sweep` for as much of it as their budget has.
"""

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from multiprocessing import resource_tracker

import dask
from distributed import Client, LocalCluster
from tqdm import tqdm

from rnn.choices import FULL, SHORT, grid
from rnn.corpus import Corpus, CorpusError, read_corpus, split
from rnn.runs import RUNS, LockedError, RunError, finished, opened_run_directory, run_directory, write_atomically
from rnn.training import train

GONE_SECONDS = 60  # how long a sweep waits for a worker after the last one has gone


def sweep(corpus, configs, scheduler=None, workers=None, runs=RUNS):
    """Return {config: its finished `Run`} of `configs` on `corpus`, trained now as far as they are not on disk.

    A run is one task of Dask, on one thread, so that its bits do not depend on how many there are at a time. The tasks
    go to the cluster with the address `scheduler`, or $SCHEDULER, or Dask's own setting; without one, to `workers`
    processes on this machine, one for each core for None. A worker that dies has its run gone on with from the
    checkpoint that it left in `runs`, if the next worker sees that folder, and from the beginning otherwise. Finished
    runs come home to `runs`. Raises RunError if the scheduler cannot be reached, if all workers have gone, and, after
    all others have finished, if runs failed.
    """
    missing = {}  # the longest of those that share a folder, where the others are its beginning
    for config in configs:
        if not finished(corpus, config, runs=runs):
            folder = run_directory(corpus, config, runs=runs)
            missing[folder] = max(missing.get(folder, config), config, key=lambda other: other.epochs)
    if missing:
        with _client(scheduler, workers) as client:
            _train_all(client, corpus, missing.values(), runs)
    return {config: finished(corpus, config, runs=runs) for config in configs}


@contextlib.contextmanager
def _client(scheduler, workers):
    address = scheduler or os.environ.get("SCHEDULER") or dask.config.get("scheduler-address", None)
    with contextlib.ExitStack() as stack:
        try:
            if not address:
                address = stack.enter_context(_local_cluster(workers))
            client = Client(address)
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"No scheduler of Dask answers at {address}: {error}") from None
        yield stack.enter_context(client)


@contextlib.contextmanager
def _local_cluster(workers):
    """Yield a cluster of processes that Ctrl-C does not reach: this process ends them, when it has ended itself."""
    resource_tracker.ensure_running()  # or it is begun below, and lets interrupts through again
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # threads and processes begun here inherit it
    try:
        # one thread a process: two runs in one process would wait for each other's Python
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0")
    finally:
        if not in_main:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    try:
        if in_main:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield cluster
    finally:
        cluster.close(timeout=10)


def _train_all(client, corpus, configs, runs):
    print(f"{len(configs)} runs to train. Dask's dashboard is at {client.dashboard_link}", file=sys.stderr, flush=True)
    N, failed = len(corpus.codes), []
    text = client.submit(Corpus._make, tuple(corpus), key=corpus.id)  # a task: what a dead worker held is made again

    def work(config):
        return config.steps(N) * config.B * config.T * config.m

    # the longest first, so that no worker is left alone with one at the end
    by_work = sorted(configs, key=work, reverse=True)
    futures = {client.submit(_train, text, config, runs, pure=False): config for config in by_work}
    for future in tqdm(_as_completed(client, futures), total=len(futures), unit=" runs", ncols=100):
        try:
            _bring_home(corpus, futures[future], runs, future.result())
        except Exception as error:  # whatever stopped a run, or the worker that had it; the others go on
            failed.append(f"{type(error).__name__}: {error}")
        future.release()
    if failed:
        raise RunError(f"{len(failed)} of {len(configs)} runs failed. The first: {failed[0]}")


def _as_completed(client, futures):
    """Yield futures as they are done; raise RunError when there were workers and all have been gone for a while.

    Every wait has an end, so that an interrupt is seen.
    """
    done, seen_at = queue.SimpleQueue(), None
    for future in futures:
        future.add_done_callback(done.put)
    for _ in futures:
        while True:
            with contextlib.suppress(queue.Empty):
                yield done.get(timeout=1)
                break
            if client.scheduler_info(n_workers=-1)["workers"]:
                seen_at = time.monotonic()
            elif seen_at and time.monotonic() - seen_at > GONE_SECONDS:
                raise RunError("All workers have gone. What was trained is kept: the same call goes on from there.")


def _train(corpus, config, runs):
    """Train a run, on a worker, and return its files, {name: bytes}, the checkpoint last."""
    try:
        opened_run_directory(corpus, config, runs=runs)
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
        directory = opened_run_directory(corpus, config, runs=runs)
        for name, data in files.items():
            write_atomically(directory / name, data)


def main():
    """Train the full grid, or in a rehearsal the short one."""
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    try:
        text = split(read_corpus(arguments.get("CORPUS"), "QUICK" in arguments)).train
        runs = sweep(text, grid(len(text.codes), SHORT if "QUICK" in arguments else FULL))
    except (CorpusError, RunError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped. What was trained is kept: the same command goes on from there.")
    folder = next(iter(runs.values())).directory.parent
    print(f"{len(runs)} runs are in {folder}; make report shows what came of them.")


if __name__ == "__main__":
    main()
