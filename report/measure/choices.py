"""The baseline of the report, and what is changed in it to see what each setting is worth."""

from typing import NamedTuple

from rnn.engine.runs import BASELINE, finished

WARMUP = 2_000  # steps
ADAM = {"optimizer": "adam", "learning_rate": 0.001, "sigma": None}  # as the assignment has it since 2025

WARM = BASELINE.replace(warmup=WARMUP)  # the baseline with a learning rate that rises in the first steps
NEWEST = BASELINE.replace(**ADAM)
SEEDS = 8  # of the baseline over all its epochs
BASE = 16  # of what choices are compared with: by ranks 3 runs against 16 can differ with p = 0.002, against 3 with 0.1


class Choice(NamedTuple):
    """One of the assignment's choices, and what else it might be."""

    name: str
    usual: str  # what the assignment has
    settings: dict[str, dict]  # label: what it changes in the assignment's settings


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
# the candidates for the best network of 100 units: what may help, on as much text as the seven epochs read, and on more
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
    long: int  # seeds of the baseline with warm-up, and of the newest assignment's settings, over seven epochs
    searched: tuple[int, ...]  # seeds of each of `SEARCHED`, from the first on


FULL = Budget(epochs=7, seeds=8, long=SEEDS, searched=(4, 4, 4, 4, 1, 1, 1, 1))  # what `make sweep` trains
SHORT = Budget(epochs=0.5, seeds=3, long=1, searched=(0, 1))  # what the notebooks train where they do not find that


def seeds(base=BASELINE, n=SEEDS):
    """Return a configuration with n seeds, from seed 0 on."""
    return [base.replace(seed=seed) for seed in range(n)]


def searched(N, budget):
    """Return the candidates for the best network on N characters, without those that need more text."""
    candidates = []
    for changes, n in zip(SEARCHED, budget.searched, strict=False):
        candidates += seeds(BASELINE.replace(**changes), n)
    return [config for config in candidates if config.steps(N)]


def unchanged(budget, base=BASELINE):
    """Return a `Config` for each seed of what the choices of a budget are compared with."""
    return seeds(base.replace(epochs=budget.epochs), BASE)


def table(N, budget, base=BASELINE):
    """Return {(choice's name, label): a list of `Config`, one a seed}, without those that need more text than N.

    Each has the settings of `base` with the choice's changes.
    """
    changed = {}
    for choice in CHOICES:
        for label, changes in choice.settings.items():
            config = base.replace(epochs=budget.epochs, **changes)
            if config.steps(N):
                changed[choice.name, label] = seeds(config, budget.seeds)
    return changed


def units(base=BASELINE):
    """Return {m: a list of `Config`, one a seed}: as many hidden units as the assignment has, and twice as many.

    They are compared after a whole epoch, because more weights take longer to train.
    """
    return {m: seeds(base.replace(m=m, epochs=1), n) for m, n in ((BASELINE.m, SEEDS), (2 * BASELINE.m, 3))}


def kinds(N, budget):
    """Return {name: a list of `Config`}: the networks that chapters 6 to 8 compare over all their epochs."""
    return {
        "baseline": seeds(),
        "with warm-up": seeds(WARM, budget.long),
        "newest assignment": seeds(NEWEST, budget.long),
        "candidates for the best": searched(N, budget),
    }


def needed(chapter, N, budget):
    """Return every `Config` that a chapter of the study ("06" to "09") asks for on N characters, each once."""
    by_kind, configs = kinds(N, budget), []
    if chapter in ("06", "07", "08"):
        for of_kind in by_kind.values():
            configs += of_kind
    if chapter == "07":
        for base in (BASELINE, WARM):
            configs += unchanged(budget, base)
            for group in (table(N, budget, base), units(base)):
                for of_setting in group.values():
                    configs += of_setting
    return list(dict.fromkeys(configs))


def grid(N, budget):
    """Return every `Config` that the study asks for on N characters, each once."""
    return needed("07", N, budget)


def budget_on_disk(corpus):
    """Return the larger budget if all that it trains on `corpus` is on disk, else the smaller one."""
    return FULL if all(finished(corpus, config) for config in grid(len(corpus.codes), FULL)) else SHORT
