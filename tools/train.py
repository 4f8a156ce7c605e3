"""Train what the notebooks will ask for, on all cores: `make train`, and with ALL=1 `make sweep`, the whole study.

python tools/train.py [CHAPTERS="01 02 03"] [ALL=1] [CORPUS=path] [QUICK=1]
"""

import sys

from report.lifeline import end_with_make
from report.measure import choices
from rnn.corpus import CorpusError, read_corpus, split
from rnn.engine.runs import BASELINE, RUNS, RunError
from rnn.engine.sweep import Job, sweep_all


def needed(corpus, budget):
    """Return {chapter: the `Job`s whose runs its notebook asks for}, with the settings that it has in the repository.

    A chapter that is not named trains nothing. What is missing here, a notebook trains itself when it is executed.
    """
    text = split(corpus).train
    baseline = [Job(text, BASELINE)]
    longer = BASELINE.replace(epochs=BASELINE.epochs + 8)
    at_larger_rate = Job(text, BASELINE.replace(epochs=5, learning_rate=0.5), after=longer)
    study = {
        chapter: [Job(text, config) for config in choices.needed(chapter, len(text.codes), budget)]
        for chapter in ("06", "07", "08")
    }
    return {
        "03": [Job(text, longer), at_larger_rate],
        "04": baseline,
        "05": [*baseline, Job(text, choices.NEWEST)],
    } | study


def main():
    """Read the command line."""
    end_with_make()
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    quick = bool(arguments.get("QUICK"))
    budget = choices.FULL if arguments.get("ALL") and not quick else choices.SHORT
    try:
        jobs = needed(read_corpus(arguments.get("CORPUS"), quick), budget)
        chapters = arguments.get("CHAPTERS", "").split() or jobs
        sweep_all([job for chapter in chapters for job in jobs.get(chapter, ())])
    except (CorpusError, RunError, KeyboardInterrupt) as error:
        sys.exit(str(error))
    print(f"What the notebooks ask for is trained; it is in {RUNS}.")


if __name__ == "__main__":
    main()
