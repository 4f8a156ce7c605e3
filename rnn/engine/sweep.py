"""Runs by the dozen, trained on this machine's cores or on any cluster by Dask, which `cluster` speaks to."""

import dataclasses

from rnn.corpus import Corpus
from rnn.engine.runs import RUNS, Config, finished, run_directory
from rnn.engine.training import Interrupted


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
    def work(self):
        """About how long it takes, in units of its own."""
        return self.config.steps(len(self.corpus.codes)) * (self.config.B + 1) * self.config.T * self.config.m**1.5


def sweep(corpus, configs, after=None, **settings):
    """Return {config: its finished `Run`} of `configs` on `corpus`, trained now as far as they are not on disk.

    With `after` they go on from the finished run of that configuration. The other settings are those of `sweep_all`.
    """
    jobs = [Job(corpus, config, after) for config in configs]
    sweep_all(jobs, **settings)
    return {job.config: job.finished(settings.get("runs", RUNS)) for job in jobs}


def sweep_all(jobs, scheduler=None, workers=None, runs=RUNS, near_end=None):
    """Train those of the `jobs` that are not on disk yet, the longest first.

    A run is one task of Dask, on one thread, so that its bits do not depend on how many there are at a time. The tasks
    go to the cluster with the address `scheduler`, or $SCHEDULER, or Dask's own setting; without one, to `workers`
    processes on this machine, one for each core for None. A worker that dies has its run gone on with from the
    checkpoint that it left in `runs`, if the next worker sees that folder, and from the beginning otherwise. Finished
    runs come home to `runs`. When twenty are left, `near_end` is called. Raises RunError if no scheduler answers, if a
    worker has other code than this process, if there is no worker for a minute, and, after all others have finished, if
    runs failed.
    """
    missing = {}  # the longest of those that share a folder, where the others are its beginning
    for job in jobs:
        if not job.finished(runs):
            folder = run_directory(job.corpus, job.config, runs=runs), job.after
            missing[folder] = max(missing.get(folder, job), job, key=lambda other: other.config.epochs)
    if not missing:
        return
    try:
        # now, because Dask takes a second to import, and what is trained needs none
        from rnn.engine import cluster

        longest_first = sorted(missing.values(), key=lambda job: job.work, reverse=True)
        cluster.train_all(longest_first, scheduler, workers, runs, near_end)
    except KeyboardInterrupt:
        raise Interrupted("Stopped. What was trained is kept: the same call goes on from there.") from None
