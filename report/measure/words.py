"""Words of a text, to measure how many of a sample are the book's, or English."""

import re
from collections import Counter

from report.measure.statistics import proportion
from rnn.corpus import ROOT

ENGLISH = ROOT / "node_modules" / "word-list" / "words.txt"  # in lower case, of two letters or more

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_AFTER_A_WORD = re.compile(r"(?<=[\w,;] )" + _WORD.pattern)


def words(text):
    """Return the words of a text in order: runs of letters, apostrophes inside included."""
    return _WORD.findall(text)


def has_words(text):
    """Whether spaces tell the words of a text apart, as in English, and not as in Chinese."""
    return text.count(" ") * 20 > len(text)


def counted_words(text):
    """Return the words of a text that a share is of, in lower case.

    They are all but the first and the last, which may be cut, and single letters, which noise has too.
    """
    return [word.lower() for word in words(text)[1:-1] if len(word) > 1]


def share_of_words(text, of):
    """Return the `Estimate` of the share of the counted words of `text` that are in the set `of`."""
    inner = counted_words(text)
    return proportion(sum(word in of for word in inner), len(inner))


def english_words():
    """Return the words of an English word list, in lower case, as a set; an empty one where there is no list."""
    return set(ENGLISH.read_text("utf-8").split()) if ENGLISH.exists() else set()


def first_with(texts, among):
    """Return (step, word) of the first of {step: text} with a whole word of the set `among`; or (nan, "")."""
    for step, text in texts.items():
        for word in words(text)[1:-1]:
            if word in among:
                return step, word
    return float("nan"), ""


def first_above(shares, bound):
    """Return (step, share in per cent) of the first of {step: `Estimate`} above a bound; or (nan, "")."""
    return next(((step, f"{share:.0%}") for step, share in shares.items() if share.value > bound), (float("nan"), ""))


def proper_nouns(text, at_least=5):
    """Return the names in a text, as a set.

    They are the words of three letters or more that it writes with a capital inside a sentence, `at_least` so often,
    and never in lower case.
    """
    in_lower_case = {word for word in words(text) if word.islower()}
    inside = Counter(word for word in _AFTER_A_WORD.findall(text) if word.istitle() and len(word) > 2)
    return {word for word, n in inside.items() if n >= at_least and word.lower() not in in_lower_case}
