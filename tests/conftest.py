import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent


def make(*arguments, cwd=ROOT, **environment):
    """Run make in a folder and return its result."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=cwd, capture_output=True, text=True, env=inherited | environment)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Let the tests that build reports run in two processes, each with its copy of the project, and begin first.

    In one are those of the report on the default text, those that leave another report behind last.
    """
    builds = [item for item in items if "project" in item.fixturenames]
    for item in builds:
        item.add_marker(pytest.mark.xdist_group("report" if "report" in item.fixturenames else "others"))
    builds.sort(key=lambda item: item.get_closest_marker("changes_the_report") is not None)
    items[:] = builds + [item for item in items if item not in builds]


@contextlib.contextmanager
def restored(*paths):
    """Undo at the end what the block does to these files. They get their times back, so that make sees no change."""
    before = [(path, path.read_bytes(), path.stat()) for path in paths]
    try:
        yield
    finally:
        for path, content, status in before:
            path.write_bytes(content)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


class Project(NamedTuple):
    """A copy of the project, with the environment of the one that is tested: tests build here, and leave no trace."""

    folder: Path

    def make(self, *arguments, **environment):
        """Run make in the copy, on the copy's own code."""
        return make(
            *arguments,
            f"ENV={sys.prefix}",
            cwd=self.folder,
            PYTHONPATH=str(self.folder),
            SOURCE_DATE_EPOCH="1790000000",
            **environment,
        )

    def report(self, *arguments):
        """Build the rehearsal of the report."""
        result = self.make("report", "QUICK=1", *arguments)
        assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
        page = self.folder / result.stdout.split("The report is in ")[1].split()[0]
        return Report(page.parent, result.stdout, arguments)


class Report(NamedTuple):
    folder: Path
    output: str
    arguments: tuple  # of make

    @property
    def html(self):
        return (self.folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="session")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("copy") / "project"
    made = (".git", ".venv*", ".*_cache", "node_modules", "build", "runs", "__pycache__", ".ipynb_checkpoints")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*made))
    # the kernel as it was compiled for these files; Numba knows by their times that they are the same
    compiled = Path("rnn") / "engine" / "__pycache__"
    shutil.copytree(ROOT / compiled, folder / compiled)
    (folder / "build").mkdir()
    for compiled in (ROOT / "build").glob("compiled-*"):
        shutil.copy2(compiled, folder / "build")
    (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return Project(folder)


@pytest.fixture(scope="session")
def report(project):
    """The rehearsal of the whole report on the default text: every notebook executed in quick mode."""
    return project.report()


HOSTILE = """<script>document.title = "hacked"</script> /* style */ “Müller” • — & <b>bold</b> $x_1$ `code` ``` ~~~ :::
{.texts} [link](#x) *stars* _ # + - 1.
שלום עולם مرحبا Все счастливые 🐳👩‍🚀 白鯨 {braces}
\x0c\x1b[31m\x85\uffff \\backslash \\alpha "quotes" 'single' %d %s |pipe| @fig ^up^ ~down~
"""


HOSTILE_NAME = (
    """a hostile"; touch PWNED; $(touch PWNED) `touch PWNED` it's <img src=x onerror=alert(1)> @cite ![x](y)"""
)


@pytest.fixture(scope="session")
def hostile_report(project, tmp_path_factory):
    """The rehearsal on a text that is made of markup, several scripts, and hundreds of Chinese characters."""
    chinese = "".join(map(chr, range(0x4E00, 0x4E00 + 350)))
    path = tmp_path_factory.mktemp("texts") / f"{HOSTILE_NAME}.txt"
    path.write_text((HOSTILE * 4 + chinese + "\n" + "x" * 300 + "\n") * 4, "utf-8")
    return project.report(f"CORPUS={path}", "CHAPTERS=01,03,04")
