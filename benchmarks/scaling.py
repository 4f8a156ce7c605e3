"""Compare the runs a minute of a sweep with two workers and with one.

    python benchmarks/scaling.py [repeats]

Each turn trains the same eight runs again, including the start and end of processes. The two take turns.
"""

import sys
import tempfile
import time

import numpy as np

from rnn.corpus import read_corpus
from rnn.engine.runs import Config
from rnn.engine.sweep import sweep

RUNS = [Config(epochs=3, seed=seed) for seed in range(8)]


def main():
    """Print the runs a minute of every turn, and the ratio of the medians."""
    corpus = read_corpus()
    per_minute = {1: [], 2: []}
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3):
        for workers, measured in per_minute.items():
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                sweep(corpus, RUNS, workers=workers, runs=folder)
                measured.append(60 * len(RUNS) / (time.perf_counter() - began))
            print(f"{workers} workers: {measured[-1]:.1f} runs a minute", flush=True)
    print(f"two against one: {np.median(per_minute[2]) / np.median(per_minute[1]):.2f}")


if __name__ == "__main__":
    main()
