import pytest

from rnn import choices
from rnn.choices import (
    BASE,
    CHOICES,
    FULL,
    NETWORK,
    NEWEST,
    SEEDS,
    SHORT,
    WARM,
    budget_on_disk,
    grid,
    searched,
    seeds,
    table,
)
from rnn.corpus import read_corpus
from rnn.runs import Config


def test_a_choice_changes_the_assignments_settings_from_a_base_that_is_one_of_them():
    for choice in CHOICES:
        configs = {label: NETWORK.replace(**changes) for label, changes in choice.settings.items()}
        assert choice.base in configs
        assert len(set(configs.values())) == len(configs) > 1
        assert NETWORK in configs.values() or choice.name in ("order", "optimiser")
        assert choice.question.endswith("?")


def test_the_grid_has_the_seeds_every_choice_and_the_searched_each_once():
    N = 1_000_000
    assert seeds()[0] == NETWORK == Config()
    assert len(set(seeds())) == SEEDS
    for budget in (SHORT, FULL):
        configs = grid(N, budget)
        tables = [table(N, budget, base) for base in (NETWORK, WARM)]
        of_choices = {config for of in tables for of_setting in of.values() for config in of_setting}
        long = {*seeds(WARM, budget.long), *seeds(NEWEST, budget.long)}
        assert len(configs) == len(set(configs))
        assert {*seeds(), *long, *searched(N, budget), *of_choices} == set(configs)
    assert all(config.m == 100 and config.steps(N) <= 1.001 * NETWORK.steps(N) for config in searched(N, FULL))


@pytest.mark.parametrize("base", [NETWORK, WARM])
@pytest.mark.parametrize("budget", [SHORT, FULL])
def test_a_setting_has_its_seeds_and_the_base_more(base, budget):
    unchanged = base.replace(epochs=budget.epochs)
    for (name, label), of_setting in table(1_000_000, budget, base).items():
        (changes,) = (choice.settings[label] for choice in CHOICES if choice.name == name)
        assert len(of_setting) == (BASE if unchanged.replace(**changes) == unchanged else budget.seeds)
        assert of_setting == seeds(unchanged.replace(**changes), len(of_setting))


def test_a_short_text_has_a_grid_of_what_it_is_long_enough_for():
    assert all(config.steps(300) for config in grid(300, FULL))
    assert {config.B for config in grid(300, FULL)} == {1, 4}


def test_the_full_budget_is_shown_when_all_of_it_is_on_disk(monkeypatch):
    text = read_corpus().part(0, 1_000)
    on_disk = set(grid(1_000, FULL))
    monkeypatch.setattr(choices, "finished", lambda corpus, config: config in on_disk)
    assert budget_on_disk(text) is FULL
    on_disk.remove(NETWORK.replace(T=50, seed=7))
    assert budget_on_disk(text) is SHORT
