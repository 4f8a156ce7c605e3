"""The network of the report, and what is changed in it to see what each setting is worth.

`make train` trains what the notebooks will ask for, `make sweep` the full grid of choices (SCHEDULER=tcp://host:port,
CORPUS=path, QUICK=1).
"""

import sys
from typing import NamedTuple

from rnn.corpus import CorpusError, read_corpus, split
from rnn.runs import RUNS, Config, RunError, finished
from rnn.sweep import Job, sweep_all

WARMUP = 2_000  # steps
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "sigma": None}  # as the assignment has it since 2025

NETWORK = Config()  # "the network": the assignment's settings, seed 0
WARM = NETWORK.replace(warmup=WARMUP)  # the same with a learning rate that rises in the first steps
NEWEST = NETWORK.replace(**ADAM)
SEEDS = 8  # of the network over all its epochs
BASE = 16  # of the settings that choices are compared with


class Choice(NamedTuple):
    """One of the assignment's choices, asked as a question."""

    name: str
    question: str
    base: str  # the label that the others are compared with
    settings: dict[str, dict]  # label: what it changes in the assignment's settings


def _values(setting, *values):
    return {f"{value:g}": {setting: value} for value in values}


CHOICES = (
    Choice("learning rate", "Which learning rate?", "0.1", _values("learning_rate", 0.02, 0.1, 0.5)),
    Choice("hidden units", "What do more units buy?", "100", _values("m", 50, 100, 200)),
    Choice("sequence length", "How far back must the gradient reach?", "25", _values("T", 10, 25, 50)),
    Choice(
        "clipping",
        "Does it matter where the gradient is clipped?",
        "5",
        _values("clip", 1, 5) | {"never": {"clip": float("inf")}},
    ),
    Choice("first weights", "How large should they be?", "0.01", _values("sigma", 0.001, 0.01, 0.1)),
    Choice("scale", "Or scaled to each matrix's size?", "σ = 0.01", {"σ = 0.01": {}, "scaled": {"sigma": None}}),
    Choice("optimiser", "AdaGrad or Adam, from scaled weights?", "AdaGrad", {"AdaGrad": {"sigma": None}, "Adam": ADAM}),
    Choice("state", "Must it be carried along?", "carried", {"carried": {}, "reset": {"order": "reset"}}),
    Choice(
        "order",
        "Must sequences come in order, if the state is reset anyway?",
        "in order",
        {"in order": {"order": "reset"}, "random": {"order": "random"}},
    ),
    Choice("batch size", "What do batches change, when as many characters are read?", "1", _values("B", 1, 4, 16)),
)

# what the best network of as many units is looked for among; each takes as many steps as the assignment's seven epochs
SEARCHED = tuple(
    ADAM | {"B": B, "T": T, "learning_rate": rate} | begun
    for B, T, rate, begun in (
        (4, 25, 0.004, {"decay": True}),
        (4, 25, 0.002, {}),
        (4, 25, 0.002, {"decay": True}),
        (4, 25, 0.004, {"decay": True, "warmup": WARMUP}),
        (4, 50, 0.002, {"decay": True}),
        (16, 25, 0.004, {"decay": True}),
        (16, 50, 0.004, {"decay": True}),
    )
)


class Budget(NamedTuple):
    """How much of everything is trained."""

    epochs: int  # of every choice
    seeds: int  # of every choice
    long: int  # seeds of the assignment's settings with warm-up, and of those it has since 2025, over seven epochs
    searched: int  # of `SEARCHED`


FULL = Budget(epochs=7, seeds=8, long=SEEDS, searched=len(SEARCHED))  # what `make sweep` trains
SHORT = Budget(epochs=1, seeds=3, long=2, searched=2)  # what the notebooks train where they do not find that


def seeds(base=NETWORK, n=SEEDS):
    """Return a configuration with n seeds; the first of the network's is the network."""
    return [base.replace(seed=seed) for seed in range(n)]


def searched(N, budget):
    """Return the candidates for the best network on N characters, with one seed."""
    steps, candidates = NETWORK.steps(N), [NETWORK.replace(**changes) for changes in SEARCHED[: budget.searched]]
    per_epoch = [candidate.steps_per_epoch(N) for candidate in candidates]
    return [
        candidate.replace(epochs=max(1, round(steps / of_epoch)))
        for candidate, of_epoch in zip(candidates, per_epoch, strict=True)
        if of_epoch
    ]


def table(N, budget, base=NETWORK):
    """Return {(choice's name, label): a list of `Config`, one a seed}, without what N characters are too few for.

    Each has the settings of `base` with the choice's changes. The unchanged base has `BASE` seeds: every choice is
    compared with them.
    """
    base = base.replace(epochs=budget.epochs)
    of_settings = {
        (choice.name, label): base.replace(**changes)
        for choice in CHOICES
        for label, changes in choice.settings.items()
    }
    return {
        setting: seeds(config, BASE if config == base else budget.seeds)
        for setting, config in of_settings.items()
        if config.steps(N)
    }


def grid(N, budget):
    """Return every `Config` of a budget on N characters, each once."""
    of_choices = [config for base in (NETWORK, WARM) for of in table(N, budget, base).values() for config in of]
    long = [config for base in (WARM, NEWEST) for config in seeds(base, budget.long)]
    return list(dict.fromkeys((*seeds(), *long, *of_choices, *searched(N, budget))))


def budget_on_disk(corpus):
    """Return the larger budget if all that it trains on `corpus` is on disk, else the smaller one."""
    return FULL if all(finished(corpus, config) for config in grid(len(corpus.codes), FULL)) else SHORT


def everything(corpus, budget, quick=False):
    """Return the `Job`s of all that the notebooks ask for, as they stand in the repository."""
    text, by_heart = split(corpus).train, Config(epochs=200 if quick else 5_000)  # notebook 2
    jobs = [
        Job(corpus.part(0, n), by_heart.replace(remainder=remainder))
        for n in (60, 80, 100, 120, 150)
        for remainder in (False, True)
    ]
    network = NETWORK.replace(snapshot_every=500 if quick else NETWORK.snapshot_every)
    longer = network.replace(epochs=NETWORK.epochs + 8)  # notebook 3, which goes on from there
    jobs += [Job(text, longer)]
    jobs += [Job(text, network.replace(epochs=5, learning_rate=rate), longer) for rate in (0.1, 0.01, 0.5)]
    return jobs + [Job(text, config) for config in grid(len(text.codes), budget)]


def main():
    """Train what the notebooks ask for; with ALL, of the choices all that there is."""
    arguments = dict(argument.split("=", 1) for argument in sys.argv[1:])
    quick = "QUICK" in arguments
    try:
        corpus = read_corpus(arguments.get("CORPUS"), quick)
        sweep_all(everything(corpus, FULL if "ALL" in arguments and not quick else SHORT, quick))
    except (CorpusError, RunError, KeyboardInterrupt) as error:
        sys.exit(str(error))
    print(f"What the notebooks ask for is trained; it is in {RUNS}.")


if __name__ == "__main__":
    main()
