"""Compare the time of `make report` in a fresh clone with the time of seven epochs in C.

    .venv/bin/python benchmarks/write_up.py [CHAPTERS=01-05 ...]

It clones the last commit and makes the report there with an empty HOME, so without caches. It times baseline.c before
and after that, on one thread. The clone is deleted at the end. Run it on an idle machine; it takes as long as a first
`make report`.
"""

import os
import subprocess
import sys
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
    """Return the seconds that C takes for `STEPS` steps, from the median of seven turns."""
    codes, params = make_problem(read_corpus().K, Config().m)
    c = baselines.build_c(folder)
    (turns,) = time_in_turns({c.__name__: c}, codes, params, Config()).values()
    return STEPS * np.median(turns) / 1e6


def report_seconds(folder, arguments):
    """Return the seconds that `make report`, with arguments of make, takes in a fresh clone with an empty HOME."""
    subprocess.run(["git", "clone", "-q", ROOT, folder / "clone"], check=True)
    (folder / "home").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "XDG_"))}
    path = os.pathsep.join(entry for entry in environment["PATH"].split(os.pathsep) if ".venv" not in entry)
    began = time.perf_counter()
    environment |= {"HOME": folder / "home", "PATH": path}
    subprocess.run(["make", "report", *arguments], cwd=folder / "clone", env=environment, check=True)
    return time.perf_counter() - began


def main():
    """Print both times and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        before = c_seconds(folder)
        report = report_seconds(folder, sys.argv[1:])
        after = c_seconds(folder)
    c = (before + after) / 2
    print(f"\nC: {before:.1f} s before, {after:.1f} s after. The report: {report:.0f} s, {report / c:.1f} times that.")


if __name__ == "__main__":
    main()
