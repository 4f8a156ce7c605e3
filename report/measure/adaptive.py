"""Dynamic evaluation: a network that goes on learning from the held-out text, each character after it is predicted."""

import numpy as np

from report.measure.held_out import CONTEXT
from rnn import model
from rnn.engine import kernel
from rnn.engine.training import Plan
from rnn.model import Params

EVERY = 10  # characters that are predicted before the network learns from them
RATES = (0.0, 0.0001, 0.0002, 0.0004, 0.0008, 0.0016)  # that the learning rate is chosen among; 0 is frozen


def adaptive_losses(params, codes, part, rate, h=None, every=EVERY):
    """Return -log p (n,), in nats, of each of the n characters codes[part], from weights that learn in the part.

    Each `every` characters are predicted, and then the weights take a step of plain SGD on them, along the gradient of
    their summed loss in nats (Krause et al., 2018). The state is carried through; it begins as `h` (m,), or zero, and
    the network reads the `CONTEXT` characters before the part first, learning nothing. `params` do not change.
    """
    params, first = Params(*(theta.copy() for theta in params)), np.arange(0, part.stop - part.start, every)
    h = np.zeros_like(params.b) if h is None else h
    h = model.forward(params, codes[max(0, part.start - CONTEXT) : part.start - 1], h)[0][-1:]
    lengths, rates = np.minimum(every, part.stop - part.start - first), np.full(len(first), rate, params.W.dtype)
    plan = Plan(part.start - 1 + first[:, None], lengths, np.zeros(len(first), bool), rates)
    losses, of_characters = np.empty(len(first)), np.full((len(first), lengths.max(initial=1)), np.inf)
    kernel.advance(params, model.init_memory(params), h, codes, losses, plan, np.inf, "sgd", of_characters)
    return of_characters.reshape(-1)[: part.stop - part.start]


def best_rate(params, codes, part, h=None, rates=RATES):
    """Return the one of `rates` with the least mean of `adaptive_losses` on codes[part], of the validation part."""
    return min(rates, key=lambda rate: adaptive_losses(params, codes, part, rate, h).mean())
