"""What a notebook's kernel finds imported: execute.py forks kernels from a process that has imported this.

Run as a program it also reads what renders the report: from a disk that takes longer than the rendering.
"""

import importlib.util
import sys
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # jsonschema goes without: it takes two seconds to import
for module in ("ipykernel.kernelapp", "nbclient", "pandas", "rnn.show.plots", "rnn.training"):
    importlib.import_module(module)
if __name__ == "__main__":
    for program in ("pypandoc", "typst"):
        for path in filter(Path.is_file, Path(importlib.util.find_spec(program).origin).parent.rglob("*")):
            path.read_bytes()
