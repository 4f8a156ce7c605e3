"""The network of the report, and what is changed in it to see what each setting is worth."""

from typing import NamedTuple

from rnn.engine.runs import BASELINE, finished

WARMUP = 2_000  # steps
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "sigma": None}  # as the assignment has it since 2025

WARM = BASELINE.replace(warmup=WARMUP)  # the same with a learning rate that rises in the first steps
NEWEST = BASELINE.replace(**ADAM)
SEEDS = 8  # of the network over all its epochs
BASE = 16  # of what choices are compared with: by ranks 3 runs against 16 can differ with p = 0.002, against 3 with 0.1


class Choice(NamedTuple):
    """One of the assignment's choices, asked as a question."""

    name: str
    usual: str  # what the assignment has
    question: str
    settings: dict[str, dict]  # label: what it changes in the assignment's settings


CHOICES = (
    Choice("learning rate", "0.1", "Which one?", {"0.02": {"learning_rate": 0.02}, "0.5": {"learning_rate": 0.5}}),
    Choice("hidden units", "100", "What do more units buy?", {"50": {"m": 50}, "200": {"m": 200}}),
    Choice("sequence length", "25", "How far back must the gradient reach?", {"10": {"T": 10}, "50": {"T": 50}}),
    Choice("clipping", "at 5", "Is it needed?", {"never": {"clip": float("inf")}}),
    Choice("first weights", "σ = 0.01", "Should they be scaled to each matrix?", {"scaled": {"sigma": None}}),
    Choice("optimiser", "AdaGrad", "Is Adam better, with scaled first weights?", {"Adam, scaled": ADAM}),
    Choice(
        "state",
        "carried",
        "Must it be carried along, and the text be read in order?",
        {"reset": {"order": "reset"}} | {f"reset, {order}": {"order": order} for order in ("random", "shuffled")},
    ),
    Choice("batch size", "1", "What do batches change, when as much is read?", {"4": {"B": 4}, "16": {"B": 16}}),
)
# what the best network of as many units is looked for among: all that may help, on as many characters as the
# assignment's seven epochs have, and on many more
SEARCHED = tuple(
    ADAM | {"epochs": epochs, "B": B, "T": T, "learning_rate": rate} | others
    for epochs, B, T, rate, others in (
        (7, 4, 25, 0.004, {"decay": True}),
        (14, 4, 25, 0.004, {"decay": True}),
        (28, 4, 25, 0.004, {"decay": True}),
        (28, 4, 50, 0.004, {"decay": True}),
        (56, 16, 50, 0.004, {"decay": True}),
        (28, 4, 25, 0.004, {"decay": True, "warmup": WARMUP}),
        (28, 4, 25, 0.002, {}),
        (28, 4, 25, 0.2, {"optimizer": "adagrad", "sigma": 0.01, "warmup": WARMUP}),
    )
)


class Budget(NamedTuple):
    """How much of everything is trained."""

    epochs: int | float  # of every choice
    seeds: int  # of every choice
    long: int  # seeds of the assignment's settings with warm-up, and of those it has since 2025, over seven epochs
    searched: tuple[int, ...]  # seeds of each of `SEARCHED`, from the first on


FULL = Budget(epochs=7, seeds=8, long=SEEDS, searched=(4, 4, 4, 4, 1, 1, 1, 1))  # what `make sweep` trains
SHORT = Budget(epochs=0.5, seeds=3, long=1, searched=(0, 1))  # what the notebooks train where they do not find that


def seeds(base=BASELINE, n=SEEDS):
    """Return a configuration with n seeds; the first of the network's is the network."""
    return [base.replace(seed=seed) for seed in range(n)]


def searched(N, budget):
    """Return the candidates for the best network on N characters, without what these are too few for."""
    candidates = [
        config
        for changes, n in zip(SEARCHED, budget.searched, strict=False)
        for config in seeds(BASELINE.replace(**changes), n)
    ]
    return [config for config in candidates if config.steps(N)]


def unchanged(budget, base=BASELINE):
    """Return a `Config` for each seed of what the choices of a budget are compared with."""
    return seeds(base.replace(epochs=budget.epochs), BASE)


def table(N, budget, base=BASELINE):
    """Return {(choice's name, label): a list of `Config`, one a seed}, without what N characters are too few for.

    Each has the settings of `base` with the choice's changes.
    """
    of_settings = {
        (choice.name, label): base.replace(epochs=budget.epochs, **changes)
        for choice in CHOICES
        for label, changes in choice.settings.items()
    }
    return {setting: seeds(config, budget.seeds) for setting, config in of_settings.items() if config.steps(N)}


def units(base=BASELINE):
    """Return {m: a list of `Config`, one a seed}: as many hidden units as the assignment has, and twice as many.

    They are compared after a whole epoch, because more weights take longer to train.
    """
    return {m: seeds(base.replace(m=m, epochs=1), n) for m, n in ((BASELINE.m, SEEDS), (2 * BASELINE.m, 3))}


def grid(N, budget):
    """Return every `Config` of a budget on N characters, each once."""
    configs = [*seeds(), *searched(N, budget)]
    for base in (BASELINE, WARM):
        configs += [*unchanged(budget, base), *(config for of in table(N, budget, base).values() for config in of)]
    for base in (WARM, NEWEST):
        configs += seeds(base, budget.long)
    configs += [config for base in (BASELINE, WARM) for of in units(base).values() for config in of]
    return list(dict.fromkeys(configs))


def budget_on_disk(corpus):
    """Return the larger budget if all that it trains on `corpus` is on disk, else the smaller one."""
    return FULL if all(finished(corpus, config) for config in grid(len(corpus.codes), FULL)) else SHORT
