from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.measure.ngrams import count_ngrams, discounts, kneser_ney, ngram_probabilities, witten_bell

SMOOTHINGS = pytest.mark.parametrize("smoothing", [witten_bell, kneser_ney])


def test_witten_bell_equals_a_case_worked_by_hand():
    # the text abab, then a held-out a, b, c; K = 3
    tables = count_ngrams(np.array([0, 1, 0, 1]), 3, 3)
    p = ngram_probabilities(tables, np.array([0, 1, 2]), 3)
    one_a = (2 + 2 * (1 / 3)) / (4 + 2)  # a twice among 4 characters of 2 kinds
    one_c = (0 + 2 * (1 / 3)) / (4 + 2)
    two_b = (2 + 1 * one_a) / (2 + 1)  # a was followed twice, by b alone; b is as frequent as a
    two_c = (0 + 1 * one_c) / (1 + 1)  # b was followed once, by a
    three_c = (0 + 1 * two_c) / (1 + 1)  # ab was followed once, by a
    np.testing.assert_allclose(p[0], 1 / 3)
    np.testing.assert_allclose(p[1], [one_a, one_a, one_c])
    np.testing.assert_allclose(p[2], [one_a, two_b, two_c])
    np.testing.assert_allclose(p[3], [one_a, two_b, three_c])


def test_kneser_ney_equals_a_case_worked_by_hand():
    # the same; the counts of counts are too few, so that 0.5 is subtracted from 1, and 1 from 2
    tables = count_ngrams(np.array([0, 1, 0, 1]), 3, 3)
    p = ngram_probabilities(tables, np.array([0, 1, 2]), 3, kneser_ney)
    one_a = (2 - 1 + 2 * (1 / 3)) / 4  # a twice among 4 characters, from each kind of which 1 is subtracted
    one_c = (0 + 2 * (1 / 3)) / 4
    below_b = (1 - 0.5 + 1 * (1 / 3)) / 2  # b after a alone, a after b alone
    below_c = (0 + 1 * (1 / 3)) / 2
    two_b = (2 - 1 + 1 * below_b) / 2  # a was followed twice, by b
    two_c = (0 + 0.5 * below_c) / 1  # b was followed once, by a
    below_two_c = (0 + 0.5 * below_c) / 1  # ba after a alone
    three_c = (0 + 0.5 * below_two_c) / 1  # ab was followed once, by a
    np.testing.assert_allclose(p[0], 1 / 3)
    np.testing.assert_allclose(p[1], [one_a, one_a, one_c])
    np.testing.assert_allclose(p[2], [below_b, two_b, two_c])
    np.testing.assert_allclose(p[3], [below_b, (1 - 0.5 + 0.5 * below_b) / 1, three_c])


def test_discounts_are_those_of_chen_and_goodman():
    counts = np.array([1] * 6 + [2] * 3 + [3] * 2 + [4] + [9] * 5)  # y = 6 / (6 + 2 * 3)
    np.testing.assert_allclose(discounts(counts), [0, 1 - 2 / 2 * 3 / 6, 2 - 3 / 2 * 2 / 3, 3 - 4 / 2 * 1 / 2])


@pytest.mark.parametrize("counts", [[], [5], [1, 1, 2, 4], [1, 2, *[3] * 90, 4]])
def test_where_counts_say_nothing_half_of_a_count_is_subtracted(counts):
    assert discounts(np.array(counts, int)).tolist() == [0, 0.5, 1, 1.5]


@SMOOTHINGS
@settings(max_examples=60, deadline=None, derandomize=True)
@given(codes=st.lists(st.integers(0, 3), min_size=1, max_size=60), context=st.lists(st.integers(0, 3), max_size=5))
def test_ngram_probabilities_sum_to_one_after_every_context(smoothing, codes, context):
    tables = count_ngrams(np.array(codes), 4, 8)
    last = [ngram_probabilities(tables, np.array([*context, k]), 4, smoothing)[:, -1] for k in range(4)]
    assert (np.array(last) > 0).all()
    np.testing.assert_allclose(np.sum(last, axis=0), 1)


def witten_bell_by_strings(book, character, context, n, longest):
    """The definition, by counting substrings."""
    followers = [book[at + n - 1] for at in range(len(book) - n + 1) if book[at : at + n - 1] == context]
    kinds = len(set(followers))
    return followers.count(character), len(followers) + kinds, kinds


def kneser_ney_by_strings(book, character, context, n, longest):
    """The definition, by counting substrings; below longer ones, by collecting what they end in."""
    if longest:
        grams = [book[at : at + n] for at in range(len(book) - n + 1)]
    else:
        grams = [gram[1:] for gram in {book[at : at + n + 1] for at in range(len(book) - n)}]
    counts = Counter(grams)
    counts_of_counts = Counter(counts.values())
    discount = {1: 0.5, 2: 1, 3: 1.5}
    if counts_of_counts[1] and counts_of_counts[2] and counts_of_counts[3]:
        y = counts_of_counts[1] / (counts_of_counts[1] + 2 * counts_of_counts[2])
        computed = {k: k - (k + 1) * y * counts_of_counts[k + 1] / counts_of_counts[k] for k in (1, 2, 3)}
        discount = computed if min(computed.values()) > 0 else discount
    after = {gram: count for gram, count in counts.items() if gram[:-1] == context}
    own = after.get(context + character, 0)
    return (
        own - (discount[min(own, 3)] if own else 0),
        sum(after.values()),
        sum(discount[min(k, 3)] for k in after.values()),
    )


@pytest.mark.parametrize(
    ("smoothing", "by_strings"), [(witten_bell, witten_bell_by_strings), (kneser_ney, kneser_ney_by_strings)]
)
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    codes=st.lists(st.integers(0, 2), min_size=1, max_size=90), text=st.lists(st.integers(0, 2), min_size=1, max_size=9)
)
def test_ngrams_equal_counting_strings(smoothing, by_strings, codes, text):
    book, number = ("".join(map(str, part)) for part in (codes, text))

    def p(at, n, longest=True):
        if n == 0:
            return 1 / 3
        shorter = p(at, n - 1, longest=False)
        if n - 1 > at:
            return shorter
        own, total, rest = by_strings(book, number[at], number[at - n + 1 : at], n, longest)
        return (own + rest * shorter) / total if total else shorter

    tables = count_ngrams(np.array(codes), 3, 4)
    ours = ngram_probabilities(tables, np.array(text), 3, smoothing)
    for n, at in product(range(len(ours)), range(len(text))):
        assert ours[n, at] == pytest.approx(p(at, n))


def test_ngrams_of_a_large_vocabulary_do_not_overflow():
    codes = np.random.default_rng(0).integers(0, 20_000, 500).astype(np.uint16)
    tables = count_ngrams(codes, 20_000, 6)
    assert [len(table.keys) for table in tables][1:] == [499, 498, 497, 496, 495]
    for smoothing in (witten_bell, kneser_ney):
        assert ngram_probabilities(tables, codes, 20_000, smoothing)[6, 10:].min() > 0.4
