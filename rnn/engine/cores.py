"""The number of cores for this process. Standard library only: make runs this before anything is installed."""

import contextlib
import os
from pathlib import Path


def cores(root="/"):
    """Return the number of cores that this process may use. A container may have fewer than its machine."""
    n = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([n, *_quotas(Path(root))]))


def _quotas(root):
    """Yield the limits that Linux control groups (version 1 or 2) set, in cores."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for number, controllers, path in (line.split(":", 2) for line in lines):
        group = root / "sys/fs/cgroup" / ("cpu" if number != "0" else "") / path.lstrip("/")
        if number != "0" and "cpu" not in controllers.split(","):
            continue
        for folder in (group, *group.parents):
            with contextlib.suppress(OSError, ValueError):
                if number == "0":
                    quota, period = (folder / "cpu.max").read_text().split()
                else:
                    quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
                if int(quota) > 0:
                    yield -(-int(quota) // int(period))
