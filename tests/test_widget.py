import ast
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
import traitlets

from report.show import web, widget
from rnn.corpus import read_corpus, split
from rnn.engine.runs import Config
from rnn.engine.training import train
from tests.conftest import ROOT
from tests.test_browser import CHROMIUM, without_browser

CORPUS = read_corpus(quick=True)
BIN = Path(sys.prefix) / "bin"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    config = Config(m=10, T=10, epochs=1, snapshot_every=50)
    folder = tmp_path_factory.mktemp("runs")
    return [train(split(CORPUS).train, config.replace(m=m), runs=folder, show=False) for m in (10, 12)]


@pytest.fixture
def sampler(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(widget, "ROOT", tmp_path)
    return widget.sampler(runs[0], CORPUS, prime="The ", best=runs[1], units={"in quotes": 7})


def test_the_samplers_settings_can_be_read_set_and_observed(sampler, runs):
    seen = []
    sampler.observe(lambda change: seen.append(change["new"]), "temperature")
    sampler.temperature = 0.5
    assert seen == [0.5]
    assert (sampler.prime, sampler.step, sampler.network) == ("The ", runs[0].last_step, "the network")
    sampler.step, sampler.counted = 50, True
    assert (sampler.step, sampler.counted) == (50, True)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("temperature", 0, "above 0"),
        ("temperature", float("nan"), "above 0"),
        ("top_p", 1.5, "top-p"),
        ("length", -1, "number of characters"),
        ("length", 10**9, "20,000"),
        ("seed", -1, "seed"),
        ("colour", "red", "surprise"),
        ("colour", "unit 10", "there is no unit 10"),
        ("step", 12_345, "one of 0, 10"),
        ("unit", 3, "no setting unit"),
    ],
)
def test_settings_of_the_sampler_that_mean_nothing_are_refused(sampler, name, value, sentence):
    before = getattr(sampler, name, None)
    with pytest.raises(traitlets.TraitError, match=sentence):
        setattr(sampler, name, value)
    assert getattr(sampler, name, None) == before


def test_weights_and_texts_are_bytes_in_a_message_and_nowhere_in_what_a_notebook_saves(sampler, runs, monkeypatch):
    state = json.dumps(sampler.get_state())
    bundle, _ = sampler._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert len(state) < 150_000, "the script, the style and the settings"
    assert len(json.dumps(bundle)) < 1_000
    sent = []
    monkeypatch.setattr(sampler, "send", lambda *message: sent.append(message))
    sampler._handle_custom_msg({}, [])
    ((content, buffers),) = sent
    first, second = content["networks"]
    assert [first["name"], second["name"]] == ["the network", "the best network"]
    assert [snapshot["step"] for snapshot in first["snapshots"]] == runs[0].snapshots
    assert buffers[first["snapshots"][-1]["weights"]["buffer"]] == web.pack(runs[0].params())
    assert buffers[second["snapshots"][-1]["weights"]["buffer"]] == web.pack(runs[1].params())
    assert (first["units"], second["units"]) == ({}, {"in quotes": 7})


def test_the_page_gets_each_network_once_and_the_names_of_units(sampler, runs):
    (bundle, _) = sampler._repr_mimebundle_()
    folder = widget.ROOT / "figures" / CORPUS.id
    assert bundle["text/markdown"].startswith('<div class="sampler" data-files=')
    best, units = (next(folder.glob(f"{name}-*.json")) for name in ("the-best-network", "units"))
    assert {best, units} == set(folder.iterdir()), "the page has the network from elsewhere"
    assert all(str(path.relative_to(widget.ROOT)) in bundle["text/markdown"] for path in (best, units))
    (snapshot,) = json.loads(best.read_text("utf-8"))["snapshots"]
    assert snapshot["step"] == runs[1].last_step
    assert json.loads(units.read_text("utf-8")) == {"of": "the best network", "units": {"in quotes": 7}}
    widget.sampler(runs[0], CORPUS)
    first = json.loads(next(folder.glob("the-network-*.json")).read_text("utf-8"))
    assert len(first["snapshots"]) == min(widget.PAGE_STEPS, len(runs[0].snapshots))
    reading = json.loads(next(folder.glob("reading-*.json")).read_text("utf-8"))
    assert [state["step"] for state in reading["states"]] == [snapshot["step"] for snapshot in first["snapshots"]]
    assert reading["text"] in CORPUS.text[split(CORPUS).test.start :], "the first screen reads what is held out"


def test_a_notebook_that_is_opened_without_its_kernel_shows_a_sentence_for_each_widget(monkeypatch):
    shown = []
    monkeypatch.setattr(widget, "display", lambda data, **_: shown.append(data))
    widget.Trainer("trainer", {}, [])._ipython_display_()
    alive, without_kernel = shown
    assert "application/vnd.jupyter.widget-view+json" in alive
    assert "Run this notebook" in without_kernel["text/html"]
    assert without_kernel["text/markdown"] == "", "the page has the trainer itself"


def test_the_points_of_a_curve_are_its_own_and_few():
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots()
    steps = np.arange(1, 10_001)
    ax.semilogx(steps, np.sqrt(steps), label="the root")
    ax.axhline(3)
    ax.set_xlabel("training step (thousands)")
    fig.canvas.draw()
    (panel,) = web.packed_curves(fig)
    plt.close(fig)
    (curve,) = panel["curves"]
    assert curve["name"] == "the root"
    assert (panel["x"]["name"], panel["x"]["log"]) == ("training step", True)
    assert 100 < len(curve["x"]) <= web.CURVE_POINTS
    assert (curve["x"][0], curve["x"][-1]) == (1, 10_000)
    np.testing.assert_allclose(curve["y"], np.sqrt(curve["x"]), rtol=1e-4)


def test_a_curve_without_a_label_has_the_name_of_its_colour_in_another_panel_or_of_its_panel():
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(1, 3)
    x = np.arange(20)
    axes[0].errorbar(x, x, x, color="C1", label="ours")
    axes[0].plot(x, x + 1, color="C2")
    axes[1].plot(x, x, color="C1")
    axes[2].plot(x, x, color="C3")
    axes[2].set_title("the loss")
    panels = web.packed_curves(fig)
    plt.close(fig)
    assert [[curve["name"] for curve in panel["curves"]] for panel in panels] == [["ours"], ["ours"], ["the loss"]]


NOTEBOOK = [
    """from rnn.corpus import read_corpus, split
from rnn.engine.runs import Config
from report.show import widget
from rnn.engine.training import train
import ipywidgets
corpus = read_corpus(quick=True)
runs = [train(split(corpus).train, Config(m=m, epochs=1, snapshot_every=500), show=False) for m in (100, 20)]
sampler = widget.sampler(runs[0], corpus, prime="The ", best=runs[1], units={"in quotes": 7})
slider = ipywidgets.FloatSlider(1, min=0.05, max=2, step=0.05)
ipywidgets.jslink((slider, "value"), (sampler, "temperature"))
seen = []
sampler.observe(lambda change: seen.append(change["new"]), "text")
sampler""",
    "slider",
    "widget.trainer(runs[0], corpus, runs[0].losses)",
    'print("PYTHON", [sampler.temperature, sampler.seed, sampler.text, len(seen) > 1])',
    'sampler.temperature, sampler.seed = 0.5, 11; print("SET")',
    'sampler.text = "The whale, the whale"; print("READ")',
    'sampler.network = "the best network"; print("BEST")',
    """import numpy as np
from rnn import gradcheck, mistakes, model
problem = gradcheck.make_problem(corpus.codes, corpus.K, np.random.default_rng(0), m=20, h0_sigma=0.5)
widget.sequence(problem, model.forward, mistakes.plant(model.backward, mistakes.H0_DROPPED), corpus)""",
    "%load_ext report.show\nfrom IPython.display import Markdown, display\ndisplay(Markdown('words of my own'))",
    "%%prose\nIt is {{ 1 + 1 }}.",
]


@without_browser
def test_the_widgets_in_jupyterlab(project, tmp_path):
    assert project.make("build/web/kernel.wasm", "build/web/kernel-fused.wasm").returncode == 0
    folder, port = tmp_path / "lab", _free_port()
    folder.mkdir()
    cells = [
        {"cell_type": "code", "id": f"c{n}", "metadata": {}, "outputs": [], "execution_count": None, "source": source}
        for n, source in enumerate(NOTEBOOK)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    written = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "widgets.ipynb").write_text(json.dumps(written), "utf-8")
    homes = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    (tmp_path / "JUPYTERLAB_SETTINGS_DIR").mkdir()
    settings = {"JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "JUPYTERLAB_SETTINGS_DIR"), **homes}
    environment = os.environ | settings | {"PYTHONPATH": str(project.folder), "HOME": str(tmp_path)}
    options = (
        f"--port={port}",
        "--no-browser",
        "--allow-root",
        "--IdentityProvider.token=",
        f"--notebook-dir={folder}",
    )
    with (tmp_path / "log").open("w") as log:
        command = [BIN / "jupyter", "lab", *options, "--ServerApp.port_retries=0"]
        lab = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/status", lab)
            address = f"http://127.0.0.1:{port}/lab/tree/widgets.ipynb"
            command = [BIN / "node", ROOT / "tests" / "browser_jupyter.mjs", CHROMIUM, address]
            run = subprocess.run(command, capture_output=True, text=True)
        finally:
            lab.terminate()
            lab.wait()
    assert run.returncode == 0, run.stderr + (tmp_path / "log").read_text("utf-8")[-2000:]
    seen = json.loads(run.stdout)
    assert seen["drawn"].startswith("The ")
    assert len(seen["drawn"]) == 504
    python = ast.literal_eval(seen["printed"].strip().removeprefix("PYTHON "))
    assert python[1:] == [4, seen["moved"], True], "Python reads what the reader has set, and the text"
    assert seen["drawn"] != seen["moved"]
    assert seen["linked"] != seen["moved"], "a slider of ipywidgets moves it"
    assert seen["set"] == ["0.50", "11"]
    assert seen["read"] == "The whale, the whale"
    assert seen["colours"] > 5
    assert "in quotes" in " ".join(seen["units"])
    assert seen["counted"] == 504
    assert seen["networks"] == ["the network", "the best network"]
    assert min(seen["took"]) < 200, "milliseconds from a slider's move to 500 characters, whatever the kernel does"
    weights, wrong, sentence = seen["view"]
    assert (weights, wrong) == ("this notebook’s", 1), "the column whose term a notebook's backward lacks is marked"
    assert "The notebook’s backward is off in W" in sentence
    assert seen["sources"] == [True, False], "that of `%%prose` is hidden once it has run, and no other"
    assert seen["trained"] >= 500
    assert seen["loss"] < 100
    saved = (folder / "widgets.ipynb").read_text("utf-8")
    assert "widget-view+json" in saved
    assert len(saved) < 30_000, "no weights in the notebook that is saved"


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _wait_for(address, process, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            return urlopen(address).read()
        except OSError:
            time.sleep(0.3)
    raise AssertionError(f"{address} does not answer")
