"""Run the code of a notebook in this process, without Jupyter, some of its lines replaced: what a student does."""

import contextlib
import functools
import itertools
import linecache

import matplotlib.pyplot as plt
import nbformat
import pytest

from report import show
from report.measure import choices, samples
from report.show import prose
from rnn.engine import runs, training
from rnn.engine.runs import BASELINE
from tests.conftest import ROOT

CELLS = itertools.count(1)  # a name for each cell that is run, under which its source is found


@contextlib.contextmanager
def runs_in(folder):
    """Keep runs, and what the page is given, in this folder: tests on other processes train the same runs.

    The study has as few runs and samples as it can have.
    """
    of_training, of_runs, of_samples = training.train, runs.run_directory, samples.draw

    def train(*arguments, **settings):
        return of_training(*arguments, runs=folder, show=False, **settings)

    def run_directory(corpus, config, start=None, runs=folder):
        return of_runs(corpus, config, start, runs)

    def draw(run, text, length, n, *arguments, **settings):
        return of_samples(run, text, min(length, 200), min(n, 3), *arguments, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "train", train)
        patch.setattr(runs, "run_directory", run_directory)
        patch.setattr("report.show.widget.ROOT", folder)
        patch.setattr(choices, "BASE", 3)
        patch.setattr(choices, "SEEDS", 2)
        patch.setattr(choices.seeds, "__defaults__", (BASELINE, 2))
        patch.setattr(choices, "SHORT", choices.SHORT._replace(seeds=2))
        patch.setattr(samples, "draw", draw)
        patch.setattr(samples, "starts", functools.partial(samples.starts, n=4))
        yield


def run(name, *changes, **parameters):
    """Run the code cells of notebooks/{name}.ipynb and return the names that they define, {name: value}.

    Each of `changes` is (old, new): what a reader replaces, which must be in the code exactly once. `parameters` are
    those of the notebook; QUICK is True if they do not say otherwise. Functions can be inspected, as in Jupyter.
    Figures are laid out but not written.
    """
    cells = [cell for cell in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4).cells if cell.cell_type == "code"]
    for old, _ in changes:
        found = sum(cell.source.count(old) for cell in cells)
        assert found == 1, f"{found} times in {name}: {old}"
    namespace = {"__name__": "__main__"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(show, "figure", laid_out)
        try:
            for cell in cells:
                source = cell.source
                for old, new in changes:
                    source = source.replace(old, new)
                run_cell(source, namespace, f"<{name}, cell {next(CELLS)}>")
                if "parameters" in cell.metadata.get("tags", []):
                    namespace |= {"QUICK": True} | parameters
        finally:
            plt.close("all")
    return namespace


def laid_out(fig, name, alt):
    fig.draw_without_rendering()
    plt.close(fig)


def run_cell(source, namespace, place):
    """Run a cell; `%%prose` and `%%piece` are evaluated, other magics and commands are left out."""
    if source.startswith("%%prose"):
        body = source.partition("\n")[2]
        prose.fill(body, prose.evaluate(body, namespace))
        return
    if source.startswith("%%piece"):
        head, _, body = source.partition("\n")
        namespace["versions"].piece(head.removeprefix("%%piece"), body)
        return
    lines = ["" if line.startswith(("%", "!")) else line for line in source.split("\n")]
    linecache.cache[place] = (len(source), None, [f"{line}\n" for line in lines], place)  # for inspect.getsource
    exec(compile("\n".join(lines), place, "exec"), namespace)
