"""Execute notebooks, as many at a time as asked for, and write each with its outputs, in one piece or not at all.

    python report/execute.py build notebooks/01_x.ipynb notebooks/02_y.ipynb [JOBS=2] [CORPUS=path] [QUICK=1]

Where only sentences have changed since the last time, the outputs are kept and nothing is executed; new sentences of
`%%prose` cells get the values that were kept. When a cell has failed no other notebook is begun.
"""

import contextlib
import hashlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import active_children, forkserver, get_context, parent_process
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

ROOT = Path(__file__).resolve().parent.parent
# Kernels are forked from a process that has imported what notebooks use: that takes longer than most notebooks. The
# libraries of macOS are not made for it.
CONTEXT = get_context("forkserver" if sys.platform == "linux" else "spawn")
if __name__ == "__main__" and sys.platform == "linux":
    CONTEXT.set_forkserver_preload(["report.preload"])
    with contextlib.chdir(ROOT):
        forkserver.ensure_running()  # it imports while this process does
sys.modules["rfc3987_syntax"] = None  # as in preload.py

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell

from report.show import prose


class Kernel(CONTEXT.Process):
    """A notebook's kernel, and what jupyter_client wants of a `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, arguments, folder, environment):
        """Take what the command line, the working folder and the environment are to be."""
        super().__init__()
        self.arguments, self.folder, self.environment = arguments, folder, environment

    def run(self):
        """Serve the notebook, as `python -m ipykernel_launcher` does, for as long as its parent lives."""
        from ipykernel.kernelapp import IPKernelApp

        os.setsid()  # an interrupt in the terminal is for the parent
        os.chdir(self.folder)
        os.environ |= self.environment
        sys.path.remove(str(ROOT / "report"))
        Thread(target=_end_with, args=(parent_process(),), daemon=True).start()
        # without a parent ipykernel says how to end it by hand
        IPKernelApp.launch_instance([*self.arguments, f"--IPKernelApp.parent_handle={os.getppid()}"])

    def poll(self):
        """Return the exit code, or None while the kernel runs."""
        return self.exitcode

    def wait(self):
        """Wait for the kernel's end, and return the exit code."""
        self.join()
        return self.exitcode

    def send_signal(self, number):
        """Send a signal."""
        os.kill(self.pid, number)


def _end_with(process):
    process.join()
    os._exit(1)


class Provisioner(LocalProvisioner):
    """Kernels of the class above."""

    async def launch_kernel(self, cmd, **kwargs):
        """Begin a kernel; `cmd` is python -m ipykernel_launcher with arguments."""
        self.process = Kernel(cmd[3:], kwargs["cwd"], kwargs["env"])
        self.process.start()
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class KernelManager(AsyncKernelManager):
    """A manager of such kernels, which speaks with them through files: a port that is free may soon be another's."""

    def __init__(self, **kwargs):
        """Make a folder for the files; the names of such files must be short."""
        self.files = TemporaryDirectory(prefix="kernel-", ignore_cleanup_errors=True)
        super().__init__(transport="ipc", ip=f"{self.files.name}/k", **kwargs)

    async def _async_pre_start_kernel(self, **kw):
        self.provisioner = Provisioner(kernel_id=self.kernel_id, kernel_spec=self.kernel_spec, parent=self)
        return await super()._async_pre_start_kernel(**kw)


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
    began = time.monotonic()
    notebook = nbformat.read(source, as_version=4)
    if parameters:
        with_parameters(notebook, parameters)
    made_from = fingerprint(source, parameters)
    executed = nbformat.read(target, as_version=4) if target.exists() else None
    if executed and executed.metadata.get("made_from") == made_from:
        if [cell.source for cell in notebook.cells] == [cell.source for cell in executed.cells]:
            return
        print(f"{source.name}: only sentences have changed, the outputs are kept", flush=True)
        keep_outputs(notebook, executed)
    else:
        print(f"{source.name} ...", flush=True)
        run(notebook, source, target.with_suffix(".failed.ipynb"))
    notebook.metadata["made_from"] = made_from
    part = target.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(target)
    print(f"notebooks/{source.name}: {time.monotonic() - began:.0f} s", flush=True)


def run(notebook, source, failed):
    """Execute a notebook in place; on a failed cell, end with its traceback, and write what there is to `failed`."""
    failed.unlink(missing_ok=True)
    client = Client(
        notebook,
        kernel_manager_class=KernelManager,
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
    parameters = dict(argument.split("=", 1) for argument in sys.argv[1:] if "=" in argument)
    folder, *sources = (Path(argument).resolve() for argument in sys.argv[1:] if "=" not in argument)
    folder.mkdir(parents=True, exist_ok=True)
    jobs = int(parameters.pop("JOBS", 1))
    if "QUICK" in parameters:
        parameters["QUICK"] = True
    if "CORPUS" in parameters:
        parameters["CORPUS"] = str(Path(parameters["CORPUS"]).resolve())
    failed = []

    def one(source):
        try:
            if not failed:
                execute(source, folder / source.name, parameters)
        except BaseException as failure:
            failed.append(source)
            if not isinstance(failure, SystemExit):
                raise
            print(failure, file=sys.stderr)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(one, sources))
        except KeyboardInterrupt:
            failed = sources
            for kernel in active_children():
                kernel.terminate()
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
