"""Tables of training losses: after single steps, at the end of each epoch, of runs that went on."""

import numpy as np
import pandas as pd


def losses_after(losses, T, steps):
    """Return a DataFrame of single losses: the first, those after so many steps {label: steps}, the last.

    What is not after the one before it and before the end is left out. `losses` are in nats per sequence of T
    characters.
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
