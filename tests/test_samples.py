import numpy as np
import pandas as pd
import pytest

from report.measure import samples, words
from report.measure.statistics import Estimate, mean_of_stretches, proportion, series_interval, smallest_difference
from rnn.corpus import encode, read_corpus
from rnn.engine.runs import Config
from rnn.engine.training import plan, train
from rnn.model import forward
from rnn.sampling import state_after

TEXT = read_corpus().part(0, 40_000)


def test_a_copy_of_the_text_is_the_books_own_words_and_one_long_copy():
    copies = [TEXT.codes[at : at + 2_000] for at in (0, 20_000)]
    noise = [encode("qzx jv " * 100, TEXT.vocabulary)] * 2
    frame = samples.measure({("a copy", 1): copies, ("noise", ""): noise}, TEXT)
    copied = frame.loc[("a copy", 1)]
    made_up = frame.loc[("noise", "")]
    assert copied["words of the book"].value == 1
    assert copied["longest copy"] == Estimate(2_000, 0)
    assert copied["new 8-grams"].value == 0
    assert np.isnan(copied["new words, English"].value), "no word of it is new"
    assert made_up["words of the book"].value == 0
    assert made_up["new words, English"].value == 0
    assert made_up["new 8-grams"].value > 0.9


def test_without_a_word_list_or_english_the_measure_of_new_words_is_left_out(monkeypatch):
    of_samples = {"some": [TEXT.codes[:500]], "other": [TEXT.codes[500:1_000]]}
    assert "new words, English" in samples.measure(of_samples, TEXT)
    monkeypatch.setattr(words, "ENGLISH", TEXT and words.ENGLISH.with_name("missing.txt"))
    frame = samples.measure(of_samples, TEXT)
    assert list(frame.columns) == ["words of the book", "longest copy", "new 8-grams"]
    assert list(frame.index) == ["some", "other"]
    assert isinstance(frame.index, pd.Index)


@pytest.mark.parametrize(
    "settings", [{}, {"remainder": True}, {"B": 2}, {"order": "reset"}, {"order": "random"}, {"order": "shuffled"}]
)
def test_texts_go_on_from_the_state_that_training_carries(tmp_path, settings):
    """Step by step with the functions of `model`, over the end of an epoch."""
    text = TEXT.part(0, 127)  # 5 steps an epoch, or 6 with the short one at its end, or 2 of two sequences
    config = Config(m=4, epochs=3, snapshot_every=1, engine="numpy", **settings)
    run = train(text, config, runs=tmp_path, show=False)
    h, x = samples.carried(run, text, 0)
    assert not h.any()
    assert x == text.codes[0]
    for step in range(1, run.last_step + 1):
        before = run.state(step - 1)
        once = plan(config, len(text.codes), step - 1, 1)
        place, length = once.starts[0, -1], once.lengths[0]
        read_codes = text.codes[place : place + length]
        expected = state_after(before.params, read_codes, None if once.resets[0] else before.h[-1])
        h, x = samples.carried(run, text, step)
        np.testing.assert_array_equal(h, expected)
        assert x == text.codes[place + length]


def test_texts_have_a_random_stream_each_and_are_drawn_by_a_function_of_ones_own(tmp_path):
    run = train(TEXT, Config(m=8, epochs=1), runs=tmp_path, show=False)
    drawn = samples.draw(run, TEXT, 50, 3, temperature=0.7)
    assert [len(codes) for codes in drawn] == [50, 50, 50]
    assert len({codes.tobytes() for codes in drawn}) == 3
    assert np.array_equal(drawn[2], samples.draw(run, TEXT, 50, 3, run.last_step, temperature=0.7)[2])
    assert not np.array_equal(drawn[0], samples.draw(run, TEXT, 50, 1, seed=1, temperature=0.7)[0])
    seen = samples.draw(run, TEXT, 5, 2, 0, sample=lambda *given, **settings: (given, settings), top_p=0.5)
    (params, h, x, length, rng), settings = seen[1]
    assert np.array_equal(params.W, run.params(0).W)
    assert (h.tolist(), x, length, settings) == ([0] * 8, TEXT.codes[0], 5, {"top_p": 0.5})
    assert rng.random() == np.random.default_rng([0, 0, 1]).random()
    with pytest.raises(ValueError, match="was not trained on"):
        samples.draw(run, TEXT.part(0, 30_000), 50, 1)


def test_a_prime_is_read_from_the_state_that_training_carries(tmp_path):
    run = train(TEXT, Config(m=8, epochs=1), runs=tmp_path, show=False)
    before, _ = samples.carried(run, TEXT)
    h, x = samples.primed(run, TEXT, "Call me")
    np.testing.assert_array_equal(h, state_after(run.params(), encode("Call m", TEXT.vocabulary), before))
    assert x == encode("e", TEXT.vocabulary)[0]
    np.testing.assert_array_equal(samples.primed(run, TEXT, "C")[0], before)
    with pytest.raises(ValueError, match="at least one character"):
        samples.primed(run, TEXT, "")
    with pytest.raises(ValueError, match="has never seen '☃'"):
        samples.primed(run, TEXT, "a☃")


def test_what_a_way_to_draw_makes_of_scores_and_how_many_words_it_draws():
    ways = {"as it is": {}, "cold": {"temperature": 0.5}, "nucleus": {"top_p": 0.6}}
    frame = samples.distributions(np.log([0.5, 0.3, 0.2]), ways)
    assert list(frame.index) == list(ways)
    np.testing.assert_allclose(frame.loc["cold"], np.array([25, 9, 4]) / 38)
    np.testing.assert_allclose(frame.loc["nucleus"], [0.625, 0.375, 0])
    mine = samples.distributions(np.zeros(2), {"mine": {}}, next_distribution=lambda o: o + 3)
    assert mine.loc["mine"].tolist() == [3, 3]

    codes = encode("x whale Whale zzz the x", TEXT.vocabulary)
    row = samples.count_words({"some": codes}, TEXT).loc["some"]
    assert (row["words"], row["different ones"]) == (6, 4)
    assert row["words of the book"] == proportion(3, 4), "whale, Whale, the, and not zzz"


def test_starting_from_zero_is_compared_with_the_carried_state(tmp_path):
    run = train(TEXT, Config(m=8, epochs=1), runs=tmp_path, show=False)
    letters = encode("a" * 200, TEXT.vocabulary)

    def sample(params, h, x, length, rng):
        """Write one long word if the text's beginning has just been read from zero."""
        begun = np.array_equal(h, state_after(params, TEXT.codes[:99]))
        return letters[:length] if begun else encode("a " * 100, TEXT.vocabulary)[:length]

    frame = samples.starts(run, TEXT, [0, run.last_step], n=3, sample=sample)
    assert list(frame.index) == [0, run.last_step]
    assert frame["long runs, from zero"].tolist() == [proportion(3, 3)] * 2
    assert frame["from the carried state"].tolist() == [proportion(0, 3)] * 2
    assert frame.loc[0, "cost at the beginning"] == 0, "before training zero is the carried state"
    params, (h, _) = run.params(), samples.carried(run, TEXT)
    (_, from_zero), (_, on) = (forward(params, TEXT.codes[:300], state) for state in (np.zeros(8), h))
    bits = [-np.log2(p[np.arange(100, 300), TEXT.codes[101:301]]).mean() for p in (from_zero, on)]
    assert frame.loc[run.last_step, "cost at the beginning"] == pytest.approx(bits[0] - bits[1], abs=1e-6)
    assert np.isnan(samples.cost_of_zero(params, h, TEXT.codes, len(TEXT.codes) - 300))
    short = TEXT.part(0, 150)
    run = train(short, Config(m=3, epochs=1), runs=tmp_path, show=False)
    assert np.isnan(samples.starts(run, short, [0], n=1).loc[0, "cost elsewhere"].value)


def test_steps_are_spread_with_the_first_and_the_last_among_them():
    assert samples.spread(list(range(0, 101, 10)), 3) == [0, 50, 100]
    assert samples.spread([0, 7], 8) == [0, 7]


def test_a_value_with_its_interval_writes_itself():
    assert f"{Estimate(2.714, 0.06):.2f}" == "2.71 ± 0.06"
    assert f"{Estimate(-0.5, 0.06):+.1%}" == "-50.0% ± 6.0%"
    assert f"{Estimate(2.714, np.nan):.2f}" == "2.71"
    assert f"{Estimate(np.nan, np.nan):.2f}" == "—"


def test_intervals_of_shares_and_stretches():
    assert proportion(50, 100) == Estimate(0.5, pytest.approx(1.96 * 0.05))
    assert np.isnan(proportion(0, 0).value)
    means = np.arange(10.0)
    assert mean_of_stretches(means, 3).half == pytest.approx(np.hypot(series_interval(means).half, 3))
    rng = np.random.default_rng(0)
    difference = smallest_difference(1, 6, 3)
    found = [abs(rng.normal(difference, 1, 6).mean() - rng.normal(0, 1, 3).mean()) > difference for _ in range(4_000)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03), "a difference as large is found half the time"
