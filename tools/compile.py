"""Compile the kernel once, so that later processes load it from Numba's cache.

python -m tools.compile float32 FILE    training and evaluation in this type; the SHA-256 of some losses goes to FILE
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from rnn.engine import kernel
from rnn.engine.runs import Config
from rnn.engine.training import advance, first_state


def main():
    """Compile for the type on the command line."""
    dtype, file = sys.argv[1:]
    config = Config(m=20, T=10, dtype=dtype)
    codes = np.random.default_rng(0).integers(0, 9, 1_000).astype(np.uint8)
    params, memory, h, *_ = first_state(9, config)
    losses = np.empty(200)
    advance(params, memory, h, codes, 0, losses, config)
    nats = kernel.evaluate(params, h[0], codes)
    Path(file).write_text(hashlib.sha256(losses.tobytes() + nats.tobytes()).hexdigest())


if __name__ == "__main__":
    main()
