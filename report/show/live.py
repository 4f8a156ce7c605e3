"""A loss curve that grows while a network is trained."""

import contextlib
import time

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display

from report.show.outputs import svg_of, themed
from report.show.plots import thinned


@contextlib.contextmanager
def live_loss(every=1.0, parts=400):
    """Show a loss curve that grows: yield a function for `training.train` to call; the curve goes when it is done.

    It is drawn anew every so many seconds, from at most about so many parts.
    """
    shown_at, steps, means = time.monotonic(), [], []
    handle = display(HTML(""), display_id=True)

    def watch(step, losses):
        nonlocal shown_at
        pieces = np.array_split(losses, min(parts, len(losses)) if len(losses) > 20_000 else 1)
        ends = step - len(losses) + np.cumsum([len(piece) for piece in pieces])
        steps.extend(ends)
        means.extend(piece.mean() for piece in pieces)
        if handle and time.monotonic() - shown_at > every:
            handle.update(HTML(_drawn(np.array(steps), np.array(means))))
            shown_at = time.monotonic()

    try:
        yield watch
    finally:
        if handle:
            handle.update(HTML(""))


def _drawn(steps, means):
    fig, ax = plt.subplots(figsize=(6, 2.6))
    shown = thinned(len(steps), 1000)
    ax.plot(steps[shown], means[shown])
    ax.set(xlabel="training step", ylabel="loss (nats per sequence)")
    svg = svg_of(fig, "path")
    plt.close(fig)
    return themed(svg)
