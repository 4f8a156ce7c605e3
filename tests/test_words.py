import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from report.measure import samples, words
from report.measure.strings import agreement, copied_lengths
from report.measure.words import (
    counted_words,
    english_words,
    milestones,
    passage_table,
    proper_nouns,
    share_of_words,
)
from rnn.corpus import encode, read_corpus


def longest_copies(sample, book):
    """The definition, by looking for strings."""
    return [
        max(n for n in range(len(sample) - at + 1) if sample[at : at + n] in book or n == 0)
        for at in range(len(sample))
    ]


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    samples=st.lists(st.text("abc", min_size=1, max_size=20), min_size=1, max_size=4),
    book=st.text("abc", min_size=1, max_size=60),
)
def test_copied_lengths_are_those_of_looking_for_strings(samples, book):
    ours = copied_lengths([encode(sample, "abc") for sample in samples], encode(book, "abc"), 3)
    assert [list(lengths) for lengths in ours] == [longest_copies(sample, book) for sample in samples]


def test_a_page_of_the_book_is_copied_whole_and_noise_is_not():
    corpus = read_corpus()
    page = corpus.codes[500_000:502_000]
    noise = np.random.default_rng(0).permutation(page)
    copied, new = copied_lengths([page, noise], corpus.codes, corpus.K)
    assert copied[0] == 2_000
    assert np.array_equal(copied, np.arange(2_000, 0, -1))
    assert new.max() < 12


def test_the_word_list_has_english_words_old_ones_and_inflected_ones_and_no_noise():
    english = english_words()
    assert {"whale", "whales", "doth", "thou", "writing", "spoke"} <= english
    assert not {"thel", "hqw", "ande", "tho's", ""} & english
    assert all(word == word.lower() and len(word) > 1 for word in english)


def test_without_a_word_list_there_are_no_english_words(tmp_path, monkeypatch):
    monkeypatch.setattr(words, "ENGLISH", tmp_path / "none.txt")
    assert english_words() == set()


def test_counted_words_leave_out_what_may_be_cut_and_single_letters():
    assert counted_words("hale I saw a Whale, he's thar sh") == ["saw", "whale", "he's", "thar"]
    assert share_of_words("hale I saw a Whale, he's thar sh", {"saw", "whale"}).value == 0.5
    assert np.isnan(share_of_words("a b", {"a"}).value)


def test_milestones_are_shares_of_the_texts_of_a_step():
    book = "Then, Ahab saw the whales; and Ahab saw a whale. " * 5
    drawn = {0: ["qx zq wz", "qx zq wz"], 100: ["x saw Ahab whales it", "x saw Ahabs Ahab x", "Ahab saw whales"]}
    table = milestones(drawn, book)
    assert list(table.index) == [0, 100]
    assert table.loc[0].drop("words of the book").tolist() == [0, 0, "—"]
    assert table.loc[100, "with a word of six letters"] == pytest.approx(1 / 3), "the last word may be cut"
    assert table.loc[100, "with a name"] == pytest.approx(2 / 3)
    assert table.loc[100, "the first name"] == "Ahab"
    assert table.loc[100, "words of the book"].value == pytest.approx((1 + 2 / 3 + 1) / 3)


def test_passages_are_compared_with_the_originals():
    table = passage_table({"ours": "x the whale qx x"}, "the whale")
    assert table.loc["ours", "words"] == 3
    assert table.loc["ours", "words of the book"].value == pytest.approx(2 / 3)
    assert table.loc["the original, after 7 epochs", "words of the book"].value == pytest.approx(0.517)


def test_proper_nouns_have_a_capital_inside_sentences_and_are_never_in_lower_case():
    text = "Then, Ahab saw the Whale; and Ahab saw a whale, Oh Oh. But Flask was there. " * 5
    assert proper_nouns(text) == {"Ahab", "Flask"}
    assert proper_nouns(text, at_least=6) == {"Ahab"}


def test_two_texts_agree_up_to_the_first_character_that_differs():
    assert (agreement("abcd", "abxd"), agreement("abc", "abcd"), agreement("x", "y")) == (2, 3, 0)


def test_a_page_of_the_book_has_the_books_words_and_is_a_copy_and_noise_is_not():
    corpus = read_corpus().part(0, 200_000)
    page = corpus.codes[50_000:50_500]
    noise = np.random.default_rng(0).permutation(page)
    frame = samples.measure({"page": [page, page], "noise": [noise, noise[::-1]]}, corpus)
    assert frame.loc["page", "words of the book"].value == 1
    assert frame.loc["page", "longest copy"].value == 500
    assert frame.loc["page", "new 8-grams"].value == 0
    assert frame.loc["noise", "words of the book"].value < 0.5
    assert frame.loc["noise", "new 8-grams"].value > 0.9
    assert "new words, English" in frame


def test_new_words_are_measured_of_an_english_text_alone():
    text = read_corpus().part(0, 2_000)
    backwards = text._replace(codes=text.codes[::-1])
    assert "new words, English" not in samples.measure({"some": [text.codes[:200]]}, backwards)
