"""Train what the notebooks need, on all cores: `make train`. With ALL=1, train the whole study: `make sweep`.

python -m tools.train [CHAPTERS="01 02 03"] [ALL=1] [CORPUS=path] [QUICK=1]
"""

import signal
import sys

from report.lifeline import end_with_make
from report.measure import choices
from rnn.corpus import CorpusError, read_corpus, split
from rnn.engine.runs import BASELINE, RUNS, RunError
from rnn.engine.sweep import Job, sweep_all


def needed(corpus, budget):
    """Return {chapter: list of `Job`} of the runs that its notebook needs, with the settings of the repository.

    Chapters that are not listed train nothing. A run that is missing here is trained when the notebook is executed.
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
    """Train what the command line asks for."""
    end_with_make()
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    quick = bool(arguments.get("QUICK"))
    budget = choices.FULL if arguments.get("ALL") and not quick else choices.SHORT
    try:
        jobs = needed(read_corpus(arguments.get("CORPUS"), quick), budget)
        chapters = arguments.get("CHAPTERS", "").split() or jobs
        sweep_all([job for chapter in chapters for job in jobs.get(chapter, ())])
    except (CorpusError, RunError, KeyboardInterrupt) as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would be raised anywhere, with a traceback
        sys.exit(str(error))
    print(f"What the notebooks need is trained; it is in {RUNS}.")


if __name__ == "__main__":
    main()
