"""The network of the report, and what is changed in it to see what each setting is worth."""

from typing import NamedTuple

from rnn.runs import Config, finished

NETWORK = Config()  # "the network": the assignment's settings, seed 0
SEEDS = 8  # of these settings

ADAM = {"optimizer": "adam", "learning_rate": 0.001, "sigma": None}  # as the assignment has it since 2025


class Choice(NamedTuple):
    """One of the assignment's choices, asked as a question."""

    name: str
    question: str
    settings: dict[str, dict]  # label: what it changes in the assignment's settings
    base: str  # the label that the others are compared with


CHOICES = (
    Choice(
        "learning rate",
        "Which learning rate?",
        {"0.02": {"learning_rate": 0.02}, "0.1": {}, "0.5": {"learning_rate": 0.5}},
        base="0.1",
    ),
    Choice(
        "hidden units",
        "What do more hidden units buy?",
        {"50": {"m": 50}, "100": {}, "200": {"m": 200}},
        base="100",
    ),
    Choice(
        "sequence length",
        "How far back must the gradient reach?",
        {"10": {"T": 10}, "25": {}, "50": {"T": 50}},
        base="25",
    ),
    Choice(
        "clipping",
        "Does it matter where the gradient is clipped?",
        {"at 1": {"clip": 1.0}, "at 5": {}, "never": {"clip": float("inf")}},
        base="at 5",
    ),
    Choice(
        "first weights",
        "How large should the first weights be?",
        {"σ = 0.001": {"sigma": 0.001}, "σ = 0.01": {}, "σ = 0.1": {"sigma": 0.1}, "scaled": {"sigma": None}},
        base="σ = 0.01",
    ),
    Choice(
        "optimiser",
        "AdaGrad or Adam, from scaled first weights?",
        {"AdaGrad": {"sigma": None}, "Adam": ADAM},
        base="AdaGrad",
    ),
    Choice(
        "state",
        "Must the state be carried from sequence to sequence?",
        {"carried": {}, "reset": {"order": "reset"}},
        base="carried",
    ),
    Choice(
        "order",
        "Must the sequences come in order, if each begins at a state of zero?",
        {"in order": {"order": "reset"}, "random": {"order": "random"}},
        base="in order",
    ),
    Choice(
        "batch size",
        "What do batches change, when as many characters are read?",
        {"1": {}, "4": {"B": 4}, "16": {"B": 16}},
        base="1",
    ),
)

# what the best network of as many units is looked for among; each takes as many steps as the assignment's seven epochs
SEARCHED = tuple(
    ADAM | {"decay": True, "B": B, "T": T, "learning_rate": rate}
    for B, T, rate in ((4, 25, 0.002), (4, 25, 0.004), (4, 50, 0.002), (16, 25, 0.004), (16, 50, 0.004))
)


class Budget(NamedTuple):
    """How much of everything is trained."""

    epochs: int  # of every choice
    seeds: int  # of every choice
    searched: int  # of `SEARCHED`


FULL = Budget(epochs=7, seeds=8, searched=len(SEARCHED))  # what `make sweep` trains
SHORT = Budget(epochs=1, seeds=4, searched=2)  # what the notebooks train where they do not find that


def seeds():
    """Return the assignment's configuration with `SEEDS` seeds; the first is `NETWORK`."""
    return [NETWORK.replace(seed=seed) for seed in range(SEEDS)]


def configurations(changes, budget):
    """Return a `Config` for each seed: the assignment's settings with `changes`; with none, all its seeds."""
    n = budget.seeds if changes else SEEDS
    return [NETWORK.replace(epochs=budget.epochs, seed=seed, **changes) for seed in range(n)]


def searched(N, budget):
    """Return the candidates for the best network on N characters, with one seed."""
    steps, candidates = NETWORK.steps(N), [NETWORK.replace(**changes) for changes in SEARCHED[: budget.searched]]
    per_epoch = [candidate.steps_per_epoch(N) for candidate in candidates]
    return [
        candidate.replace(epochs=max(1, round(steps / of_epoch)))
        for candidate, of_epoch in zip(candidates, per_epoch, strict=True)
        if of_epoch
    ]


def table(N, budget):
    """Return {(choice's name, label): a list of `Config`, one a seed}, without what N characters are too few for."""
    of_settings = {
        (choice.name, label): configurations(changes, budget)
        for choice in CHOICES
        for label, changes in choice.settings.items()
    }
    return {setting: configs for setting, configs in of_settings.items() if configs[0].steps(N)}


def grid(N, budget):
    """Return every `Config` of a budget on N characters, each once."""
    of_choices = [config for configs in table(N, budget).values() for config in configs]
    return list(dict.fromkeys((*seeds(), *of_choices, *searched(N, budget))))


def budget_on_disk(corpus):
    """Return the larger budget if all that it trains on `corpus` is on disk, else the smaller one."""
    return FULL if all(finished(corpus, config) for config in grid(len(corpus.codes), FULL)) else SHORT
