import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml

from tests.conftest import ROOT
from tools import address

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
    yield "colab", re.findall(r"make -C.*?(?= &&)", address.CELL)


def test_servers_run_targets_of_the_makefile_and_nothing_else():
    for where, of_server in commands():
        for command in of_server:
            name, *words = command.split()
            assert name == "make", (where, command)
            targets = {word for word in words if re.fullmatch("[a-z]+", word)} - {"project", "C"}
            assert targets, where
            assert targets <= TARGETS, (where, command)


def test_tests_run_on_both_systems_with_the_oldest_and_the_newest_python():
    (job,) = yaml.safe_load(WORKFLOWS[1].read_text("utf-8"))["jobs"].values()
    matrix = job["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "macos"}
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert matrix["python"] == [needed.removeprefix(">="), "3.14"]


def test_actions_and_images_are_pinned_by_digest():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", container["image"])
    for path in WORKFLOWS:
        for action in re.findall(r"uses: (\S+)", path.read_text("utf-8")):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action), action


def test_the_site_is_the_page_and_the_paper(project, report):
    result = project.make("site", "QUICK=1")
    assert result.returncode == 0, result.stderr
    for name, source in (("index.html", "report.html"), ("report.pdf", "report.pdf")):
        assert (report.folder / "site" / name).read_bytes() == (report.folder / source).read_bytes()


@pytest.fixture
def copy(tmp_path):
    """A copy of what `make address` writes, and of the address."""
    for name in ("pyproject.toml", "README.md", *(path.relative_to(ROOT) for path in NOTEBOOKS)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    return tmp_path


def addressed(copy, *arguments, repository=None):
    """Give the copy an address and run tools/address.py there."""
    if repository is not None:
        settings = copy / "pyproject.toml"
        line = f'Repository = "{repository}"' if repository else "# none"
        settings.write_text(re.sub(r"^(# )?Repository = .*$|^# none$", line, settings.read_text("utf-8"), flags=re.M))
    command = [sys.executable, "-m", "tools.address", *arguments]
    environment = os.environ | {"PYTHONPATH": f"{copy}{os.pathsep}{ROOT}"}
    return subprocess.run(command, capture_output=True, text=True, cwd=copy, env=environment)


def test_the_public_address_is_in_one_place_and_make_address_writes_it(copy):
    assert addressed(copy, repository="https://github.com/a-class/of-rnns").returncode == 0
    assert addressed(copy, "--check").returncode == 0
    assert "https://a-class.github.io/of-rnns/report.pdf" in (copy / "README.md").read_text("utf-8")
    for path in (copy / "notebooks").iterdir():
        cell = nbformat.read(path, 4).cells[1]
        assert "git clone -q https://github.com/a-class/of-rnns project" in cell.source
        assert cell.metadata.tags == ["live-only"]
        assert len(cell.source.splitlines()) == 2
    refused = addressed(copy, "--check", repository="https://github.com/another/name")
    assert refused.returncode == 1
    assert all(name in refused.stderr for name in ("README.md", *(path.name for path in NOTEBOOKS)))
    output = addressed(copy, repository="somewhere/a/of-rnns").stderr
    assert (
        output == "pyproject.toml: Repository must be like https://github.com/name/project, got somewhere/a/of-rnns\n"
    )


def test_without_an_address_nothing_leads_to_it(copy):
    before = {path: path.read_text("utf-8") for path in [copy / "README.md", *(copy / "notebooks").iterdir()]}
    assert addressed(copy, repository="https://github.com/a-class/of-rnns").returncode == 0
    assert addressed(copy, repository="").returncode == 0
    assert before == {path: path.read_text("utf-8") for path in before}, "what was there before any address"
    assert not any("a-class" in text or "YOUR_NAME" in text for text in before.values())


def test_the_cell_for_colab_does_nothing_elsewhere():
    line = address.CELL.format(address="https://github.com/nobody/nothing").splitlines()[1]
    elsewhere = {key: value for key, value in os.environ.items() if key != "COLAB_RELEASE_TAG"}
    ran = subprocess.run(["bash", "-c", line.removeprefix("!")], env=elsewhere, capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


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
    assert choices == {"state", "batch size"}
    assert all(f'"{name}"' in (ROOT / "report" / "measure" / "choices.py").read_text("utf-8") for name in choices)


def test_every_notebook_stands_on_the_start_page_and_in_readme():
    for page in ("README.md", "notebooks/index.ipynb"):
        assert set(re.findall(r"(\w+)\.ipynb\)", (ROOT / page).read_text("utf-8"))) >= {path.stem for path in NOTEBOOKS}


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
