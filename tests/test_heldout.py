import lzma
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rnn import model
from rnn.corpus import CorpusError, decode, read_corpus
from rnn.heldout import (
    COMPRESSORS,
    compressed_nats,
    count_ngrams,
    interval,
    network_losses,
    ngram_losses,
    ngram_probabilities,
    shift_interval,
    split,
)
from rnn.runs import Config
from rnn.training import train

CORPUS = read_corpus()


def test_the_parts_follow_one_another_and_are_the_whole_text():
    parts = split(CORPUS)
    validation, test = CORPUS.codes[parts.validation], CORPUS.codes[parts.test]
    assert np.array_equal(np.concatenate((parts.train.codes, validation, test)), CORPUS.codes)
    assert len(validation) == len(test) == int(0.05 * len(CORPUS.codes))
    assert parts.train.vocabulary == CORPUS.vocabulary


def test_a_text_of_which_nothing_can_be_held_out_is_refused():
    with pytest.raises(CorpusError, match="has 999 characters; 1,000 are needed"):
        split(CORPUS.part(0, 999))
    assert len(split(CORPUS.part(0, 1_000)).train.codes) == 900


def test_what_is_held_out_changes_nothing_that_is_trained_or_counted(tmp_path):
    """Two texts that differ in their held-out parts alone give the same weights, n-grams and predictions."""
    text = CORPUS.part(0, 3_000)
    codes = text.codes.copy()
    begin = split(text).validation.start
    codes[begin:] = codes[begin:][::-1]
    other = text._replace(codes=codes, sha256="0" * 64, name="other")
    config = Config(m=8, T=10, epochs=2)
    weights, tables = [], []
    for corpus in (text, other):
        parts = split(corpus)
        weights.append(train(parts.train, config, runs=tmp_path, show=False).params())
        tables.append(count_ngrams(parts.train.codes, corpus.K, 3))
    assert not np.array_equal(text.codes, other.codes)
    assert len(list(tmp_path.glob("*/m*"))) == 2
    for a, b in zip(*weights, strict=True):
        assert np.array_equal(a, b)
    for of_text, of_other in zip(*tables, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(of_text, of_other, strict=True))


def test_a_character_is_predicted_from_those_before_it_alone():
    """Changing a held-out character changes no loss before it, of the network or of the n-grams."""
    codes, K = CORPUS.codes[:5_000].copy(), CORPUS.K
    part = slice(4_000, 5_000)
    params = model.init_params(K, 16, np.random.default_rng(0), 0.5)
    tables = count_ngrams(codes[:3_000], K, 4)
    before = network_losses(params, codes, part), ngram_losses(tables, codes, part, K)[-1]
    codes[4_500] = (codes[4_500] + 1) % K
    after = network_losses(params, codes, part), ngram_losses(tables, codes, part, K)[-1]
    for a, b in zip(before, after, strict=True):
        assert np.array_equal(a[:500], b[:500])
        assert a[500] != b[500]


@pytest.mark.parametrize("begins", ["zero", "elsewhere"])
@pytest.mark.parametrize(("begin", "end"), [(1, 40), (700, 1_000), (2_000, 2_131)])
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_held_out_loss_is_that_of_a_slow_plain_computation(begin, end, dtype, tolerance, begins):
    params = model.init_params(CORPUS.K, 20, np.random.default_rng(1), 0.4, dtype)
    h0 = np.linspace(-1, 1, 20).astype(dtype) if begins == "elsewhere" else None
    losses = network_losses(params, CORPUS.codes, slice(begin, end), h0)
    W, U, V, b, c = (theta.astype(np.float64) for theta in params)
    h, expected = np.zeros(20) if h0 is None else h0.astype(np.float64), []
    for n in range(max(0, begin - 1_000), end - 1):
        h = np.tanh(W @ h + U[:, CORPUS.codes[n]] + b)
        p = np.exp(V @ h + c)
        expected.append(-np.log(p[CORPUS.codes[n + 1]] / p.sum()))
    np.testing.assert_allclose(losses, expected[-(end - begin) :], rtol=tolerance)


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


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_compressor_that_has_seen_the_text_needs_next_to_nothing(name):
    text = decode(CORPUS.codes[100_000:110_000], CORPUS.vocabulary)
    before = decode(CORPUS.codes[:100_000], CORPUS.vocabulary)
    new, known = compressed_nats(COMPRESSORS[name], before, [text, text])
    assert 1 < new < 3
    assert known < 0.5 * new


def test_compressed_nats_are_what_each_text_adds():
    before, texts = "In the beginning " * 50, ["was the Word. " * 40, "and the World " * 9]
    together = [before, before + texts[0], before + texts[0] + texts[1]]
    sizes = [len(lzma.compress(data.encode(), preset=9 | lzma.PRESET_EXTREME)) for data in together]
    expected = [8 * np.log(2) * (b - a) / len(text) for a, b, text in zip(sizes, sizes[1:], texts, strict=False)]
    np.testing.assert_allclose(compressed_nats(COMPRESSORS["xz, preset 9e"], before, texts), expected)


def test_an_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = [abs(mean - 3) < half for mean, half in (interval(rng.normal(3, 2, 5)) for _ in range(2_000))]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)


def test_a_shift_is_found_just_where_the_rank_test_finds_it():
    rng = np.random.default_rng(0)
    found = []
    for n, others in ((4, 4), (8, 8), (4, 6)) * 60:
        a, b = rng.normal(rng.choice([0, 2]), 1, n), rng.normal(0, 1, others)
        estimate, low, high = shift_interval(a, b)
        assert low <= estimate <= high
        found.append(low > 0 or high < 0)
        assert found[-1] == (stats.mannwhitneyu(a, b, method="exact").pvalue <= 0.05)
    assert 0.2 < np.mean(found) < 0.8


def test_a_shift_worked_by_hand():
    assert shift_interval([1, 2, 3, 4], [0, 0, 0, 0]) == (2.5, 1, 4)
    estimate, low, _ = shift_interval([5, 5.1, 5.2, 90], [4, 4.1, 4.2, 4.3])  # one astray
    assert low == pytest.approx(0.7)
    assert estimate == pytest.approx(1.0)


def test_an_interval_of_one_value_or_none_is_not_a_number():
    assert interval([2.0])[0] == 2
    assert np.isnan([*interval([2.0])[1:], *interval([])]).all()
