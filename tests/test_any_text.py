"""README's promise: any UTF-8 text of 1,000 characters makes a report. The code of every notebook, on odd texts."""

import itertools
import os
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest

from report.measure import choices
from rnn.corpus import ROOT
from rnn.engine import sweep, training
from tests.notebook import run, runs_in

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("0*.ipynb"))
ALPHABETS = {
    "levels": "#+-",
    "digits": "0123456789",
    "letters": "abcdefgh",
    "English": "etaoinshrdlu ETA,.\n",
    "emoji": "🐳🚢🌊👩‍🚀",
    "Chinese": "白鲸大海船长我是",
    "Arabic": "لا إله مرحبا ",
    "combining": "e\u0301a\u0308 o",
    "white": " \t\n\u3000\u00a0",
    "markup": "$\\_{}^#%&~`*<>|[]()\"'",
    "quotes": "“”«»\"' a",
    "controls": "\x01\x1b\x7f\x85\u2028\ufeff\uffff",
    "many": "".join(map(chr, range(0x4E00, 0x4E00 + 3_000))),
}


def _letters(alphabet, n, rng):
    return list(rng.choice(list(alphabet), n))


def _one_and_all(alphabet, n, rng):
    """One character all along, and another once, anywhere."""
    text = [alphabet[0]] * n
    text[rng.integers(n)] = alphabet[-1]
    return text


def _another_at_the_end(alphabet, n, rng):
    """What is held out has nothing in common with what is trained on."""
    half = len(alphabet) // 2
    return _letters(alphabet[:half], n - n // 10, rng) + _letters(alphabet[half:], n // 10, rng)


STRUCTURES = {
    "one and all": _one_and_all,
    "at random": _letters,
    "in a circle": lambda alphabet, n, rng: list(itertools.islice(itertools.cycle(alphabet), n)),
    "sorted": lambda alphabet, n, rng: sorted(_letters(alphabet, n, rng)),
    "words": lambda alphabet, n, rng: [" " if i % 5 == 4 else c for i, c in enumerate(_letters(alphabet, n, rng))],
    "lines": lambda alphabet, n, rng: ["\n" if i % 30 == 29 else c for i, c in enumerate(_letters(alphabet, n, rng))],
    "another at the end": _another_at_the_end,
    "the same line": lambda alphabet, n, rng: [*_letters(alphabet, 40, rng), "\n"] * (n // 41 + 1),
}
KINDS = list(itertools.product(ALPHABETS, STRUCTURES))  # 104


def text_of(alphabet, structure):
    """Return a text of 1,000 to 4,000 characters, always the same."""
    rng = np.random.default_rng([KINDS.index((alphabet, structure))])
    letters = ALPHABETS[alphabet]
    n = int(rng.choice([1_000, 1_001, 1_500, 4_000]))
    if len(letters) > 1_000 and structure != "in a circle":  # 07 takes as long as the text times its vocabulary
        n = 1_000
    text = "".join(STRUCTURES[structure](letters, n, rng))
    return text if len(set(text)) > 1 else text + letters[-1]


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """Training in this process, in a folder of the test; warnings are errors."""

    def one_by_one(text, configs, after=None):
        start = training.train(text, after) if after else None
        return {config: training.train(text, config, start) for config in configs}

    monkeypatch.setattr(sweep, "sweep", one_by_one)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # the disk takes longer than the training
    with runs_in(tmp_path), warnings.catch_warnings(), plt.rc_context():
        for kind in (RuntimeWarning, UserWarning):  # a mean of nothing, a logarithmic axis of nothing
            warnings.simplefilter("error", kind)
        warnings.filterwarnings("ignore", "Glyph .* missing")
        yield


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[", ".join(kind) for kind in KINDS])
def test_every_notebook_runs_on_any_text(kind, tiny, tmp_path):
    """Each kind of text runs one notebook, so that each notebook meets a dozen kinds."""
    path = tmp_path / "text.txt"
    path.write_text(text_of(*KINDS[kind]), "utf-8", newline="")
    run(NOTEBOOKS[kind % len(NOTEBOOKS)], CORPUS=str(path))


def test_chapter_7_runs_with_what_a_sweep_has_trained(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(
        choices, "budget_on_disk", lambda corpus: choices.FULL._replace(seeds=2, long=2, searched=(2, 1))
    )
    path = tmp_path / "text.txt"
    path.write_text(text_of("English", "words")[:1_000], "utf-8")
    cure = run("07_choices", CORPUS=str(path))["cure"]
    assert list(cure.index.unique("settings")) == ["half an epoch", "1 epoch", "7 epochs", "1 epoch, 200 units"]
