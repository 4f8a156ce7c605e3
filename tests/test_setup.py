import shutil
import subprocess
import sys
from importlib.metadata import distributions

import pytest

from tests.conftest import ROOT, make
from tools import hosted, plan, setup


@pytest.fixture
def copy(tmp_path):
    """A folder with what setting up needs."""
    folder = tmp_path / """a folder's "name" $HOME"""
    for name in ("rnn", "report", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Makefile", "package.json", "package-lock.json", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "01_x.ipynb").touch()
    return folder


def test_without_a_network_npm_gets_a_sentence_with_its_own_last_error(copy):
    settings = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_fetch_retries": "0", "NODE_ENV": "production"}
    result = make("npm", f"ENV={sys.prefix}", cwd=copy, **settings, npm_config_cache=str(copy / "cache"))
    assert result.returncode != 0
    assert "could not be installed: there is no network (" in result.stderr
    assert "ECONNREFUSED" in result.stderr
    assert not (copy / "node_modules" / "ready").exists()


def test_npm_does_not_empty_what_node_modules_leads_to(copy, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "precious").touch()
    (copy / "node_modules").symlink_to(tmp_path / "elsewhere")
    result = make("npm", f"ENV={sys.prefix}", cwd=copy)
    assert result.returncode != 0
    assert "node_modules is a link" in result.stderr
    assert (tmp_path / "elsewhere" / "precious").exists()


@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("The virtual environment was not created successfully because ensurepip is not\navailable.", "no venv module"),
        (
            "x\nERROR: No matching distribution found for typst==0.14.9",
            f"no wheel for {setup.MACHINE} (ERROR: ",
        ),
        ("WARNING: Retrying: Temporary failure in name resolution", "there is no network"),
        ("code EACCES\nsyscall mkdir", "cannot be written"),
        ("Segmentation fault", "the tool says (Segmentation fault)"),
    ],
)
def test_each_cause_has_its_own_sentence(output, cause):
    assert cause in setup.failure("The packages", output)


def test_a_missing_wheel_is_named_with_the_machine(monkeypatch):
    monkeypatch.setattr(setup, "run", lambda *_: (1, "ERROR: No matching distribution found for numba==1"))
    with pytest.raises(SystemExit, match=rf"there is no wheel for {setup.MACHINE} \(.*numba==1\)"):
        setup.install("python")


def test_a_python_that_is_too_old_or_missing_gets_a_sentence():
    for python in ("false", "no-such-python"):
        assert "Python 3.11 or newer is needed: make PYTHON=" in make("setup", f"PYTHON={python}").stderr
    assert "is needed" not in make("setup", "CHAPTERS=77").stderr


def test_what_cannot_be_written_is_named_with_its_owner(tmp_path, monkeypatch):
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    setup.refuse_what_cannot_be_written()
    (tmp_path / "runs").touch()
    with pytest.raises(SystemExit, match=r"runs is a file, and make needs a folder of this name"):
        setup.refuse_what_cannot_be_written()
    (tmp_path / "runs").unlink()
    monkeypatch.setattr(setup.os, "access", lambda *_: False)  # which root never sees
    with pytest.raises(SystemExit, match=f"You may not write to {tmp_path}, which belongs to {tmp_path.owner()}: copy"):
        setup.refuse_what_cannot_be_written()
    monkeypatch.setattr(setup.Path, "owner", lambda _: {}["1234"])
    with pytest.raises(SystemExit, match=f"which belongs to user {tmp_path.stat().st_uid}: copy"):
        setup.refuse_what_cannot_be_written()


def test_a_script_runs_the_python_beside_it_in_a_copied_or_moved_folder(tmp_path, monkeypatch):
    venv = tmp_path / "old folder" / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    body = "import sys\nprint(sys.prefix)\n"
    for name, first in (
        ("plain", f"#!{venv}/bin/python3"),
        ("quoted", f"#!/bin/sh\n'''exec' \"{venv}/bin/python\" \"$0\" \"$@\"\n' '''"),
    ):
        (venv / "bin" / name).write_text(f"{first}\n{body}")
        (venv / "bin" / name).chmod(0o755)
    monkeypatch.setattr(setup, "VENV", venv)
    for script in list((venv / "bin").iterdir()):
        setup.make_movable(script)
    moved = venv.parent.rename(tmp_path / """a "new" $folder""") / ".venv"
    for name in ("plain", "quoted"):
        assert subprocess.check_output([moved / "bin" / name], text=True).strip() == str(moved)
    activated = 'source "$0/bin/activate"; echo "$VIRTUAL_ENV"'
    assert subprocess.check_output(["bash", "-c", activated, moved], text=True).strip() == str(moved)


def test_what_is_installed_is_known_by_content_not_by_the_times_of_files(tmp_path):
    """A copied folder has other times; and after `git pull` another lock is another lock."""
    lock, folder = tmp_path / "lock", tmp_path / "venv"
    folder.mkdir()
    lock.write_text("a==1")
    assert not setup.is_installed(folder, lock)
    (folder / "ready").write_text(setup.fingerprint(lock))
    lock.write_text("a==1")
    assert setup.is_installed(folder, lock)
    lock.write_text("a==2")
    assert not setup.is_installed(folder, lock)


def test_hosted_adds_what_is_missing_and_what_that_brings():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    entries = hosted.to_install(
        lock, ["anywidget", "numpy"], is_there=lambda name: name != "anywidget" and name != "psygnal"
    )
    assert [entry.split("==")[0] for entry in entries] == ["anywidget", "psygnal"]
    assert all("--hash=sha256:" in entry for entry in entries)
    everything = {distribution.name.lower().replace("_", "-") for distribution in distributions()}
    assert hosted.to_install(lock, ["numpy"], is_there=everything.__contains__) == []


def test_the_folder_of_a_text_follows_its_content_also_below_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "my text.txt").write_text("one")
    first = plan.text_folder("~/my text.txt")
    (tmp_path / "my text.txt").write_text("two")
    assert plan.text_folder("~/my text.txt") != first
    assert first.startswith("my_text-")
    assert plan.text_folder(tmp_path / "my text.txt", joined=True) == f"{plan.text_folder('~/my text.txt')}-joined"


@pytest.mark.parametrize(("quick", "folder"), [("1", "quick"), ("0", ""), ("no", ""), ("false", ""), ("", "")])
def test_quick_is_switched_off_by_zero_no_and_false(quick, folder):
    output = make("-n", "report", f"QUICK={quick}", f"JOIN_LINES={quick}", "CORPUS=README.md").stdout
    assert ("/quick/report.html" in output) == bool(folder)
    assert ("build/joined/" in output) == bool(folder)


def test_a_choice_of_chapters_has_a_folder_of_its_own():
    output = make("-n", "report", "CHAPTERS=01-02").stdout
    assert "build/chapters-01-02/report.html" in output
    refused = make("-n", "report", "CHAPTERS=77")
    assert refused.returncode != 0
    assert "CHAPTERS: no notebook has a number in 77" in refused.stderr
