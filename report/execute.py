"""Execute notebooks, several at a time, and write each with its outputs once all of it has run.

    python -m report.execute build notebooks/01_x.ipynb notebooks/02_y.ipynb [JOBS=2] [CORPUS=path] [QUICK=1]

If only sentences have changed since the last time, nothing is executed: the outputs are kept, and `%%prose` cells are
filled with the kept values. After a cell has failed, no further notebook is started.
"""

import hashlib
import os
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from nbformat.v4 import new_code_cell

from report import notebooks
from report.lifeline import end_with_make
from report.show import prose

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ("rnn", "report/measure", "report/show")  # what a notebook imports
OVERWRITES = re.compile(r"\r(?!\n)")  # what a command prints with "!" has "\r\n" at the end of its lines
LONGEST_SOCKET = 90  # characters of a socket's path; the system's limit is 103 or 107


class Client(NotebookClient):
    """A client that shows the progress of cells in the terminal and keeps it out of the notebook."""

    def process_message(self, msg, cell, cell_index):
        """Print progress (standard error, and lines that overwrite themselves) to the terminal; the rest is output."""
        content = msg["content"]
        if msg["msg_type"] == "stream" and (content["name"] == "stderr" or OVERWRITES.search(content["text"])):
            sys.stderr.write(content["text"])
            sys.stderr.flush()
            return None
        return super().process_message(msg, cell, cell_index)


class Kernels:
    """Kernels that listen on files in a private folder. Any user of the machine could connect to a port."""

    def __init__(self):
        """Make the folder, at a place where the paths of sockets are short enough."""
        short = len(tempfile.gettempdir()) < LONGEST_SOCKET - len("/rnn-12345678/99.json.pipe")
        self.folder = tempfile.TemporaryDirectory(prefix="rnn-", dir=None if short else "/tmp")
        self.numbers = count()

    def manager(self):
        """Return the manager of a new kernel."""
        name = f"{self.folder.name}/{next(self.numbers)}"
        made = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=name, connection_file=f"{name}.json")
        made.kernel_spec.argv = [sys.executable, "-m", "report.kernel", "-f", "{connection_file}"]
        return made


def fingerprint(notebook, parameters):
    """Return a hash of what decides the outputs: parameters, packages, code, and the expressions in `%%prose` cells."""
    digest = hashlib.sha256(repr(sorted(parameters.items())).encode())
    for path in sorted(path for folder in PACKAGE for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    for cell in notebooks.code_cells(notebook):
        digest.update(repr(prose.expressions(cell.source) if is_prose(cell) else cell.source).encode())
    return digest.hexdigest()


def is_prose(cell):
    """Whether a cell is `%%prose`."""
    return cell.source.startswith("%%prose")


def written(notebook):
    """Return what is written into the cells of a notebook, and their tags."""
    return [(cell.source, cell.metadata.get("tags", [])) for cell in notebook.cells]


def keep_outputs(notebook, executed):
    """Copy the outputs of `executed` to `notebook`, in place, and fill its `%%prose` again. Only words may differ."""
    for cell, old in zip(notebooks.code_cells(notebook), notebooks.code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = old.outputs, old.execution_count
        if is_prose(cell):
            data = next(output.data for output in cell.outputs if prose.KEPT in output.get("data", {}))
            data |= prose.bundle(cell.source.partition("\n")[2], data[prose.KEPT])


def with_parameters(notebook, parameters, name):
    """Insert a cell that sets `parameters` after the cell tagged `parameters`, as papermill does."""
    for index, cell in enumerate(notebook.cells):
        if "parameters" in cell.metadata.get("tags", []):
            lines = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
            injected = new_code_cell(lines, id="injected", metadata={"tags": ["injected-parameters"]})
            notebook.cells.insert(index + 1, injected)
            return
    raise SystemExit(f"{name}: no cell is tagged `parameters`: tag the cell that sets CORPUS and QUICK.")


def execute(source, target, parameters, kernels):
    """Execute `source` and write `target`. If a cell fails, exit with its traceback and keep what has run so far."""
    began = time.monotonic()
    notebook = notebooks.read(source)
    made_from = fingerprint(notebook, parameters)
    if parameters:
        with_parameters(notebook, parameters, source.name)
    executed = notebooks.read(target) if target.exists() else None
    if executed and executed.metadata.get("made_from") == made_from:
        if written(notebook) == written(executed):
            return
        print(f"{source.name}: only sentences have changed, the outputs are kept", flush=True)
        keep_outputs(notebook, executed)
    else:
        print(f"{source.name} ...", flush=True)
        run(notebook, source, target.with_suffix(".failed.ipynb"), kernels.manager())
    notebook.metadata["made_from"] = made_from
    part = target.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(target)
    print(f"notebooks/{source.name}: {time.monotonic() - began:.0f} s", flush=True)


def run(notebook, source, failed, manager):
    """Execute a notebook in place. If a cell fails, write what has run to `failed` and exit with the traceback."""
    failed.unlink(missing_ok=True)
    client = Client(
        notebook,
        km=manager,
        timeout=None,
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(source.parent)}},
    )
    try:
        client.execute(cleanup_kc=True)
    except CellExecutionError as error:
        nbformat.write(notebook, failed)
        number, cell = next((n, c) for n, c in enumerate(notebook.cells, 1) if _raised(c))
        sys.exit(
            f"\n{error.traceback}\n"
            f"{source.name} stopped in cell {number} ({cell.id}): {error.ename}: {error.evalue}\n"
            f"The cells before it, with their outputs, are in {_relative(failed)}."
        )
    except DeadKernelError:
        sys.exit(f"{source.name} stopped: its kernel died. The memory may be full.")
    CoalesceStreamsPreprocessor().preprocess(notebook, {})  # what a cell prints slowly is one output
    notebook.metadata.pop("widgets", None)


def _raised(cell):
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _relative(path):
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main():
    """Read the command line and execute the notebooks."""
    end_with_make()
    parameters = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    folder, *sources = (Path(argument).resolve() for argument in sys.argv[1:] if "=" not in argument)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = int(parameters.pop("JOBS", 1))
    if parameters.pop("QUICK", "0").lower() not in ("", "0", "no", "off", "false"):
        parameters["QUICK"] = True
    if "CORPUS" in parameters:
        parameters["CORPUS"] = str(Path(parameters["CORPUS"]).expanduser().resolve())
    # pyplot's figures become outputs, whatever backend the user's settings name
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    kernels = Kernels()
    failed = []

    def execute_one(source):
        try:
            if not failed:
                execute(source, folder / source.name, parameters, kernels)
        except BaseException as failure:
            failed.append(source)
            if not isinstance(failure, SystemExit | OSError):  # which say what is wrong: a failed cell, a full disk
                raise
            print(failure, file=sys.stderr)

    with kernels.folder, ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(execute_one, reversed(sources)))  # the study's notebooks take the longest
        except KeyboardInterrupt:
            kernels.folder.cleanup()
            os._exit(1)  # the kernels notice within a second that their parent is gone
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
