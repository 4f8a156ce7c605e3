import json

import nbformat
import pytest

from tests.conftest import ROOT
from tools import check

FORWARD = check.definitions((ROOT / "rnn" / "model.py").read_text("utf-8"))["forward"]
FORWARD = FORWARD.replace(" and the predictions", "\n    and the predictions")  # a notebook's lines are shorter


@pytest.fixture
def faults(tmp_path):
    """Return a function: what is wrong with a notebook of these cells, each a source or a (source, tag)."""

    def found(*cells, name="01_some.ipynb"):
        notebook = nbformat.v4.new_notebook()
        for cell in cells:
            source, *tags = (cell,) if isinstance(cell, str) else cell
            notebook.cells.append(nbformat.v4.new_code_cell(source, metadata={"tags": tags}))
        nbformat.write(notebook, tmp_path / name)
        return [sentence for _, sentence in check.faults_of(tmp_path / name)[0]]

    return found


@pytest.mark.parametrize(
    ("source", "share"),
    [
        ("h = np.tanh(a)", 1),
        ("import numpy as np\nh = np.tanh(a)", 0.5),
        ("def f(x):\n    '''One\n\n    line.'''\n    # a comment\n    return x", 1),
        ("with show.live_loss() as watch:\n    run = train(corpus)", 0.5),
        ("for n in steps:\n    h = f(h)\n    rows.append({'n': n,\n                 'h': h})", 0.5),
        ("table = losses.epoch_table(run)\nshow.table(table)", 0),
        ("frame = pd.DataFrame({'loss': losses})", 0),
        ("h = 1\nassert h\nif h:\n    share = 1\n    assert share", 0.2),
    ],
)
def test_what_shows_builds_tables_or_asserts_is_not_the_subject(source, share):
    assert check.share_of_the_subject([source]) == share


def test_a_notebook_of_tables_is_refused_in_the_assignment(faults):
    assert faults("a = 1\nb = 2\ntable = 3") == ["01_some.ipynb: 67% of the code is about the subject, less than 70%."]
    assert faults("a = 1\nb = 2\ntable = 3", name="06_some.ipynb") == []


def test_a_cell_that_the_paper_leaves_out_makes_nothing_that_another_needs(faults):
    needs = ["01_some.ipynb, cell 2: needs text from cell 1, which the paper leaves out."]
    assert faults(("text = 1", "page-only"), "print(text)") == needs
    assert faults(("text = 1", "live-only"), "print(text)") == needs
    assert faults(("def text(): pass", "page-only"), "%%prose\nIt is {{ text() }}.") == needs
    assert faults(("text = 1", "page-only"), "def later():\n    return text") == needs
    assert faults(("text = 1", "page-only"), "text += 1") == needs
    assert faults("text = 0", ("text = 1", "page-only"), "print(text)"), "the last one that defines it counts"


def test_cells_that_are_left_out_together_may_need_each_other(faults):
    assert faults(("text = 1", "page-only"), ("print(text)", "page-only")) == []
    assert faults(("text = 1", "live-only"), "a = 1", ("print(text)", "live-only")) == []
    assert faults(("text = 1", "page-only"), ("print(text)", "live-only")) != []
    assert faults(("text = 1", "page-only"), "text = 2", "print(text)") == []
    assert faults(("a = [text for text in 'abc']", "page-only"), "b = [text for text in 'abc']") == []
    assert faults(("text = 1", "page-only"), "a = 1", ("print(text)", "page-only")) != []


def test_a_function_of_the_package_is_the_packages(faults):
    mark = "# rnn.model.forward, the same as in rnn/model.py\n"
    assert faults(mark + FORWARD) == []
    assert faults(mark + FORWARD.replace("(W, h0)", "(\n        W,\n        h0,\n    )")) == [], (
        "lines break where they fit"
    )
    (changed,) = faults(mark + FORWARD.replace("@ h[t] +", "@ h[t] -"))
    assert "the cell has `a = W @ h[t] - U[:, x[t]] + b` where the package has `a = W @ h[t] + U[:" in changed
    (shorter,) = faults(mark + FORWARD.rsplit("\n", 1)[0])
    assert shorter.endswith("the package continues with `return h, p`.")
    assert "must say" in faults(FORWARD)[0]
    assert faults("# rnn.model.fourward\n" + FORWARD)[0].endswith("there is no rnn.model.fourward.")
    assert faults(FORWARD, name="09_some.ipynb") == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("a = [[b for b in c] for c in d]", "a comprehension inside a comprehension, line 1."),
        ("a = 1" + " + 1" * 30, "a line of 125 characters, more than 100."),
        ("a = f'the loss of the network is now {b} nats'", "an f-string has a sentence in it."),
        (
            "%%prose\nIt is {{ 'high' if a else 'low' }}.",
            "an if chooses a sentence, in {{ 'high' if a else 'low' }}.",
        ),
        ("a = (", "line 1 is not Python: '(' was never closed."),
    ],
)
def test_what_a_reader_would_have_to_work_through_is_refused(faults, source, fault):
    assert faults(source) == [f"01_some.ipynb, cell 1: {fault}"]


def test_a_notebook_without_cell_ids_is_checked(tmp_path):
    cells = [{"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": "table = 1"}]
    path = tmp_path / "01_old.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 0}))
    assert check.faults_of(path)[1] == 0
