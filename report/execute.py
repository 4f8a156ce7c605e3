"""Execute notebooks, several at a time, and write each with its outputs, in one piece or not at all.

    python -m report.execute build notebooks/01_x.ipynb notebooks/02_y.ipynb [JOBS=2] [CORPUS=path] [QUICK=1]

Where only sentences have changed since the last time, the outputs are kept and nothing is executed; new sentences of
`%%prose` cells get the values that were kept. When a cell has failed, no other notebook is begun.
"""

import hashlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # jsonschema goes without: it takes two seconds to import

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat.v4 import new_code_cell

from report import notebooks
from report.lifeline import end_with_make
from report.show import prose

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ("rnn", "report/measure", "report/show")  # what a notebook imports
LONGEST_SOCKET = 90  # characters of a socket's path; the system's limit is 103 or 107


class Client(NotebookClient):
    """A client that shows what cells say of their progress, as they say it, and keeps it out of the notebook."""

    def process_message(self, msg, cell, cell_index):
        """Pass progress on to the terminal: the standard error, and lines that are written over; the rest is output."""
        content = msg["content"]
        if msg["msg_type"] == "stream" and (content["name"] == "stderr" or "\r" in content["text"]):
            sys.stderr.write(content["text"])
            sys.stderr.flush()
            return None
        return super().process_message(msg, cell, cell_index)


class Kernels:
    """Kernels that listen on files in a folder of their own: to a port, every user of the machine could speak."""

    def __init__(self):
        """Make the folder, where the paths of sockets are short enough."""
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
    """Return a hash of what decides the outputs: the packages, and the notebook's code without the words of prose."""
    digest = hashlib.sha256(repr(sorted(parameters.items())).encode())
    for path in sorted(path for folder in PACKAGE for path in (ROOT / folder).rglob("*.py")):
        digest.update(path.read_bytes())
    for cell in notebooks.code_cells(notebook):
        digest.update(repr(prose.expressions(cell.source) if is_prose(cell) else cell.source).encode())
    return digest.hexdigest()


def is_prose(cell):
    """Whether a cell is Markdown with numbers in it."""
    return cell.source.startswith("%%prose")


def keep_outputs(notebook, executed):
    """Give the code cells of `notebook` the outputs of `executed`, which differs in words alone; fill prose anew."""
    for cell, old in zip(notebooks.code_cells(notebook), notebooks.code_cells(executed), strict=True):
        cell.outputs, cell.execution_count = old.outputs, old.execution_count
        if is_prose(cell):
            data = next(output.data for output in cell.outputs if prose.KEPT in output.get("data", {}))
            data |= prose.bundle(cell.source.partition("\n")[2], data[prose.KEPT])


def with_parameters(notebook, parameters):
    """Put a cell that sets `parameters` behind the cell tagged `parameters`, as papermill does."""
    for index, cell in enumerate(notebook.cells):
        if "parameters" in cell.metadata.get("tags", []):
            lines = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
            injected = new_code_cell(lines, id="injected", metadata={"tags": ["injected-parameters"]})
            notebook.cells.insert(index + 1, injected)
            return
    raise SystemExit("No cell is tagged `parameters`: tag the one that sets CORPUS and QUICK.")


def execute(source, target, parameters, kernels):
    """Execute `source` and write `target`; on a failed cell, say which, and keep what there is as `target`.failed."""
    began = time.monotonic()
    notebook = notebooks.read(source)
    made_from = fingerprint(notebook, parameters)
    if parameters:
        with_parameters(notebook, parameters)
    executed = notebooks.read(target) if target.exists() else None
    if executed and executed.metadata.get("made_from") == made_from:
        if [cell.source for cell in notebook.cells] == [cell.source for cell in executed.cells]:
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
    """Execute a notebook in place; on a failed cell, end with its traceback, and write what there is to `failed`."""
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
            f"What it had done until then is in {_relative(failed)}."
        )
    except DeadKernelError:
        sys.exit(f"{source.name} stopped: its kernel died, as it does when the memory is full.")
    notebook.metadata.pop("widgets", None)


def _raised(cell):
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _relative(path):
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main():
    """Read the command line."""
    end_with_make()
    parameters = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    folder, *sources = (Path(argument).resolve() for argument in sys.argv[1:] if "=" not in argument)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = int(parameters.pop("JOBS", 1))
    if parameters.pop("QUICK", "0").lower() not in ("", "0", "no", "off", "false"):
        parameters["QUICK"] = True
    if "CORPUS" in parameters:
        parameters["CORPUS"] = str(Path(parameters["CORPUS"]).expanduser().resolve())
    # what draws with pyplot is shown, whatever backend the user's settings name
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    kernels, failed = Kernels(), []

    def one(source):
        try:
            if not failed:
                execute(source, folder / source.name, parameters, kernels)
        except BaseException as failure:
            failed.append(source)
            if not isinstance(failure, SystemExit):
                raise
            print(failure, file=sys.stderr)

    with kernels.folder, ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(one, reversed(sources)))  # the study's notebooks take the longest
        except KeyboardInterrupt:
            kernels.folder.cleanup()
            os._exit(1)  # within a second the kernels see that their parent has gone
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
