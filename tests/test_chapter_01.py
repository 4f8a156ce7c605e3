"""Notebook 01 as a student uses it: he changes a line in a cell, and the cells below it say so."""

import re
import subprocess
import sys

import nbformat
import pytest

from tests.conftest import ROOT
from tests.notebook import run

CHAPTER = "01_gradient_check"
SHORTER = (  # what takes the longest: the figure, and the steps that are compared with the compiled ones
    ("np.arange(-13, 0, 12 if QUICK else 1)", "np.array([-4])"),
    ("min(200, config", "min(40, config"),
)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (("+ from_next", "- from_next"), {"W", "U", "b", "h₀"}),
        (("dV = do.T @ h[1:]", "dV = do.T @ h[:-1]"), {"V"}),
        (("h[t + 1] = np.tanh(a)", "h[t + 1] = a"), {"W", "U", "b", "h₀"}),
    ],
)
def test_a_line_changed_in_forward_or_backward_fails_the_checks_below(change, wrong):
    names = run(CHAPTER, *SHORTER, change)
    assert set(names["caught"].loc["none", "complex, random h₀"]) == wrong
    assert max(error.max() for error in names["errors"].values()) > 1e-4


def test_the_claims_fail_for_a_flipped_sign():
    with pytest.raises(AssertionError):
        run(CHAPTER, *SHORTER, ("+ from_next", "- from_next"), QUICK=False)


@pytest.mark.parametrize(
    "changes",
    [
        [  # another seed, and a mistake of his own
            ("m, T, delta = 0,", "m, T, delta = 3,"),
            (
                "BUGS = [  # the bug, the right line, what the bug makes of it\n",
                'BUGS = [\n    Mistake("c", "dc = do.sum(axis=0)", "dc = do[:-1].sum(axis=0)"),\n',
            ),
        ],
        [  # more units, and single precision
            ("delta = 0, 5, 25", "delta = 0, 10, 25"),
            ('dtype="float64", seed=SEED', 'dtype="float32", seed=SEED'),
        ],
    ],
)
def test_no_claim_fails_because_a_student_tries_something_else(changes):
    names = run(CHAPTER, *SHORTER, *changes, QUICK=False)
    assert names["corpus"].is_moby_dick
    assert not names["caught"].loc["none", "complex, random h₀"], "his forward and backward are right"
    assert max(error.max() for error in names["errors"].values()) < 1e-4


def test_the_imports_of_the_first_cell_need_no_numba():
    cells = nbformat.read(ROOT / "notebooks" / f"{CHAPTER}.ipynb", 4).cells
    (imports,) = [cell.source for cell in cells if cell.source.startswith("%load_ext")]
    code = re.sub(r"(?m)^%.*$", "", imports) + "\nimport sys; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
