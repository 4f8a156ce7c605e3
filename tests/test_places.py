import numpy as np
import pytest

from report.measure import places
from report.measure.statistics import mean_of_stretches, mean_where
from rnn.corpus import encode


def codes_of(text):
    vocabulary = "".join(sorted(set(text)))
    return encode(text, vocabulary), vocabulary


def test_places_in_words_and_lines_are_counted_from_one():
    text = "Ab c,\n\nde"
    assert places.in_word(*codes_of(text)).tolist() == [1, 2, 0, 1, 0, 0, 0, 1, 2]
    assert places.in_line(*codes_of(text)).tolist() == [1, 2, 3, 4, 5, 0, 0, 1, 2]
    assert places.kinds(*codes_of("A b\n1“;")).tolist() == [
        "capital", "space", "letter", "break", "digit", "quote", "other",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "marks", "inside"),
    [
        ("a “bc” d", "“”", "00111000"),
        ("a”“b", "“”", "0011"),
        ("ab”“", "“”", "0001"),
        ('a"b"c"d', '""', "0110011"),
        ('"a\n\nb"c"', '""', "11100110"),  # a blank line closes what was left open
        ("「白」鯨", "「」", "1100"),
    ],
)
def test_quotations_begin_at_the_opening_mark_and_end_at_the_closing_one(text, marks, inside):
    codes, vocabulary = codes_of(text)
    assert places.quotation_marks(codes, vocabulary) == marks
    found = places.in_quotation(codes, vocabulary, marks)
    assert "".join(str(int(at)) for at in found) == inside


def test_a_text_without_quotation_marks_has_none():
    assert places.quotation_marks(*codes_of("it’s a “ and no end")) == ""


def test_bits_by_group_are_the_means_of_each():
    codes, vocabulary = codes_of("Ab cd. " * 40)
    values = np.arange(len(codes)) % 7 * 1.0
    groups = places.groups(codes, vocabulary)
    assert list(groups) == ["kind of character", "place in the word"]
    frame = places.by_group({"ours": values}, *groups["place in the word"])["ours"]
    assert {place: mean.value for place, mean in frame.items()} == pytest.approx({1: 1.5, 2: 2.5})
    kinds = places.by_group({"ours": values}, *groups["kind of character"])["ours"]
    assert kinds["capital"].value == pytest.approx(0)
    assert kinds["space"].value == pytest.approx(4)


def test_what_a_text_does_not_have_is_left_out():
    assert list(places.groups(*codes_of(("白鯨記。" * 3 + "\n") * 30))) == ["kind of character", "place in the line"]
    assert list(places.groups(*codes_of("x" * 50))) == ["kind of character"]


def test_a_mean_over_all_places_is_the_mean_of_the_stretches_and_covers_as_often_as_it_says():
    values = np.random.default_rng(0).normal(0, 1, 1_000)
    whole = mean_where(values, values < 9)
    tenths = mean_of_stretches(values.reshape(10, -1).mean(axis=1))
    assert (whole.value, whole.half) == pytest.approx((tenths.value, tenths.half))
    assert np.isnan(mean_where(values, values > 9).value)
    rng, covered = np.random.default_rng(1), []
    for _ in range(500):
        common = np.repeat(rng.normal(0, 1, 10), 30)  # neighbours have it in common
        mean = mean_where(common + rng.normal(0, 1, 300), rng.random(300) < 0.3)
        covered.append(abs(mean.value) < mean.half)
    assert np.mean(covered) == pytest.approx(0.95, abs=0.035)
