import numpy as np
import pandas as pd
import pytest

from report.measure import samples, words
from report.measure.statistics import Estimate, of_stretches, proportion, series_interval, smallest_difference
from rnn.corpus import encode, read_corpus
from rnn.engine.runs import Config
from rnn.engine.training import train
from rnn.sampling import sample_text

TEXT = read_corpus().part(0, 40_000)


def test_a_copy_of_the_text_is_the_books_own_words_and_one_long_copy():
    copies = [TEXT.codes[at : at + 2_000] for at in (0, 20_000)]
    noise = [encode("qzx jv " * 100, TEXT.vocabulary)] * 2
    frame = samples.measure({("a copy", 1): copies, ("noise", ""): noise}, TEXT)
    copied, made_up = frame.loc[("a copy", 1)], frame.loc[("noise", "")]
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


def test_samples_have_a_seed_each_and_begin_behind_the_text(tmp_path):
    run = train(TEXT, Config(m=8, epochs=1), runs=tmp_path, show=False)
    drawn = samples.draw(run, TEXT, 50, 3, temperature=0.7)
    assert [len(codes) for codes in drawn] == [50, 50, 50]
    assert not np.array_equal(drawn[0], drawn[1])
    expected = sample_text(run.params(), TEXT.vocabulary, TEXT.start, 50, seed=1, temperature=0.7)
    assert np.array_equal(drawn[1], encode(expected, TEXT.vocabulary))
    recited = samples.by_heart(run, "Call me Ishmael")
    assert len(recited) == 15
    assert recited[0] == "C"
    assert recited == samples.by_heart(run, "Call me Ishmael")


def test_steps_are_spread_with_the_first_and_the_last_among_them():
    assert samples.spread(list(range(0, 101, 10)), 3) == [0, 50, 100]
    assert samples.spread([0, 7], 8) == [0, 7]


def test_the_first_text_with_a_word_and_the_first_share_above_a_bound():
    texts = {0: "xx whal xx", 10: "the whale it", 20: "whale whale whale"}
    assert words.first_with(texts, {"whale"}) == (10, "whale")
    step, word = words.first_with(texts, {"shark"})
    assert np.isnan(step)
    assert word == ""
    shares = {0: proportion(1, 10), 10: proportion(6, 10)}
    assert words.first_above(shares, 0.5) == (10, "60% ± 31%")


def test_a_value_with_its_interval_writes_itself():
    assert f"{Estimate(2.714, 0.06):.2f}" == "2.71 ± 0.06"
    assert f"{Estimate(-0.5, 0.06):+.1%}" == "-50.0% ± 6.0%"
    assert f"{Estimate(2.714, np.nan):.2f}" == "2.71"
    assert f"{Estimate(np.nan, np.nan):.2f}" == "—"


def test_intervals_of_shares_and_stretches():
    assert proportion(50, 100) == Estimate(0.5, pytest.approx(1.96 * 0.05))
    assert np.isnan(proportion(0, 0).value)
    means = np.arange(10.0)
    assert of_stretches(means, 3).half == pytest.approx(np.hypot(series_interval(means).half, 3))
    rng = np.random.default_rng(0)
    apart = smallest_difference(1, 6, 3)
    found = [abs(rng.normal(apart, 1, 6).mean() - rng.normal(0, 1, 3).mean()) > apart for _ in range(4_000)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.03), "a difference as large is found half the time"
