"""The loss of networks with frozen weights on held-out text, in bits per character."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from rnn import model
from rnn.engine import kernel

CONTEXT = 1_000  # characters before a held-out part that a network reads first


def network_losses(params, codes, part, h=None):
    """Return -log p (n,), in nats, of the n characters codes[part].

    The weights are frozen and the state is carried along. From the state `h` (m,) (None: zero) the network first reads
    the `CONTEXT` characters before the part.
    """
    h = np.zeros_like(params.b) if h is None else h
    losses = kernel.evaluate(params, h, codes[max(0, part.start - CONTEXT) : part.stop])
    return losses[part.start - part.stop :]


def bits(run, codes, part, step=None):
    """Return the bits (n,) that the network of a `Run` needs for each character of codes[part].

    The weights are frozen after `step` steps (None: the last), and the network starts from the state of training.
    """
    state = run.state(step)
    return network_losses(state.params, codes, part, state.h[-1]) / np.log(2)


def late_steps(run):
    """Return the snapshots in a run's last epoch, or in its second half if it has fewer than two epochs."""
    span = len(run.losses) / max(2, run.config.epochs)
    return [step for step in run.snapshots if run.last_step - step < span] or [run.last_step]


def late_bits(run, codes, part):
    """Return the bits (n,) for each character of codes[part], as the mean over the snapshots of a run's last epoch.

    The weights of a snapshot have just learned from one place in the text. At the end of an epoch the held-out parts
    continue that place, which lowers their loss (chapter 6). A mean over many places compares runs fairly.
    """
    return np.mean([bits(run, codes, part, step) for step in late_steps(run)], axis=0)


def best(runs, codes, part):
    """Return the configuration of {config: `Run`} with the lowest mean of `late_bits` on codes[part]."""
    return min(runs, key=lambda config: late_bits(runs[config], codes, part).mean())


def bits_of_all(runs, codes, part):
    """Return a list of the `bits` of several runs after their last step, computed on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda run: bits(run, codes, part), runs))


def learning_curve(run, codes, part, steps=None):
    """Return the mean bits per character of codes[part] with the weights of each of `steps` (None: all snapshots)."""
    steps = run.snapshots if steps is None else steps
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.array(list(pool.map(lambda step: bits(run, codes, part, step).mean(), steps)))


def losses_of_training(runs, codes, parts):
    """Return a DataFrame of bits per character with a row for each run, while the weights change and with frozen ones.

    `parts` is the `Split` of the text. The end of the training text is as long as the test part, or one epoch.
    """
    rows = []
    for run in runs:
        T = run.config.T
        per_epoch = int(len(run.losses) / max(1, run.config.epochs))
        last = run.losses[-per_epoch:] / T / np.log(2)  # one epoch, or half of one in a run of half an epoch
        n = min(len(last), max(1, (parts.test.stop - parts.test.start) // T))
        end = parts.train.codes[: per_epoch * T + 1].size
        rows.append(
            {
                "training, mean of the last epoch": last.mean(),
                "end of the training text, while training": last[-n:].mean(),
                "end of the training text, frozen": bits(run, codes, slice(end - n * T, end)).mean(),
                "validation part, frozen": bits(run, codes, parts.validation).mean(),
                "test part, frozen": bits(run, codes, parts.test).mean(),
                "test part, mean over the last epoch": late_bits(run, codes, parts.test).mean(),
            }
        )
    return pd.DataFrame(rows)


def by_stopping_place(runs, codes, part):
    """Return a Series {place in (0, 1]: bits} of the loss on codes[part] by where in the epoch training stops.

    `runs` are seeds of one configuration; their losses are averaged. The bits are those at a snapshot minus their mean
    over the epoch around it, which removes the slow progress of training.
    """
    run = runs[0]
    per_epoch = len(run.losses) / max(1, run.config.epochs)
    steps = np.array([step for step in run.snapshots if step >= per_epoch])
    losses = np.mean([learning_curve(seed_run, codes, part, steps) for seed_run in runs], axis=0)
    inside = (steps - per_epoch / 2 >= steps[0]) & (steps + per_epoch / 2 <= steps[-1])
    around = steps[inside, None] + np.linspace(-0.5, 0.5, 101) * per_epoch
    change = losses[inside] - np.interp(around, steps, losses).mean(axis=1)
    place = 1 - -steps[inside] % per_epoch / per_epoch
    return pd.Series(change, place).sort_index()


def saturation(run, codes, part):
    """Return the share of the states' components beyond ±0.99 while the network reads the beginning of the part."""
    state = run.state()
    h, _ = model.forward(state.params, codes[part][:2_000], state.h[-1])
    return float((np.abs(h[1:]) > 0.99).mean())


def cost_of_zero(params, codes, part, carried, places=100, after=200, over=100):
    """Return the bits per character (places,) that a state of zero still costs `after` characters later.

    The places are at equal distances in codes[part], and there are fewer of them if they would be closer than `over`.
    At each place the network starts from zero, reads `after` characters, and is scored on the next `over`. The cost is
    the difference of its mean bits from `carried` (n,), the `bits` of the network whose state was carried through the
    whole part. The result is empty if the part is too short.
    """
    length = after + over
    if len(carried) < length:
        return np.empty(0)
    places = min(places, (len(carried) - length) // over + 1)
    begin = np.linspace(0, len(carried) - length, places).astype(int)
    x = codes[part.start - 1 + begin[:, None] + np.arange(length + 1)]
    begun = kernel.evaluate(params, np.zeros((places, len(params.b)), params.W.dtype), x)[:, after:]
    return (begun / np.log(2) - carried[begin[:, None] + np.arange(after, length)]).mean(axis=1)


def lost_from_zero(params, codes, part, carried):
    """Return the share of up to a hundred places at which a network that starts from a state of zero gets lost.

    It is lost where `cost_of_zero` is above 1 bit per character: after 200 characters it has not recovered. NaN if the
    part is too short.
    """
    costs = cost_of_zero(params, codes, part, carried)
    return float((costs > 1).mean()) if len(costs) else np.nan
