import ast
import sys
from graphlib import TopologicalSorter

import pytest

from tests.conftest import ROOT

FOLDERS = ("rnn", "report", "tools", "benchmarks")
ROOMS = {  # a room: the rooms that its files may import, apart from itself
    "rnn": {"rnn.diagnosis"},
    "rnn.diagnosis": {"rnn"},
    "rnn.engine": {"rnn"},
    "report.measure": {"rnn", "rnn.engine"},
    "report.show": {"rnn", "rnn.engine"},
    "report": {"rnn", "rnn.engine", "report.measure", "report.show"},
    "tools": {"rnn", "rnn.engine", "report", "report.measure", "report.show"},
    "benchmarks": {"rnn", "rnn.engine", "report.measure", "report.show"},
}


def modules():
    """Return {name: path} of the project's own modules."""
    paths = [path for folder in FOLDERS for path in ROOT.glob(f"{folder}/**/*.py")]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imported(path):
    """Return the names that a file imports, at its top or in a function; `a.b` for `from a import b`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imported_modules(path, known):
    """Return the project's modules that a file imports: `a.b`, or `a` if `b` is a name inside it."""
    found = {name if name in known else name.rpartition(".")[0] for name in imported(path)}
    return found & known.keys()


def room_of(name, path):
    """Return the room of a module: its folder."""
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def test_imports_between_rooms_point_one_way():
    known = modules()
    for name, path in known.items():
        room = room_of(name, path)
        rooms = {room_of(module, known[module]) for module in imported_modules(path, known)}
        assert rooms - {room} <= ROOMS[room], f"{name} imports from {rooms - {room} - ROOMS[room]}"


def test_no_modules_import_each_other_in_a_circle():
    known = modules()
    TopologicalSorter({name: imported_modules(path, known) - {name} for name, path in known.items()}).prepare()


@pytest.mark.parametrize("folder", ["rnn", "rnn/diagnosis"])
def test_the_mathematics_needs_numpy_and_the_standard_library_alone(folder):
    for path in (ROOT / folder).glob("*.py"):
        packages = {name.partition(".")[0] for name in imported(path)}
        assert packages <= {"numpy", "rnn", *sys.stdlib_module_names}, path.name


def test_the_model_imports_numpy_alone():
    assert imported(ROOT / "rnn" / "model.py") == {"typing.NamedTuple", "numpy"}
