"""Train what the notebooks will ask for: `make train`, and with ALL=1 `make sweep`, all that chapters 6 and 7 can show.

python tools/train.py [ALL=1] [CORPUS=path] [QUICK=1]        SCHEDULER=tcp://host:port stands in the environment
"""

import sys

from report.measure import choices
from rnn.corpus import CorpusError, read_corpus, split
from rnn.engine.runs import BASELINE, RUNS, Config, RunError
from rnn.engine.sweep import Job, sweep_all


def everything(corpus, budget, quick=False):
    """Return the `Job`s of all that the notebooks ask for, as they stand in the repository."""
    text, by_heart = split(corpus).train, Config(epochs=200 if quick else 5_000)  # notebook 2
    jobs = [
        Job(corpus.part(0, n), by_heart.replace(remainder=remainder))
        for n in (60, 100, 150)
        for remainder in (False, True)
    ]
    network = BASELINE.replace(snapshot_every=500 if quick else BASELINE.snapshot_every)
    longer = network.replace(epochs=BASELINE.epochs + 8)  # notebook 3, which goes on from there
    jobs += [Job(text, longer), Job(text, network.replace(epochs=5, learning_rate=0.5), longer)]
    return jobs + [Job(text, config) for config in choices.grid(len(text.codes), budget)]


def main():
    """Read the command line."""
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    quick = "QUICK" in arguments
    try:
        corpus = read_corpus(arguments.get("CORPUS"), quick)
        budget = choices.FULL if "ALL" in arguments and not quick else choices.SHORT
        sweep_all(everything(corpus, budget, quick))
    except (CorpusError, RunError, KeyboardInterrupt) as error:
        sys.exit(str(error))
    print(f"What the notebooks ask for is trained; it is in {RUNS}.")


if __name__ == "__main__":
    main()
