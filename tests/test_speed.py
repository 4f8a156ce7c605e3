import json

import nbformat
import numpy as np
import pytest

from report.measure import speed
from rnn.corpus import read_corpus
from tests.conftest import ROOT, make

CORPUS = read_corpus(quick=True)
CELLS = [cell.source for cell in nbformat.read(ROOT / "notebooks" / "09_speed.ipynb", 4).cells]
PIECES = [source.partition("\n")[0::2] for source in CELLS if source.startswith("%%piece")]


def versions(folder, **settings):
    return speed.Versions(CORPUS, folder=folder, **settings)


def with_pieces(some_versions, label):
    """Return the versions with the pieces of the notebook up to the version of a label."""
    for head, body in PIECES:
        name, _, version = head.removeprefix("%%piece ").partition(" ")
        some_versions.pieces[name] = body
        if version == label:
            return some_versions
    raise KeyError(label)


@pytest.mark.parametrize("label", [head.split(maxsplit=2)[2] for head, _ in PIECES if len(head.split()) > 2])
def test_every_version_of_the_notebook_gives_the_losses_of_the_model(tmp_path, label):
    """With Python's own loops, in which a compiled one can be run too, in double precision."""
    some_versions = with_pieces(versions(tmp_path, quick=True), label)
    losses, _ = some_versions._losses_and_time(some_versions._run_of(some_versions.source), 2)
    np.testing.assert_allclose(losses, some_versions.expected, rtol=1e-12)


def test_the_compiled_versions_give_the_losses_of_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "MICROSECONDS", 1)
    some_versions = with_pieces(versions(tmp_path), "the recurrent product by rows")
    some_versions.time("compiled", dtype="float32", compiled=True)
    some_versions.time_kernel("the kernel")
    assert list(some_versions.microseconds) == ["compiled", "the kernel"]
    assert min(some_versions.microseconds.values()) > 0


@pytest.mark.parametrize(("right", "wrong"), [("(1 - h", "(2 - h"), ("dc += do", "dc -= do"), ("-= 1", "-= 2")])
def test_a_version_that_computes_something_else_is_refused_and_not_timed(tmp_path, right, wrong):
    some_versions = with_pieces(versions(tmp_path), "in the style of min-char-rnn")
    assert right in some_versions.pieces["backward"]
    with pytest.raises(AssertionError, match="'a slip' computes something else"):
        some_versions.piece("backward a slip", some_versions.pieces["backward"].replace(right, wrong))
    assert not some_versions.microseconds
    assert not list(tmp_path.iterdir())


def test_what_was_timed_is_read_and_what_has_changed_is_timed_anew(tmp_path, monkeypatch):
    with_pieces(versions(tmp_path, quick=True), "in the style of min-char-rnn").time("first")
    (path,) = tmp_path.iterdir()
    path.write_text(json.dumps([123.0]))
    again = with_pieces(versions(tmp_path, quick=True), "in the style of min-char-rnn")
    again.time("again")
    assert again.microseconds == {"again": 123.0}
    assert again.message.endswith("again: 123 µs a step")
    again.piece("forward changed", again.pieces["forward"] + "# changed")
    assert again.microseconds["changed"] != 123
    monkeypatch.setattr(speed, "machine", lambda: "another machine")
    again.time("elsewhere")
    assert len(list(tmp_path.iterdir())) == 3


def test_an_error_in_a_piece_shows_its_line(tmp_path):
    some_versions = with_pieces(versions(tmp_path, quick=True), "in the style of min-char-rnn")
    with pytest.raises(NameError) as raised:
        some_versions.piece("forward broken", "L = no_such_name")
    assert "L = no_such_name" in str(raised.traceback[-1])


def test_a_piece_is_one_of_two(tmp_path):
    with pytest.raises(ValueError, match="a piece must be forward or backward, got 'sideways'"):
        versions(tmp_path, quick=True).piece("sideways", "")


def test_other_libraries_stand_there_when_they_have_been_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "ROOT", tmp_path)
    assert speed.benched() == {}
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "bench.json").write_text(json.dumps({"torch_eager": 1244.0, "kernel_float32": 59.0}))
    assert speed.benched() == {"PyTorch": 1244.0}
    assert "rm -f build/09_*.ipynb" in make("-n", "bench", "QUICK=1").stdout, "the notebook is executed again then"


def test_the_machine_has_a_name():
    assert "NumPy " in speed.machine()
    assert not speed.machine().startswith(" ")
