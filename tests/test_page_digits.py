import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

NODE = Path(sys.prefix) / "bin" / "node"
WRITTEN = {  # with three digits that count
    "0": "0",
    "-0.25": "−0.250",
    "0.001": "0.00100",
    "0.00099": "9.9\u00a0×\u00a010⁻⁴",
    "-1.26e-12": "−1.3\u00a0×\u00a010⁻¹²",
    "22": "22",
    "299957": "299,957",
    "999.7": "1,000",
    "1234.5": "1,235",
    "12345.6": "12,346",
    "-7312345678.9": "−7.3\u00a0×\u00a010⁹",
    "NaN": "NaN",
    "-Infinity": "−∞",
}


def test_numbers_are_written_as_one_writes_them():
    script = f"""
        import {{ inDigits }} from "{(ROOT / "web" / "digits.mjs").as_uri()}";
        process.stdout.write(JSON.stringify([{", ".join(WRITTEN)}].map((x) => inDigits(x))));
    """
    command = [NODE, "--input-type=module", "--eval", script]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert dict(zip(WRITTEN, json.loads(run.stdout), strict=True)) == WRITTEN
