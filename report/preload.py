"""What a notebook's kernel finds imported: execute.py forks kernels from a process that has imported this."""

import importlib
import sys

sys.modules["rfc3987_syntax"] = None  # jsonschema goes without: it takes two seconds to import
for module in ("ipykernel.kernelapp", "nbclient", "pandas", "rnn.show.plots", "rnn.training"):
    importlib.import_module(module)
