"""Steps of training, one at a time, for a closer look."""

from typing import NamedTuple

import numpy as np

from rnn.engine.runs import Config
from rnn.engine.training import check, first_state, model_steps, plan
from rnn.model import Params


class Step(NamedTuple):
    """One step of training, from `numpy_steps`. The next step changes `params` and `h` in place."""

    number: int  # from 0
    loss: float  # in nats per sequence, before the update
    gradient: Params  # before clipping
    params: Params  # after the update
    h: np.ndarray  # (B, m), the states after the sequence


def numpy_steps(corpus, config=Config(), n=None):
    """Yield a `Step` for each of the first n steps of a run (None: all), taken with the functions of `model`.

    Use it to look inside a step, or to try what the compiled code does not have. Nothing is written to disk. Raises
    RunError if the text is too short.
    """
    check(corpus, config.replace(engine="numpy"))
    params, memory, h, *_ = first_state(corpus.K, config)
    planned = plan(config, len(corpus.codes), 0, config.steps(len(corpus.codes)) if n is None else n)
    for number, (loss, gradient) in enumerate(model_steps(params, memory, h, corpus.codes, planned, config)):
        yield Step(number, loss, gradient, params, h)
