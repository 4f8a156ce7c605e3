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
    config = NETWORK.replace(epochs=budget.epochs, **changes)
    n = SEEDS if config == NETWORK.replace(epochs=budget.epochs) else budget.seeds
    return [config.replace(seed=seed) for seed in range(n)]


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
