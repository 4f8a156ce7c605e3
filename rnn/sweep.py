"""Runs by the dozen: a table of configurations, trained by Dask on this machine's cores or on any cluster.

    make sweep [SCHEDULER=tcp://host:port] [CORPUS=path] [QUICK=1]

trains the whole grid; notebook 5 calls `sweep` for as much of it as its budget has.
"""

import contextlib
import os
import sys
import time
from typing import NamedTuple

import dask
from distributed import Client, LocalCluster, as_completed
from tqdm import tqdm

from rnn.corpus import Corpus, CorpusError, read_corpus
from rnn.heldout import split
from rnn.runs import RUNS, Config, LockedError, RunError, run_directory, write_atomically
from rnn.training import finished, train

ADAM = {"optimizer": "adam", "learning_rate": 0.001, "sigma": None}  # as the assignment has it since 2025

# question: {setting: what it changes in the assignment's configuration}
CHOICES = {
    "learning rate": {f"{rate:g}": {"learning_rate": rate} for rate in (0.02, 0.1, 0.5)},
    "hidden units": {f"{m}": {"m": m} for m in (50, 100, 200)},
    "sequence length": {f"{T}": {"T": T} for T in (10, 25, 50)},
    "clip": {"1": {"clip": 1.0}, "5": {}, "none": {"clip": float("inf")}},
    "sigma": {f"{sigma:g}": {"sigma": sigma} for sigma in (0.001, 0.01, 0.1)},
    "optimiser": {"AdaGrad, scaled": {"sigma": None}, "AdaGrad": {}, "Adam, scaled": ADAM},
    "state": {"carried": {}, "reset": {"order": "reset"}},
    "order": {"in order": {"order": "reset"}, "random": {"order": "random"}},
    "batch size": {f"{B}": {"B": B} for B in (1, 4, 16)},
}
# what the best network of 100 units is looked for among; each takes as many steps as the assignment's seven epochs
SEARCHED = [
    ADAM | {"decay": True, "B": B, "T": T, "learning_rate": rate}
    for B, T, rate in (
        (4, 25, 0.002),
        (4, 25, 0.004),
        (4, 50, 0.002),
        (16, 25, 0.004),
        (16, 50, 0.004),
    )
]
SNAPSHOTS = 7  # of each run, at equal distances, besides the first weights


class Budget(NamedTuple):
    """How much of everything a sweep trains."""

    epochs: int  # of every choice
    seeds: int  # of every choice
    searched: int  # of `SEARCHED`


FULL = Budget(epochs=7, seeds=8, searched=len(SEARCHED))  # what `make sweep` trains
SHORT = Budget(epochs=1, seeds=4, searched=2)  # what notebook 5 trains where it does not find that
SEEDS = 8  # of the assignment's own configuration, in both


def configurations(changes, N, epochs, seeds):
    """Return a `Config` for each seed: the assignment's with `changes`, for so many epochs over N characters."""
    config = Config(epochs=epochs)._replace(**changes)
    every = max(1, -(-config.steps(N) // SNAPSHOTS))
    return [config._replace(snapshot_every=every, seed=seed) for seed in range(seeds)]


def repeated(N):
    """Return the assignment's configuration with `SEEDS` seeds."""
    return configurations({}, N, Config().epochs, SEEDS)


def searched(N, budget):
    """Return the candidates for the best network, with one seed."""
    configs = []
    for changes in SEARCHED[: budget.searched]:
        if per_epoch := Config()._replace(**changes).steps_per_epoch(N):
            configs += configurations(changes, N, max(1, round(Config().steps(N) / per_epoch)), seeds=1)
    return configs


def grid(N, budget):
    """Return every `Config` of a budget on N characters, each once; what the text is too short for is left out."""
    settings = [changes for of_question in CHOICES.values() for changes in of_question.values()]
    of_choices = [config for changes in settings for config in configurations(changes, N, budget.epochs, budget.seeds)]
    configs = dict.fromkeys((*repeated(N), *of_choices, *searched(N, budget)))
    return [config for config in configs if config.steps(N)]


def sweep(corpus, configs, scheduler=None, workers=None, runs=RUNS):
    """Return the finished `Run` of each of `configs` on `corpus`, trained now as far as they are not on disk.

    A run is one task of Dask, on one thread, so that its bits do not depend on how many there are at a time. The tasks
    go to the cluster with the address `scheduler`, or $SCHEDULER, or Dask's own setting; without one, to `workers`
    processes on this machine, one for each core for None. A worker that dies has its run gone on with from the
    checkpoint that it left in `runs`, if the next worker sees that folder, and from the beginning otherwise. Finished
    runs come home to `runs`. Raises RunError if the scheduler cannot be reached, and, after all others have finished,
    if runs failed.
    """
    missing = [config for config in dict.fromkeys(configs) if not finished(corpus, config, runs=runs)]
    if missing:
        with _client(scheduler, workers) as client:
            _train_all(client, corpus, missing, runs)
    return [finished(corpus, config, runs=runs) for config in configs]


@contextlib.contextmanager
def _client(scheduler, workers):
    address = scheduler or os.environ.get("SCHEDULER") or dask.config.get("scheduler-address", None)
    with contextlib.ExitStack() as stack:
        try:
            if not address:  # one thread a process: two runs in one process would wait for each other's Python
                local = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0")
                address = stack.enter_context(local)
            client = Client(address)
        except (OSError, ValueError) as error:
            raise RunError(f"No scheduler of Dask answers at {address}: {error}") from None
        yield stack.enter_context(client)


def _train_all(client, corpus, configs, runs):
    print(f"{len(configs)} runs to train. Dask's dashboard is at {client.dashboard_link}", file=sys.stderr, flush=True)
    N, failed = len(corpus.codes), []
    text = client.submit(Corpus._make, tuple(corpus), key=corpus.id)  # a task: what a dead worker held is made again

    def work(config):
        return config.steps(N) * config.B * config.T * config.m

    # the longest first, so that no worker is left alone with one at the end
    by_work = sorted(configs, key=work, reverse=True)
    futures = {client.submit(_train, text, config, runs, pure=False): config for config in by_work}
    for future in tqdm(as_completed(futures), total=len(futures), unit=" runs", ncols=100):
        try:
            _bring_home(corpus, futures[future], runs, future.result())
        except Exception as error:  # whatever stopped a run, or the worker that had it; the others go on
            failed.append(f"{type(error).__name__}: {error}")
        future.release()
    if failed:
        raise RunError(f"{len(failed)} of {len(configs)} runs failed. The first: {failed[0]}")


def _train(corpus, config, runs):
    """Train a run, on a worker, and return its files, {name: bytes}, the checkpoint last."""
    try:
        run_directory(corpus, config, runs=runs)
    except OSError:  # a machine that has no such folder
        runs = RUNS
    while True:
        try:
            directory = train(corpus, config, runs=runs, show=False).directory
            break
        except LockedError:  # by a worker that the scheduler has given up and that is alive still
            time.sleep(1)
    paths = [directory / "losses.f64", *directory.glob("snapshots/*.npz"), directory / "checkpoint.npz"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in paths}


def _bring_home(corpus, config, runs, files):
    """Write the files of a run that was trained where the folder `runs` is another."""
    if not finished(corpus, config, runs=runs):
        directory = run_directory(corpus, config, runs=runs)
        for name, data in files.items():
            write_atomically(directory / name, data)


def main():
    """Train the full grid, or in a rehearsal the short one."""
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    try:
        corpus = read_corpus(arguments.get("CORPUS"))
        if "QUICK" in arguments:
            corpus = corpus.part(0, 30_000)
        text = split(corpus).train
        runs = sweep(text, grid(len(text.codes), SHORT if "QUICK" in arguments else FULL))
    except (CorpusError, RunError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Stopped. What was trained is kept: the same command goes on from there.")
    print(f"{len(runs)} runs are in {runs[0].directory.parent}; make report shows what came of them.")


if __name__ == "__main__":
    main()
