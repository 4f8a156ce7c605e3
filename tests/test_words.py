import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn.corpus import encode, read_corpus
from rnn.words import copied_lengths, counted_words, english_words, share_of_words


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


def test_counted_words_leave_out_what_may_be_cut_and_single_letters():
    assert counted_words("hale I saw a Whale, he's thar sh") == ["saw", "whale", "he's", "thar"]
    assert share_of_words("hale I saw a Whale, he's thar sh", {"saw", "whale"}) == (0.5, 4)
    assert np.isnan(share_of_words("a b", {"a"})[0])
