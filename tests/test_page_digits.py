import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

NODE = Path(sys.prefix) / "bin" / "node"
NUMBERS = {  # with three digits that count
    "0": "0",
    "-0": "0",
    "-0.25": "−0.250",
    "0.001": "0.00100",
    "0.00099": "9.9\u00a0×\u00a010⁻⁴",
    "-1.26e-12": "−1.3\u00a0×\u00a010⁻¹²",
    "22": "22",
    "299957": "299,957",
    "999.7": "1,000",
    "1234.5": "1,235",
    "12345.6": "12,346",
    "1310000.5": "1.3\u00a0×\u00a010⁶",
    "-7312345678.9": "−7.3\u00a0×\u00a010⁹",
    "NaN": "NaN",
    "-Infinity": "−∞",
}


SHARES = {
    "0": "0%",
    "0.5": "50%",
    "0.0123": "1.2%",
    "0.00001": "0.0010%",
    "9e-82": "<0.0001%",
}


@pytest.mark.parametrize(("function", "written"), [("inDigits", NUMBERS), ("percent", SHARES)])
def test_numbers_are_written_as_one_writes_them(function, written):
    script = f"""
        import {{ {function} }} from "{(ROOT / "web" / "digits.mjs").as_uri()}";
        process.stdout.write(JSON.stringify([{", ".join(written)}].map((x) => {function}(x))));
    """
    command = [NODE, "--input-type=module", "--eval", script]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert dict(zip(written, json.loads(run.stdout), strict=True)) == written
