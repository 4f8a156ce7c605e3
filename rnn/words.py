"""Words of a text, to measure how much of a book a sample has."""

import os
import re
from collections import Counter

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_AFTER_A_WORD = re.compile(r"(?<=[\w,;] )" + _WORD.pattern)


def words(text):
    """Return the words of a text in order: runs of letters, apostrophes inside included."""
    return _WORD.findall(text)


def share_of_words(text, of):
    """Return (share, n): the share of the n words of `text`, any case, that are in the set `of` of lower-case words.

    Not counted are the first and the last word, which may be cut, and single letters, which noise has too. The share
    is NaN for a text with no other word.
    """
    inner = [word.lower() for word in words(text)[1:-1] if len(word) > 1]
    return (sum(word in of for word in inner) / len(inner) if inner else float("nan")), len(inner)


def proper_nouns(text, at_least=5):
    """Return the names in a text, as a set.

    They are the words of three letters or more that it writes with a capital inside a sentence, `at_least` so often,
    and never in lower case.
    """
    in_lower_case = {word for word in words(text) if word.islower()}
    inside = Counter(word for word in _AFTER_A_WORD.findall(text) if word.istitle() and len(word) > 2)
    return {word for word, n in inside.items() if n >= at_least and word.lower() not in in_lower_case}


def agreement(text, truth):
    """Return the number of characters before the first in which two texts differ."""
    return len(os.path.commonprefix((text, truth)))
