"""Where in a text the bits go: by the kind of a character, by its place in the word and in the line."""

import numpy as np
import pandas as pd

from report.measure.statistics import mean_where
from report.measure.words import has_words
from rnn.corpus import decode

QUOTATION_MARKS = ("“”", "«»", "„“", "「」", "『』", '""')  # what opens and what closes

KINDS = {  # the first that fits
    "break": lambda character: character in "\n\r",
    "space": str.isspace,
    "digit": str.isdigit,
    "capital": str.isupper,
    "letter": str.isalpha,
    "quote": lambda character: character in set("".join(QUOTATION_MARKS)) - set("‘’"),
    "other": lambda _: True,
}


def kinds(codes, vocabulary):
    """Return the kind (N,) of each character, one of `KINDS`."""
    of_code = [next(kind for kind, fits in KINDS.items() if fits(character)) for character in vocabulary]
    return np.array(of_code)[codes]


def groups(codes, vocabulary):
    """Return what characters are grouped by, {name: (group (N,) of each character, the groups in order)}.

    Groups of fewer than 20 characters are left out (a tenth of all in a short text), and so is what a text does not
    have: words told apart by spaces, lines.
    """
    kind = kinds(codes, vocabulary)
    of_text = {"kind of character": (kind, list(KINDS))}
    if has_words(decode(codes, vocabulary)):
        of_text["place in the word"] = in_word(codes, vocabulary), range(1, 11)
    if (kind == "break").any():
        octave = np.exp2(np.log2(np.maximum(in_line(codes, vocabulary), 0.5)) // 1)  # 1, 2 and 3, 4 to 7, ...
        of_text["place in the line"] = octave, 2 ** np.arange(11)
    enough = {
        name: (group, [member for member in members if (group == member).sum() >= min(20, len(codes) // 10)])
        for name, (group, members) in of_text.items()
    }
    return {name: (group, members) for name, (group, members) in enough.items() if members}


def by_group(values, group, members):
    """Return the means of {predictor: values (N,)} in each of the groups: a DataFrame of `Estimate`."""
    of_groups = {member: group == member for member in members}
    return pd.DataFrame(
        {
            predictor: {member: mean_where(of_predictor, mask) for member, mask in of_groups.items()}
            for predictor, of_predictor in values.items()
        }
    )


def is_letter(codes, vocabulary):
    """Return whether each character (N,) is a letter."""
    return np.array([character.isalpha() for character in vocabulary])[codes]


def run_lengths(inside):
    """Return at each place (N,) how many places in a row, itself the last, are `inside`; 0 where it is not."""
    at = np.arange(1, len(inside) + 1)
    return at - np.maximum.accumulate(np.where(inside, 0, at))


def in_word(codes, vocabulary):
    """Return the place (N,) in its word of each letter, from 1; 0 for what is no letter. A word is a run of letters."""
    return run_lengths(is_letter(codes, vocabulary))


def in_line(codes, vocabulary):
    """Return the place (N,) in its line of each character, from 1; 0 for a line break."""
    return run_lengths(np.array([character != "\n" for character in vocabulary])[codes])


def quotation_marks(codes, vocabulary):
    """Return what opens and closes a quotation in a text, two characters: the most frequent; "" where there is none."""
    counts = dict(zip(vocabulary, np.bincount(codes, minlength=len(vocabulary)), strict=True))
    marks = max(QUOTATION_MARKS, key=lambda pair: min(counts.get(mark, 0) for mark in pair))
    return marks if all(counts.get(mark, 0) for mark in marks) else ""


def in_quotation(codes, vocabulary, marks):
    """Return whether each place (N,) is inside quotation marks: the opening one is, the closing one is not.

    Where the two are the same, every second one closes, and a blank line does.
    """
    opening, closing = (codes == vocabulary.index(mark) for mark in marks)
    if marks[0] == marks[1]:
        line_break = codes == vocabulary.find("\n")
        closed = line_break & np.roll(line_break, 1)
        n = np.cumsum(opening)
        within = n - np.maximum.accumulate(np.where(closed, n, 0))  # of the marks since the last blank line
        return within % 2 == 1
    last = np.maximum.accumulate(np.where(opening | closing, np.arange(len(codes)), -1))
    return (last >= 0) & opening[last]


def through_the_book(run, pieces):
    """Return the training loss of a run by place in the text, (epochs, pieces), in bits per character."""
    epochs = run.losses.reshape(run.config.epochs, -1) / run.config.T / np.log(2)
    edges = np.linspace(0, epochs.shape[1], pieces + 1).astype(int)
    return np.add.reduceat(epochs, edges[:-1], axis=1) / np.diff(edges)
