import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ON_MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", ON_MAC))), None)
without_browser = pytest.mark.skipif(not CHROMIUM and not os.environ.get("CI"), reason="there is no Chromium here")


def seen_in_browser(report):
    assert CHROMIUM, "a test server must have Chromium"
    node = Path(sys.prefix) / "bin" / "node"
    command = [node, ROOT / "tests" / "browser.mjs", CHROMIUM, report.folder / "report.html"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@without_browser
@pytest.mark.parametrize("which", ["report", "hostile_report"])
def test_the_page_in_a_browser(request, which):
    seen = seen_in_browser(request.getfixturevalue(which))
    assert seen["requests"] == []
    assert seen["complaints"] == []
    assert seen["violations"] == []
    assert seen["wider"] == [], "a page wider than the screen"
    assert max(seen["shift"]) < 0.1
    assert seen["title"] != "hacked"
    for name, changed in seen["moved"].items():
        assert changed["text"], f"moving {name} changes the text"
        assert changed["bars"], f"moving {name} moves the bars"
    assert seen["first"] == seen["back"] == seen["again"] != seen["another"]
    assert "surprised the network by" in seen["reading"]
    assert "surprised the network by" in seen["readingByKey"]
    assert "surprised the network by" in seen["readingByTouch"]
    assert "has never seen “U+10FFFF”" in seen["unknown"]
    assert seen["kept"] == seen["again"], "what cannot be drawn leaves the text as it is"
