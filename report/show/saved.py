"""What a browser gives back: `read_saved("network-300.safetensors.gz")`, a network trained and saved in the page."""

import gzip
import json
import math
from pathlib import Path
from typing import NamedTuple

import safetensors.numpy

from report.show import web
from rnn.engine.runs import Config, RunError, State, trained


class Saved(NamedTuple):
    """A network that a reader has trained in the report's page and saved there."""

    state: State
    config: Config
    vocabulary: str


def read_saved(path):
    """Return the `Saved` network in a file of the report's page; raise RunError if it is damaged or something else."""
    try:
        data = gzip.decompress(Path(path).read_bytes())
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        about = json.loads(header["__metadata__"]["about"])
        settings = about["settings"]
        vocabulary = about["vocabulary"]
        for name, value in (settings | {"step": about["step"]}).items():
            if sentence := web.complaint(name, value):
                raise ValueError(sentence)
        rate = settings.pop("rate")
        clip = settings.pop("clip")
        config = Config(**settings, learning_rate=rate, clip=math.inf if clip is None else clip)
        state = State(*trained(safetensors.numpy.load(data)), about["step"])
        m, K = config.m, len(vocabulary)
        for thetas in (state.params, state.memory.squares, state.memory.means):
            if [theta.shape for theta in thetas] != [(m, m), (m, K), (K, m), (m,), (K,)]:
                raise ValueError(f"the shapes of its arrays do not fit m = {m} and K = {K}")
    except Exception as error:  # whatever a damaged file makes of gzip, JSON and safetensors
        raise RunError(f"{path} is not a network saved by the report's page, or it is damaged ({error}).") from None
    return Saved(state, config, vocabulary)
