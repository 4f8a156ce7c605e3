"""JupyterLab's settings for `make lab`: it fetches neither news nor updates, and `git status` is clean after a save.

Git's filter (tools/strip.py) ignores outputs, but git first compares the file's size with the size that it remembers.
After each save the file is added to git if its text is the same. That only updates the remembered size.
"""

import subprocess
from pathlib import Path

from tools.strip import as_kept


def forget_outputs(os_path, **_):
    """Add a saved notebook to git if only its outputs have changed."""
    path = Path(os_path)
    if path.suffix != ".ipynb":
        return
    try:
        in_git = subprocess.run(["git", "show", f":./{path.name}"], cwd=path.parent, capture_output=True)
        if in_git.returncode == 0 and in_git.stdout == as_kept(path.read_text("utf-8")).encode():
            subprocess.run(["git", "add", "--", path.name], cwd=path.parent, capture_output=True)
    except OSError:  # git is not installed
        return


settings = get_config()  # noqa: F821, Jupyter gives it
settings.FileContentsManager.post_save_hook = forget_outputs
settings.LabApp.news_url = None
settings.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
