"""Where in a text the bits go: by the kind of a character, and by its place in the word and in the line."""

import numpy as np
import pandas as pd

from report.measure.statistics import mean_where
from report.measure.words import has_words
from rnn.corpus import decode

QUOTATION_MARKS = ("“”", "«»", "„“", "「」", "『』", '""')  # pairs of opening and closing marks

KINDS = {  # a character's kind is the first that fits
    "break": lambda character: character in "\n\r",
    "space": str.isspace,
    "digit": str.isdigit,
    "capital": str.isupper,
    "letter": str.isalpha,
    "quote": lambda character: character in set("".join(QUOTATION_MARKS)) - set("‘’"),
    "other": lambda _: True,
}


def kinds(codes, vocabulary):
    """Return the kind (N,) of each character: one of `KINDS`."""
    kind_of_code = [next(kind for kind, fits in KINDS.items() if fits(character)) for character in vocabulary]
    return np.array(kind_of_code)[codes]


def groups(codes, vocabulary):
    """Return {name: (group (N,) of each character, list of the groups)} for the ways of grouping characters.

    Groups with fewer than 20 characters (or a tenth of a short text) are left out. So are words if spaces do not
    separate them, and lines if there are none.
    """
    kind = kinds(codes, vocabulary)
    candidates = {"kind of character": (kind, list(KINDS))}
    if has_words(decode(codes, vocabulary)):
        candidates["place in the word"] = in_word(codes, vocabulary), range(1, 11)
    if (kind == "break").any():
        octave = np.exp2(np.log2(np.maximum(in_line(codes, vocabulary), 0.5)) // 1)  # 1, 2 and 3, 4 to 7, ...
        candidates["place in the line"] = octave, 2 ** np.arange(11)
    enough = {
        name: (group, [member for member in members if (group == member).sum() >= min(20, len(codes) // 10)])
        for name, (group, members) in candidates.items()
    }
    return {name: (group, members) for name, (group, members) in enough.items() if members}


def by_group(values, group, members):
    """Return a DataFrame of `Estimate`: the mean of {predictor: values (N,)} in each of the groups `members`."""
    masks = {member: group == member for member in members}
    return pd.DataFrame(
        {
            predictor: {member: mean_where(predictor_values, mask) for member, mask in masks.items()}
            for predictor, predictor_values in values.items()
        }
    )


def is_letter(codes, vocabulary):
    """Return whether each character (N,) is a letter."""
    return np.array([character.isalpha() for character in vocabulary])[codes]


def run_lengths(inside):
    """Return for each place (N,) the number of consecutive places that are `inside` and end there; 0 if it is not."""
    at = np.arange(1, len(inside) + 1)
    return at - np.maximum.accumulate(np.where(inside, 0, at))


def in_word(codes, vocabulary):
    """Return the place (N,) of each letter in its word, from 1; 0 for all else. A word is a run of letters."""
    return run_lengths(is_letter(codes, vocabulary))


def in_line(codes, vocabulary):
    """Return the place (N,) of each character in its line, from 1; 0 for a line break."""
    return run_lengths(np.array([character != "\n" for character in vocabulary])[codes])


def quotation_marks(codes, vocabulary):
    """Return the most frequent pair of quotation marks in a text, a string of two characters; "" if there is none."""
    counts = dict(zip(vocabulary, np.bincount(codes, minlength=len(vocabulary)), strict=True))
    marks = max(QUOTATION_MARKS, key=lambda pair: min(counts.get(mark, 0) for mark in pair))
    return marks if all(counts.get(mark, 0) for mark in marks) else ""


def in_quotation(codes, vocabulary, marks):
    """Return whether each place (N,) is inside a quotation, which includes its opening mark but not its closing one.

    If the two marks are the same character, every second one closes, and so does a blank line.
    """
    opening, closing = (codes == vocabulary.index(mark) for mark in marks)
    if marks[0] == marks[1]:
        line_break = codes == vocabulary.find("\n")
        closed = line_break & np.roll(line_break, 1)
        n = np.cumsum(opening)
        since_blank_line = n - np.maximum.accumulate(np.where(closed, n, 0))  # the number of marks
        return since_blank_line % 2 == 1
    last = np.maximum.accumulate(np.where(opening | closing, np.arange(len(codes)), -1))
    return (last >= 0) & opening[last]


def through_the_book(run, pieces):
    """Return the training loss (epochs, pieces) of a run in each piece of the text, in bits per character."""
    epochs = run.losses.reshape(run.config.epochs, -1) / run.config.T / np.log(2)
    edges = np.linspace(0, epochs.shape[1], pieces + 1).astype(int)
    return np.add.reduceat(epochs, edges[:-1], axis=1) / np.diff(edges)
