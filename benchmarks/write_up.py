"""Measure `make report` from nothing, in units of what good C takes for seven epochs.

    .venv/bin/python benchmarks/write_up.py

Clones the last commit, makes the report there with an empty HOME, so with no caches, and prints what each stage took;
times a step of baseline.c before and after, on one thread. The page, the paper and the runs go again. Run it with
nothing else beside it: it takes as long as a first `make report`.
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import baselines
import numpy as np
from bench import make_problem, time_in_turns

from rnn.corpus import ROOT, read_corpus
from rnn.engine.runs import Config

STEPS = 333_284  # of seven epochs over the whole novel


def c_seconds(folder):
    """Return how long C takes for `STEPS` steps, by the median of seven turns, in seconds."""
    codes, params = make_problem(read_corpus().K, Config().m)
    c = baselines.build_c(folder)
    (turns,) = time_in_turns({c.__name__: c}, codes, params, Config()).values()
    return STEPS * np.median(turns) / 1e6


def report_seconds(folder):
    """Return how long a clone takes to make the report with an empty HOME, in seconds."""
    subprocess.run(["git", "clone", "-q", ROOT, folder / "clone"], check=True)
    (folder / "home").mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "XDG_"))}
    path = os.pathsep.join(entry for entry in kept["PATH"].split(os.pathsep) if ".venv" not in entry)
    began = time.perf_counter()
    subprocess.run(
        ["make", "report"], cwd=folder / "clone", env=kept | {"HOME": folder / "home", "PATH": path}, check=True
    )
    return time.perf_counter() - began


def main():
    """Print both times and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        before, report, after = c_seconds(folder), report_seconds(folder), c_seconds(folder)
    c = (before + after) / 2
    print(f"\nC: {before:.1f} s before, {after:.1f} s after. The report: {report:.0f} s, {report / c:.1f} times that.")


if __name__ == "__main__":
    main()
