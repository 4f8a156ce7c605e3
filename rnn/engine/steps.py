"""Steps of training, one at a time, to be looked at closely."""

from typing import NamedTuple

import numpy as np

from rnn.engine.runs import Config
from rnn.engine.training import check, first_state, model_steps, plan
from rnn.model import Params


class Step(NamedTuple):
    """One step of training, as `numpy_steps` shows it; `params` and `h` change in place with the next one."""

    number: int  # from 0
    loss: float  # in nats per sequence, before the update
    gradient: Params  # before it is clipped
    params: Params  # after the update
    h: np.ndarray  # (B, m), the states after the sequence


def numpy_steps(corpus, config=Config(), n=None):
    """Yield the first n steps of a run (all of them for None), each a `Step`, taken with the functions of `model`.

    It is for looking closely and for trying what the compiled code does not have; nothing is written.
    """
    check(corpus, config.replace(engine="numpy"))
    params, memory, h, *_ = first_state(corpus.K, config)
    these = plan(config, len(corpus.codes), 0, config.steps(len(corpus.codes)) if n is None else n)
    for number, (loss, gradient) in enumerate(model_steps(params, memory, h, corpus.codes, these, config)):
        yield Step(number, loss, gradient, params, h)
