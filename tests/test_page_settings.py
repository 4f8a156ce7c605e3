import json
import subprocess
import sys
from pathlib import Path

import pytest

from report.show import web
from tests.conftest import ROOT

NODE = Path(sys.prefix) / "bin" / "node"
VALUES = [
    0,
    -1,
    1,
    0.5,
    2.5,
    3,
    100,
    1000,
    1001,
    1e6,
    1e9,
    1e300,
    -0.5,
    None,
    True,
    False,
    "",
    "1x",
    "adam",
    "nan",
    "inf",
]
VALUES += ["surprise", "unit 7", "unit 1000", "unit", "red"]


def in_javascript(asked):
    command = [NODE, ROOT / "tests" / "settings.mjs"]
    run = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_the_page_and_python_check_settings_by_the_same_table():
    asked = [(name, value) for name in web.SETTINGS for value in VALUES]
    for (name, value), sentence in zip(asked, in_javascript(asked), strict=True):
        ours = web.complaint(name, float(value) if value in ("nan", "inf") else value)
        assert bool(sentence) == bool(ours), f"{name} = {value!r}: {sentence or 'right'} there, {ours or 'right'} here"


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("T", [0, -1, 2.5, None, 1001], [1, 25, 1000]),
        ("rate", [0, -1, None, "nan", "inf"], [0.1, 1e-9, 1e6]),
        ("step", [-5, 1e300, 0.5, None], [0, 299_957]),
        ("clip", [0, -1, "nan"], [5, None]),
        ("m", [0, 1001, None], [1, 1000]),
        ("seed", [None, -1, 0.5, ""], [0, 7]),
        ("temperature", [0, -1, "nan", "inf", None], [0.05, 2]),
        ("length", [1e9, -1, 0.5], [0, 500]),
    ],
)
def test_what_each_setting_may_be(name, wrong, right):
    assert all(in_javascript([(name, value) for value in wrong]))
    assert not any(in_javascript([(name, value) for value in right]))


def test_bytes_come_as_views_buffers_and_text():
    code = f"""
const {{ bytes }} = await import("{(ROOT / "web" / "network.mjs").as_uri()}");
const {{ buffer }} = new Float32Array([1, 2, 3]);
const text = Buffer.from(buffer).toString("base64");
console.log([new DataView(buffer), new Uint8Array(buffer), buffer, text].map((from) => bytes(from).join()).join(" "));
"""
    run = subprocess.run([NODE, "--input-type=module", "-e", code], capture_output=True, text=True, check=True)
    assert len(set(run.stdout.split())) == 1
    assert run.stdout.split()[0].count(",") == 11
