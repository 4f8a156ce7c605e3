import os
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent


def make(*arguments):
    """Run make in the project's folder and return what it said."""
    environment = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, env=environment)


class Built(NamedTuple):
    folder: Path
    said: str

    @property
    def html(self):
        return (self.folder / "report.html").read_text("utf-8")


def build(*arguments):
    result = make("report", "QUICK=1", *arguments)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return Built((ROOT / result.stdout.split("The report is in ")[1].split()[0]).parent, result.stdout)


@pytest.fixture(scope="session")
def report():
    """The rehearsal of the whole report on the default text: every notebook executed in quick mode."""
    return build()


HOSTILE = """<script>document.title = "hacked"</script> & <b>bold</b> $x_1$ `code` ``` ~~~ :::
{.texts} [link](#x) *stars* _ # + - 1.
שלום עולם مرحبا Все счастливые 🐳👩‍🚀 白鯨 {braces} \\backslash \\alpha "quotes" 'single' %d %s |pipe| @fig ^up^ ~down~
"""


@pytest.fixture(scope="session")
def hostile_report(tmp_path_factory):
    """The rehearsal on a text that is made of markup, several scripts, and hundreds of Chinese characters."""
    chinese = "".join(map(chr, range(0x4E00, 0x4E00 + 500)))
    path = tmp_path_factory.mktemp("texts") / "a hostile text.txt"
    path.write_text((HOSTILE * 10 + chinese + "\n" + "x" * 300 + "\n") * 5, "utf-8")
    return build(f"CORPUS={path}")
