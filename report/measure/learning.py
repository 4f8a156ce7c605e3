"""Tables of training losses: after single steps, at the end of each epoch, and of extended runs."""

import numpy as np
import pandas as pd


def losses_after(losses, T, steps):
    """Return a DataFrame of single losses: of the first step, of the steps {label: number}, and of the last step.

    Steps that are not between the first and the last are left out. `losses` are in nats per sequence of T characters.
    """
    inside = {label: n for label, n in steps.items() if 1 < n < len(losses)}
    taken = {"the first step": 1, **inside, "the last step": len(losses)}
    nats = np.array([losses[n - 1] for n in taken.values()])
    return pd.DataFrame(
        {
            "after": list(taken),
            "steps": list(taken.values()),
            "nats per sequence": nats,
            "bits per character": nats / T / np.log(2),
        }
    )


def epoch_table(run, smoothed, validation, per_epoch):
    """Return a DataFrame of the losses of a `Run` with a row for the end of each epoch, and for the end of the run.

    `smoothed` is {alpha: smoothed loss of every step}, and `validation` the bits per character at each snapshot. Where
    there is no snapshot, the validation loss is NaN. The training losses are in nats per sequence.
    """
    steps = len(run.losses)
    ends = [*range(per_epoch, steps, per_epoch), steps]
    epochs = [run.losses[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    mean = np.array([losses.mean() for losses in epochs])
    bits = dict(zip(run.snapshots, validation, strict=True))
    last = np.array(ends) - 1
    return pd.DataFrame(
        {
            "epoch": [f"{end / per_epoch:.3g}" for end in ends],
            "steps": ends,
            **{f"smoothed, α = {alpha}": curve[last] for alpha, curve in smoothed.items()},
            "mean of the epoch": mean,
            "the same, bits per character": mean / run.config.T / np.log(2),
            "validation, bits per character": [bits.get(run.first_step + end, np.nan) for end in ends],
        }
    )


def extension_table(losses, smoothed, validation, per_epoch):
    """Return a DataFrame with a row for each of the runs {label: losses of all steps}.

    `smoothed` is {label: last smoothed loss}, and `validation` is {label: bits per character after the last step}.
    """
    return pd.DataFrame(
        {
            "steps": {label: len(curve) for label, curve in losses.items()},
            "smoothed, α = 0.999": smoothed,
            "mean of the last epoch": {label: curve[-per_epoch:].mean() for label, curve in losses.items()},
            "validation, bits per character": validation,
        }
    ).rename_axis("training")
