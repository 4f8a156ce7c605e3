"""JupyterLab's settings for `make lab`: after Run All and save, `git status` is clean where only outputs have changed.

Git's filter (tools/strip.py) takes outputs for no change, but git calls a file modified by its size before it asks the
filter. Adding a file that is the same to git changes nothing but the size that git remembers.
"""

import subprocess
from pathlib import Path

from tools.strip import as_kept


def forget_outputs(os_path, **_):
    """Add a saved notebook to git if that changes nothing there."""
    path = Path(os_path)
    if path.suffix != ".ipynb":
        return
    try:
        in_git = subprocess.run(["git", "show", f":./{path.name}"], cwd=path.parent, capture_output=True)
        if in_git.returncode == 0 and in_git.stdout == as_kept(path.read_text("utf-8")).encode():
            subprocess.run(["git", "add", "--", path.name], cwd=path.parent, capture_output=True)
    except OSError:  # there is no git
        return


get_config().FileContentsManager.post_save_hook = forget_outputs  # noqa: F821, Jupyter gives it
