"""Execute one notebook and write it with its outputs, in one piece or not at all.

    python report/execute.py notebooks/01_x.ipynb build/01_x.ipynb [CORPUS=path] [QUICK=1]

Where only sentences have changed since the last time, the outputs are kept and nothing is executed; new sentences of
`%%prose` cells get the values that were kept.
"""

import hashlib
import sys
from pathlib import Path

sys.modules["rfc3987_syntax"] = None  # jsonschema goes without: it takes a second to import

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell

from rnn.show import prose

ROOT = Path(__file__).resolve().parent.parent


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


def code_of(notebook):
    """Return the code cells of a notebook."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def fingerprint(source, parameters):
    """Return a hash of what decides the outputs: the package, and the notebook's code without the words of prose."""
    digest = hashlib.sha256(repr(sorted(parameters.items())).encode())
    for path in sorted((ROOT / "rnn").rglob("*.py")):
        digest.update(path.read_bytes())
    for cell in code_of(nbformat.read(source, as_version=4)):
        digest.update(repr(prose.expressions(cell.source) if is_prose(cell) else cell.source).encode())
    return digest.hexdigest()


def is_prose(cell):
    """Whether a cell is Markdown with numbers in it."""
    return cell.source.startswith("%%prose")


def keep_outputs(notebook, executed):
    """Give the code cells of `notebook` the outputs of `executed`, which differs in words alone; fill prose anew."""
    for cell, old in zip(code_of(notebook), code_of(executed), strict=True):
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
            return notebook
    raise SystemExit("No cell is tagged `parameters`: tag the one that sets CORPUS and QUICK.")


def execute(source, target, parameters):
    """Execute `source` and write `target`; on a failed cell, say which, and keep what there is as `target`.failed."""
    notebook = nbformat.read(source, as_version=4)
    if parameters:
        with_parameters(notebook, parameters)
    made_from = fingerprint(source, parameters)
    executed = nbformat.read(target, as_version=4) if target.exists() else None
    if executed and executed.metadata.get("made_from") == made_from:
        print(f"{source.name}: only sentences have changed, the outputs are kept", flush=True)
        keep_outputs(notebook, executed)
    else:
        print(f"{source.name} ...", flush=True)
        run(notebook, source, target.with_suffix(".failed.ipynb"))
    notebook.metadata["made_from"] = made_from
    part = target.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(target)


def run(notebook, source, failed):
    """Execute a notebook in place; on a failed cell, end with its traceback, and write what there is to `failed`."""
    failed.unlink(missing_ok=True)
    client = Client(
        notebook,
        timeout=None,
        kernel_name="python3",
        record_timing=False,
        store_widget_state=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],
        resources={"metadata": {"path": str(source.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        nbformat.write(notebook, failed)
        number, cell = next((n, c) for n, c in enumerate(notebook.cells, 1) if _raised(c))
        sys.exit(
            f"\n{error.traceback}\n"
            f"{source.name} stopped in cell {number} ({cell.id}): {error.ename}: {error.evalue}\n"
            f"What it had done until then is in {_relative(failed)}."
        )
    notebook.metadata.pop("widgets", None)


def _raised(cell):
    return any(output.output_type == "error" for output in cell.get("outputs", []))


def _relative(path):
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def main():
    """Read the command line."""
    source, target = map(Path, sys.argv[1:3])
    target.parent.mkdir(parents=True, exist_ok=True)
    parameters = dict(argument.split("=", 1) for argument in sys.argv[3:])
    if "QUICK" in parameters:
        parameters["QUICK"] = True
    if "CORPUS" in parameters:
        parameters["CORPUS"] = str(Path(parameters["CORPUS"]).resolve())
    execute(source.resolve(), target.resolve(), parameters)


if __name__ == "__main__":
    main()
