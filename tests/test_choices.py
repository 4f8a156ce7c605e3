from report.measure import choices
from report.measure.choices import (
    BASE,
    BASELINE,
    CHOICES,
    FULL,
    NEWEST,
    SEARCHED,
    SEEDS,
    SHORT,
    WARM,
    brief,
    budget_on_disk,
    grid,
    needed,
    searched,
    seeds,
    table,
    unchanged,
    units,
)
from rnn.corpus import read_corpus
from rnn.engine.runs import Config

N = 1_000_000


def test_a_choice_changes_the_assignments_settings():
    changed = [BASELINE.replace(**changes) for choice in CHOICES for changes in choice.settings.values()]
    assert len({BASELINE, *changed}) == 1 + len(changed)


def test_warm_up_and_the_newest_configuration_are_the_assignments_but_for_what_they_are_named_after():
    assert Config(warmup=2_000) == WARM
    assert Config(optimizer="adam", learning_rate=0.001, sigma=None) == NEWEST


def test_the_choices_are_asked_twice_with_the_same_changes():
    for budget in (SHORT, FULL):
        once, again = (table(N, budget, base) for base in (BASELINE, WARM))
        assert list(once) == list(again) == [(choice.name, label) for choice in CHOICES for label in choice.settings]
        for setting, configs in once.items():
            assert [config.seed for config in configs] == list(range(budget.seeds))
            assert [config.epochs for config in configs] == [budget.epochs] * budget.seeds
            characters = WARM.warmup * WARM.T
            assert again[setting] == [config.replace(warmup=characters // (config.T * config.B)) for config in configs]
        for base in (BASELINE, WARM):
            assert unchanged(budget, base) == [base.replace(epochs=budget.epochs, seed=seed) for seed in range(BASE)]


def test_the_first_seeds_that_choices_are_compared_with_are_the_beginning_of_the_networks():
    for seed, config in enumerate(unchanged(SHORT)[:SEEDS]):
        assert config.replace(epochs=BASELINE.epochs) == seeds()[seed]
        assert config.is_shared


def test_a_chapter_needs_what_it_shows_each_once_and_the_grid_is_all_of_it():
    assert seeds()[0] == BASELINE == Config()
    for budget in (SHORT, FULL):
        long = {*seeds(), *seeds(WARM, budget.long), *seeds(NEWEST, budget.long), *searched(N, budget)}
        short = {*unchanged(SHORT), *unchanged(SHORT, WARM)}
        asked = {*unchanged(budget), *unchanged(budget, WARM), *short, *brief()[20], *brief()[100]}
        for base in (BASELINE, WARM):
            for configs in (*table(N, budget, base).values(), *units(base).values()):
                asked |= set(configs)
        assert set(needed("06", N, budget)) == long
        assert set(needed("08", N, budget)) == long | short
        assert set(needed("07", N, budget)) == set(grid(N, budget)) == long | asked
        assert needed("09", N, budget) == []
        assert len(grid(N, budget)) == len(set(grid(N, budget)))


def test_all_that_is_searched_has_a_hundred_units_and_one_candidate_has_read_as_much_as_the_network():
    found = searched(N, FULL)
    assert {config.replace(seed=0) for config in found} == {BASELINE.replace(**changes) for changes in SEARCHED}
    assert len(found) == len(set(found)) == sum(FULL.searched)
    assert set(searched(N, SHORT)) < set(found)
    assert all(config.m == BASELINE.m for config in found)
    assert found[0].epochs == BASELINE.epochs
    assert any(config.warmup for config in found)
    assert any(not config.decay for config in found)


def test_a_short_text_has_a_grid_of_what_it_is_long_enough_for():
    assert all(config.steps(300) for config in grid(300, FULL))
    assert {config.B for config in grid(300, FULL)} == {1, 4}


def test_the_full_budget_is_shown_when_all_of_it_is_on_disk(monkeypatch):
    text = read_corpus().part(0, 1_000)
    on_disk = set(grid(1_000, FULL))
    monkeypatch.setattr(choices, "finished", lambda corpus, config: config in on_disk)
    assert budget_on_disk(text) is FULL
    on_disk.remove(BASELINE.replace(T=50, seed=7))
    assert budget_on_disk(text) is SHORT
