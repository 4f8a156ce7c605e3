"""Search for a vanilla RNN of 100 units that adds much to a mixture of n-grams: train with several settings.

    .venv/bin/python -m benchmarks.moonshot [setting:epochs ...]

For each setting it prints a row for the last weights and one for the mean of the weights over the last third of
training: bits per character of the validation and the test part, the network's weight in a mixture with the 5- and the
8-gram, and the bits that it adds to that mixture on the test part. docs/results.md has the table.
"""

import itertools
import sys
import time

import numpy as np

from report.measure import held_out, mixtures, ngrams
from rnn import model
from rnn.corpus import read_corpus, split
from rnn.engine import training
from rnn.engine.runs import Config
from rnn.engine.threads import one_thread
from rnn.model import Params

ADAM = Config(optimizer="adam", learning_rate=0.004, decay=True, sigma=None, B=16, T=50)
FOLDS = 5  # parts of the training text; n-grams counted in all other parts predict each of them
FIRST_W = {
    "scaled": lambda W: W,
    "orthogonal": lambda W: np.linalg.qr(W)[0],
    "shifted": lambda W: np.roll(np.eye(len(W)), 1, axis=0),  # each unit takes the state of the previous unit
}
SETTINGS = {  # {name: (first W, the network's share in the mixture that is trained; None: the network alone)}
    "scaled": ("scaled", None),
    "orthogonal": ("orthogonal", None),
    "shifted": ("shifted", None),
    "mixed-0.3": ("scaled", 0.3),
    "mixed-0.1": ("scaled", 0.1),
}
TRIALS = ["scaled:14", "shifted:14", "mixed-0.3:14", "mixed-0.1:14", *(f"orthogonal:{n}" for n in (7, 14, 28, 56, 112))]


def counted(codes, K):
    """Return p (N,) of each character of a text by the 5- and the 8-gram, both counted in the other folds."""
    edges = np.linspace(0, len(codes), FOLDS + 1).astype(int)
    p = np.empty(len(codes))
    for begin, end in itertools.pairwise(edges):
        tables = ngrams.count_ngrams(np.concatenate((codes[:begin], codes[end:])), K, 8)
        losses = ngrams.ngram_losses(tables, codes, slice(begin, end), K, ngrams.kneser_ney)[[5, 8]]
        p[begin:end] = np.exp(-mixtures.mixture(losses, mixtures.best_weights(losses)))
    return p


def mixed_steps(params, memory, h, codes, step, losses, config, counting_p, share):
    """Take len(losses) steps of Adam on -log(share p_network + (1 - share) p_counting), like `training.advance`.

    `counting_p` (N,) has p_counting of each character. The losses that are written are those of the network alone.
    """
    for n, planned_step in enumerate(zip(*training.plan(config, len(codes), step, len(losses)), strict=True)):
        starts, length, reset, rate = planned_step
        if reset:
            h[:] = 0
        gradient = [np.zeros_like(theta) for theta in params]
        losses[n] = 0
        for s, start in enumerate(starts):
            x = codes[start : start + length]
            y = codes[start + 1 : start + length + 1]
            states, p = model.forward(params, x, h[s])
            h[s] = states[-1]
            losses[n] += model.cross_entropy(p, y) / config.B
            targets = np.arange(length), y
            network_p = share * p[targets]
            w = network_p / (network_p + (1 - share) * counting_p[start + 1 : start + length + 1])
            p *= w[:, None]  # p - y becomes w (p - y), where w is the network's share in the mixture's probability
            p[targets] += 1 - w
            for total, d_theta in zip(gradient, model.backward(params, x, y, states, p)[0], strict=True):
                total += d_theta / config.B
        memory.updates[0] += 1
        for theta, squares, means, g in zip(params, memory.squares, memory.means, gradient, strict=True):
            model.adam(theta, squares, means, np.clip(g, -config.clip, config.clip), rate, memory.updates[0])


def train(corpus, config, first_w, share, counting_p):
    """Return (last weights, their mean over the last third, last state (m,), training bits of the last epoch)."""
    params, memory, h = training.first_state(corpus.K, config)[:3]
    params.W[:] = FIRST_W[first_w](params.W)
    per_epoch = config.steps_per_epoch(len(corpus.codes))
    steps = config.steps(len(corpus.codes))
    snapshots = []
    all_losses = np.full(steps, np.nan)
    for step in range(0, steps, per_epoch // 4):
        losses = all_losses[step : step + per_epoch // 4]
        if share is None:
            training.advance(params, memory, h, corpus.codes, step, losses, config)
        else:
            with one_thread():
                mixed_steps(params, memory, h, corpus.codes, step, losses, config, counting_p, share)
        if 3 * step > 2 * steps:
            snapshots.append(Params(*map(np.copy, params)))
    mean = Params(*(np.mean(thetas, axis=0) for thetas in zip(*snapshots, strict=True)))
    return params, mean, h[-1], all_losses[-per_epoch:].mean() / config.T / np.log(2)


def main(trials):
    """Print the rows of each trial "setting:epochs"."""
    corpus = read_corpus()
    codes = corpus.codes
    parts = split(corpus)
    held_out_parts = (parts.validation, parts.test)
    N = len(parts.train.codes)
    tables = ngrams.count_ngrams(parts.train.codes, corpus.K, 8)
    counts = [ngrams.ngram_losses(tables, codes, part, corpus.K, ngrams.kneser_ney)[[5, 8]] for part in held_out_parts]
    control = mixtures.mixture(counts[1], mixtures.best_weights(counts[0])).mean() / np.log(2)
    print(f"5-gram and 8-gram, mixed: test {control:.4f}", flush=True)
    is_mixed = any(SETTINGS[trial.split(":")[0]][1] for trial in trials)
    counting_p = counted(parts.train.codes, corpus.K) if is_mixed else None
    for trial in trials:
        setting, epochs = trial.split(":")
        config = ADAM.replace(epochs=int(epochs))
        began = time.monotonic()
        *both, h, training_bits = train(parts.train, config, *SETTINGS[setting], counting_p)
        seconds = time.monotonic() - began
        for name, params in zip(("last", "mean"), both, strict=True):
            losses = [held_out.network_losses(params, codes, part, h) for part in held_out_parts]
            validation, test = (np.vstack(three) for three in zip(counts, losses, strict=True))
            weights = mixtures.best_weights(validation)
            added = control - mixtures.mixture(test, weights).mean() / np.log(2)
            print(
                f"{trial:14} {name} {config.epochs * N / 1e6:.0f}M read, training {training_bits:.3f}, "
                f"validation {validation[-1].mean() / np.log(2):.3f}, test {test[-1].mean() / np.log(2):.3f}, "
                f"weight {weights[-1]:.2f}, adds {added:.4f}, {seconds:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main(sys.argv[1:] or TRIALS)
