"""Held-out text: how many bits a network with frozen weights needs for a character that it has not seen."""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from rnn import model
from rnn.engine import kernel

CONTEXT = 1_000  # characters before a held-out part that a network reads before it predicts


def network_losses(params, codes, part, h=None):
    """Return -log p (n,), in nats, of each of the n characters codes[part], from frozen weights.

    The state is carried through from character to character. It begins as `h` (m,), or zero, and the network reads the
    `CONTEXT` characters before the part first.
    """
    h = np.zeros_like(params.b) if h is None else h
    losses = kernel.evaluate(params, h, codes[max(0, part.start - CONTEXT) : part.stop])
    return losses[part.start - part.stop :]


def bits(run, codes, part, step=None):
    """Return the bits (n,) that the network of a `Run` needs for each character of codes[part].

    Its weights are frozen after `step` steps, the last for None, and it reads on from the state that training left.
    """
    state = run.state(step)
    return network_losses(state.params, codes, part, state.h[-1]) / np.log(2)


def late_steps(run):
    """Return the snapshots of a run's last epoch, or of its second half where it has fewer than two epochs."""
    span = len(run.losses) / max(2, run.config.epochs)
    return [step for step in run.snapshots if run.last_step - step < span] or [run.last_step]


def late_bits(run, codes, part):
    """Return the bits (n,) for each character of codes[part], the mean over the snapshots of a run's last epoch.

    The weights of one snapshot have just learned from one place in the text. At the end of an epoch that is the place
    which the held-out parts continue, so that they gain (chapter 6). A mean over all places compares runs fairly.
    """
    return np.mean([bits(run, codes, part, step) for step in late_steps(run)], axis=0)


def best(runs, codes, part):
    """Return the configuration of {config: `Run`} with the lowest mean of `late_bits` on codes[part]."""
    return min(runs, key=lambda config: late_bits(runs[config], codes, part).mean())


def bits_of_all(runs, codes, part):
    """Return `bits` of each of several runs after the last step, on all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda run: bits(run, codes, part), runs))


def learning_curve(run, codes, part, steps=None):
    """Return the mean bits per character of codes[part] at each of `steps`, all snapshots for None, weights frozen."""
    steps = run.snapshots if steps is None else steps
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.array(list(pool.map(lambda step: bits(run, codes, part, step).mean(), steps)))


def losses_of_training(runs, codes, parts):
    """Return bits per character, a DataFrame with a row for each run: of changing and of frozen weights.

    `parts` is the `Split` of the text. The end of the training text is as long as the test part, or one epoch.
    """
    rows = []
    for run in runs:
        T, per_epoch = run.config.T, int(len(run.losses) / max(1, run.config.epochs))
        last = run.losses[-per_epoch:] / T / np.log(2)  # one epoch, or half of one if that is all there is
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
    """Return how the loss of codes[part] depends on where in the epoch training stops: {place in (0, 1]: bits}.

    `runs` are seeds of one configuration, and their losses are averaged. The bits (a Series) are those at a snapshot
    minus their mean over the epoch around it, so that the slow fall of the loss is not in them.
    """
    run = runs[0]
    per_epoch = len(run.losses) / max(1, run.config.epochs)
    steps = np.array([step for step in run.snapshots if step >= per_epoch])
    losses = np.mean([learning_curve(of_seed, codes, part, steps) for of_seed in runs], axis=0)
    inside = (steps - per_epoch / 2 >= steps[0]) & (steps + per_epoch / 2 <= steps[-1])
    around = steps[inside, None] + np.linspace(-0.5, 0.5, 101) * per_epoch
    change = losses[inside] - np.interp(around, steps, losses).mean(axis=1)
    place = 1 - -steps[inside] % per_epoch / per_epoch
    return pd.Series(change, place).sort_index()


def saturation(run, codes, part):
    """Return the share of the states' components beyond ±0.99 while the network reads the part's first characters."""
    state = run.state()
    h, _ = model.forward(state.params, codes[part][:2_000], state.h[-1])
    return float((np.abs(h[1:]) > 0.99).mean())


def cost_of_zero(params, codes, part, carried, places=100, after=200, over=100):
    """Return the bits per character (places,) that a state of zero still costs `after` characters later.

    At each of the places, at equal distances in codes[part] but no nearer than `over`, so that they may be fewer, the
    network begins anew with a state of zero, and reads `after` characters. What counts is the mean of the bits over the
    next `over`, minus those of the network whose state was carried through the whole part, `carried` (n,), as `bits`
    returns them. Empty for a part that is shorter than that.
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
    """Return the share of up to a hundred places from which a network is lost if it begins at a state of zero.

    It is lost where `cost_of_zero` is more than 1 bit per character: it has not found back to the states in which it
    knows how to read, 200 characters later. NaN for a part that is too short.
    """
    costs = cost_of_zero(params, codes, part, carried)
    return float((costs > 1).mean()) if len(costs) else np.nan
