"""What a notebook's kernel finds imported and begun: execute.py forks kernels from a process that has imported this.

Run as a program it also reads what renders the report: from a disk that takes longer than the rendering.
"""

import importlib.util
import sys
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # jsonschema goes without: it takes two seconds to import
for module in ("ipykernel.kernelapp", "nbclient", "pandas", "report.show.plots", "rnn.engine.training"):
    importlib.import_module(module)


def begin():
    """Do once, for all notebooks, what takes long the first time: Numba begins, typefaces are read."""
    import numpy as np
    from matplotlib.figure import Figure

    from report.show.outputs import svg_of
    from rnn.engine import kernel
    from rnn.engine.runs import Config
    from rnn.engine.training import first_state

    state, fig = first_state(2, Config(m=2)), Figure(layout="constrained")
    kernel.evaluate(state.params, state.h[0], np.zeros(2, np.uint8))
    fig.subplots().set_title("$x_1$")
    svg_of(fig, "path")


begin()
if __name__ == "__main__":
    for program in ("pypandoc", "typst"):
        for path in filter(Path.is_file, Path(importlib.util.find_spec(program).origin).parent.rglob("*")):
            path.read_bytes()
