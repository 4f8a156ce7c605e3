import numpy as np
import pytest
from scipy import stats
from scipy.signal import lfilter

from report.measure.compressors import ppmd_bits
from report.measure.statistics import (
    Estimate,
    Shift,
    holm,
    interval,
    mean_of_stretches,
    proportion,
    series_interval,
    shift_interval,
    smallest_difference,
    smallest_p,
    stretches,
)
from rnn.corpus import decode, read_corpus

CORPUS = read_corpus()


def test_a_compressor_that_has_seen_the_text_needs_next_to_nothing():
    text = decode(CORPUS.codes[100_000:110_000], CORPUS.vocabulary)
    before = decode(CORPUS.codes[:100_000], CORPUS.vocabulary)
    new, known = ppmd_bits(before, [text, text])
    assert 1.5 < new < 4.5
    assert known < 0.5 * new


def test_an_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    of_samples = [interval(rng.normal(3, 2, 5)) for _ in range(2_000)]
    covered = [abs(estimate.value - 3) < estimate.half for estimate in of_samples]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def covers(estimate, truth):
    return abs(estimate.value - truth) <= estimate.half


@pytest.mark.parametrize(
    ("alike", "series", "independent"), [(0.0, 0.95, 0.95), (0.9, 0.925, 0.87), (0.95, 0.895, 0.785)]
)
def test_an_interval_of_a_series_covers_the_mean_where_neighbours_are_alike(alike, series, independent):
    """Values that correlate by 0.9 and 0.95 with the next make stretches of 20 that do so by 0.3 and 0.5."""
    noise = np.random.default_rng(0).normal(3, 1, (2_000, 300))
    texts = lfilter([1 - alike], [1, -alike], noise, axis=1)[:, 100:]
    of_values = np.mean([covers(series_interval(text), 3) for text in texts])
    means = [[part.mean() for part in stretches(text)] for text in texts]
    assert of_values == pytest.approx(series, abs=0.02)
    assert np.mean([covers(mean_of_stretches(of_text), 3) for of_text in means]) == pytest.approx(series, abs=0.02)
    assert np.mean([covers(interval(of_text), 3) for of_text in means]) == pytest.approx(independent, abs=0.02)


def test_an_interval_of_all_waves_is_that_of_independent_values():
    for values in ([2.0], [1.0, 4.0], np.random.default_rng(0).normal(size=30)):
        ours = series_interval(values, len(values) - 1)
        students = interval(values)
        assert (ours.value, ours.half) == pytest.approx((students.value, students.half), nan_ok=True)
    assert np.isnan(series_interval([]).value)


@pytest.mark.parametrize(("n", "others", "expected"), [(4, 4, 1 - 2 / 70), (8, 4, 0.952), (8, 8, 0.950)])
def test_the_interval_of_a_shift_covers_it_as_often_as_the_ranks_allow(n, others, expected):
    rng = np.random.default_rng(0)
    shifts = [shift_interval(rng.normal(1, 2, n), rng.normal(0, 2, others)) for _ in range(3_000)]
    assert np.mean([shift.low <= 1 <= shift.high for shift in shifts]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("n", [20, 50, 200])
@pytest.mark.parametrize("share", [0.01, 0.05, 0.3, 0.5, 0.9])
def test_the_interval_of_a_share_covers_it(share, n):
    hits = np.random.default_rng(0).binomial(n, share, 3_000)
    assert np.mean([covers(proportion(of_one, n), share) for of_one in hits]) > 0.915


def test_an_interval_of_one_value_or_none_is_not_a_number():
    assert interval([2.0]).value == 2
    assert np.isnan([interval([2.0]).half, interval([]).value, interval([]).half]).all()
    assert interval([1.0, np.nan, 3.0]) == interval([1.0, 3.0])


def test_a_value_is_written_with_its_interval():
    assert f"{Estimate(2.714, 0.0571):.2f}" == "2.71 ± 0.06"
    assert f"{Estimate(0.5, 0.021):+.2f}" == "+0.50 ± 0.02"
    assert f"{Estimate(2.714, np.nan):.2f}" == "2.71"
    assert f"{Estimate(np.nan, np.nan):.2f}" == "—"
    assert f"{Shift(0.1, -0.2, 0.3):+.1f}" == "+0.1 (-0.2 to +0.3)"


def test_proportions_have_the_intervals_of_the_textbook():
    assert proportion(50, 100).value == 0.5
    assert proportion(50, 100).half == pytest.approx(1.96 * 0.05)
    assert np.isnan(proportion(0, 0).value)


def test_a_shift_is_found_just_where_the_rank_test_finds_it():
    rng = np.random.default_rng(0)
    found = []
    for n, others in ((4, 4), (8, 8), (4, 6)) * 60:
        a = rng.normal(rng.choice([0, 2]), 1, n)
        b = rng.normal(0, 1, others)
        shift = shift_interval(a, b)
        assert shift.low <= shift.value <= shift.high
        found.append(shift.low > 0 or shift.high < 0)
        assert shift.p == pytest.approx(stats.mannwhitneyu(a, b, method="exact").pvalue)
        assert found[-1] == (shift.p <= 0.05)
        assert shift.verdict == ("undecided" if not found[-1] else "worse" if shift.value > 0 else "better")
    assert 0.2 < np.mean(found) < 0.8


def test_a_shift_worked_by_hand():
    assert shift_interval([1, 2, 3, 4], [0, 0, 0, 0]) == Shift(2.5, 1, 4, 2 / 70)
    shift = shift_interval([5, 5.1, 5.2, 90], [4, 4.1, 4.2, 4.3])  # one astray
    assert shift.low == pytest.approx(0.7)
    assert shift.value == pytest.approx(1.0)


def test_the_smallest_p_value_is_that_of_runs_that_are_all_beyond_the_others():
    for n, others in ((3, 16), (8, 16), (3, 3), (4, 4)):
        assert smallest_p(n, others) == pytest.approx(shift_interval(range(100, 100 + n), range(others)).p)
    assert smallest_p(4, 4) == 2 / 70
    assert holm([smallest_p(3, 16)] * 13).max() < 0.05 < holm([smallest_p(3, 8)] * 13).max()


@pytest.mark.parametrize(
    ("n", "spread", "missed"), [(3, 1, 0.043), (3, 0.1, 0.0), (3, 10, 0.24), (8, 1, 0.043), (8, 10, 0.1)]
)
def test_the_interval_of_a_shift_misses_it_more_often_where_the_few_are_spread_tenfold(n, spread, missed):
    rng = np.random.default_rng(0)
    shifts = [shift_interval(rng.normal(1, spread, n), rng.normal(0, 1, 16)) for _ in range(4_000)]
    assert np.mean([not shift.low <= 1 <= shift.high for shift in shifts]) == pytest.approx(missed, abs=0.015)


def test_holms_correction_of_a_case_worked_by_hand():
    # 0.005 four times, 0.01 three times, 0.03 twice, and 0.04 once would be less than that
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.029]) == pytest.approx([0.6, 0.058])
    assert holm([0.7, 0.8]) == pytest.approx([1, 1])
    assert holm([]).size == 0


def test_holms_correction_finds_nothing_where_nothing_is_in_nineteen_of_twenty_families():
    families = np.random.default_rng(0).uniform(size=(4_000, 16))
    assert np.mean([holm(family).min() <= 0.05 for family in families]) == pytest.approx(0.049, abs=0.01)


def test_a_difference_larger_than_the_smallest_that_can_be_found_is_found_and_a_smaller_one_is_not():
    smallest = smallest_difference(2.0, 5, 7)
    a = stats.zscore([1, 2, 3, 4, 5], ddof=1) * 2
    b = stats.zscore(np.arange(7), ddof=1) * 2
    assert stats.ttest_ind(a + 1.001 * smallest, b).pvalue < 0.05 < stats.ttest_ind(a + 0.999 * smallest, b).pvalue
    assert smallest_difference(2.0, 5, 7, freedom=100) < smallest
