from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn.measure.ngrams import count_ngrams, ngram_probabilities


def test_ngrams_equal_a_case_worked_by_hand():
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


@settings(max_examples=30, deadline=None, derandomize=True)
@given(codes=st.lists(st.integers(0, 3), min_size=1, max_size=60), context=st.lists(st.integers(0, 3), max_size=5))
def test_ngram_probabilities_sum_to_one_after_every_context(codes, context):
    tables = count_ngrams(np.array(codes), 4, 5)
    last = [ngram_probabilities(tables, np.array([*context, k]), 4)[:, -1] for k in range(4)]
    assert (np.array(last) > 0).all()
    np.testing.assert_allclose(np.sum(last, axis=0), 1)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    codes=st.lists(st.integers(0, 2), min_size=1, max_size=60), text=st.lists(st.integers(0, 2), min_size=1, max_size=9)
)
def test_ngrams_equal_counting_strings(codes, text):
    """The definition, by counting substrings."""

    def p(character, context, n):
        if n == 0:
            return 1 / 3
        begin = "".join(map(str, context[len(context) - (n - 1) :])) if n > 1 else ""
        if n - 1 > len(context):
            return p(character, context, n - 1)
        book = "".join(map(str, codes))
        followers = [book[at + n - 1] for at in range(len(book) - n + 1) if book[at : at + n - 1] == begin]
        if not followers:
            return p(character, context, n - 1)
        shorter = p(character, context, n - 1)
        kinds = len(set(followers))
        return (followers.count(str(character)) + kinds * shorter) / (len(followers) + kinds)

    tables = count_ngrams(np.array(codes), 3, 4)
    ours = ngram_probabilities(tables, np.array(text), 3)
    for n, at in product(range(len(ours)), range(len(text))):
        assert ours[n, at] == pytest.approx(p(text[at], text[:at], n))


def test_ngrams_of_a_large_vocabulary_do_not_overflow():
    codes = np.random.default_rng(0).integers(0, 20_000, 500).astype(np.uint16)
    tables = count_ngrams(codes, 20_000, 6)
    assert [len(table.keys) for table in tables][1:] == [499, 498, 497, 496, 495]
    assert ngram_probabilities(tables, codes, 20_000)[6, 10:].min() > 0.4
