"""The settings that the study compares: the baseline, and changes of one setting at a time."""

from typing import NamedTuple

from rnn.engine.runs import BASELINE, finished

WARMUP = 2_000  # steps
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "sigma": None}  # the assignment's settings since 2025

WARM = BASELINE.replace(warmup=WARMUP)
NEWEST = BASELINE.replace(**ADAM)
SEEDS = 8  # of the baseline over seven epochs
BASE = 16  # seeds to compare choices with; the rank test's smallest p is 0.002 for 3 runs against 16, 0.1 against 3


class Choice(NamedTuple):
    """One of the assignment's choices, and other settings to compare it with."""

    name: str
    usual: str  # the assignment's setting, in words
    settings: dict[str, dict]  # {label: the fields of `Config` that it changes}


CHOICES = (
    Choice("learning rate", "0.1", {"0.02": {"learning_rate": 0.02}, "0.5": {"learning_rate": 0.5}}),
    Choice("hidden units", "100", {"50": {"m": 50}, "200": {"m": 200}}),
    Choice("sequence length", "25", {"10": {"T": 10}, "50": {"T": 50}}),
    Choice("clipping", "at 5", {"never": {"clip": float("inf")}}),
    Choice("first weights", "σ = 0.01", {"scaled": {"sigma": None}}),
    Choice("optimiser", "AdaGrad", {"Adam, scaled first weights": ADAM}),
    Choice(
        "state",
        "carried, in order",
        {"reset, in order": {"order": "reset"}}
        | {f"reset, {order}": {"order": order} for order in ("random", "shuffled")},
    ),
    Choice("batch size", "1", {"4": {"B": 4}, "16": {"B": 16}}),
)
# candidates for the best network of 100 units: with as much training as seven epochs of the baseline, and with more
SEARCHED = tuple(
    ADAM | {"epochs": epochs, "B": B, "T": T, "learning_rate": rate} | changes
    for epochs, B, T, rate, changes in (
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
    """How much is trained for the study."""

    epochs: int | float  # of every choice
    seeds: int  # of every choice
    long: int  # seeds of the baseline with warm-up, and of the newest assignment's settings, over seven epochs
    searched: tuple[int, ...]  # seeds of each of `SEARCHED`, in order


FULL = Budget(epochs=7, seeds=8, long=SEEDS, searched=(4, 4, 4, 4, 1, 1, 1, 1))  # `make sweep` trains this
SHORT = Budget(epochs=0.5, seeds=3, long=1, searched=(0, 1))  # notebooks train this if `FULL` is not on disk


def seeds(base=BASELINE, n=SEEDS):
    """Return n copies of a configuration with the seeds 0 to n - 1."""
    return [base.replace(seed=seed) for seed in range(n)]


def searched(N, budget):
    """Return the list of candidates for the best network, without those that need more than N characters."""
    candidates = []
    for changes, n in zip(SEARCHED, budget.searched, strict=False):
        candidates += seeds(BASELINE.replace(**changes), n)
    return [config for config in candidates if config.steps(N)]


def unchanged(budget, base=BASELINE):
    """Return a `Config` for each seed of the unchanged settings that a budget's choices are compared with."""
    return seeds(base.replace(epochs=budget.epochs), BASE)


def brief():
    """Return {steps: list of `Config`, one a seed} of half an epoch with warm-up over so many steps."""
    return {steps: seeds(BASELINE.replace(epochs=SHORT.epochs, warmup=steps)) for steps in (20, 100)}


def table(N, budget, base=BASELINE):
    """Return {(choice's name, label): list of `Config`, one a seed}, without those that need more than N characters.

    Each has the settings of `base` with the changes of the choice. Warm-up takes as many characters as in `base`.
    """
    changed = {}
    for choice in CHOICES:
        for label, changes in choice.settings.items():
            config = base.replace(epochs=budget.epochs, **changes)
            characters = base.warmup * base.T * base.B
            config = config.replace(warmup=characters // (config.T * config.B))
            if config.steps(N):
                changed[choice.name, label] = seeds(config, budget.seeds)
    return changed


def units(base=BASELINE):
    """Return {m: list of `Config`, one a seed} for the assignment's number of hidden units and for twice as many.

    They train for a whole epoch, because more weights take longer to train.
    """
    return {m: seeds(base.replace(m=m, epochs=1), n) for m, n in ((BASELINE.m, SEEDS), (2 * BASELINE.m, 3))}


def kinds(N, budget):
    """Return {name: list of `Config`} of the networks that chapters 6 to 8 compare after all their epochs."""
    return {
        "baseline": seeds(),
        "with warm-up": seeds(WARM, budget.long),
        "newest assignment": seeds(NEWEST, budget.long),
        "candidates for the best": searched(N, budget),
    }


def needed(chapter, N, budget):
    """Return every `Config` that a chapter of the study ("06" to "09") needs on N characters, each once."""
    configs = []
    if chapter in ("06", "07", "08"):
        for kind_configs in kinds(N, budget).values():
            configs += kind_configs
    if chapter in ("07", "08"):
        for base in (BASELINE, WARM):
            configs += unchanged(SHORT, base)
    if chapter == "07":
        groups = [brief()]
        for base in (BASELINE, WARM):
            configs += unchanged(budget, base)
            groups += [table(N, budget, base), units(base)]
        for group in groups:
            for setting_configs in group.values():
                configs += setting_configs
    return list(dict.fromkeys(configs))


def grid(N, budget):
    """Return every `Config` that the study needs on N characters, each once."""
    return needed("07", N, budget)


def budget_on_disk(corpus):
    """Return the larger budget if all of its runs on `corpus` are on disk, else the smaller one."""
    return FULL if all(finished(corpus, config) for config in grid(len(corpus.codes), FULL)) else SHORT
