"""Compile the kernel once, so that later processes load it from Numba's cache.

python -m tools.compile float32 float64    training and evaluation in these types
"""

import sys

import numpy as np

from rnn.engine import kernel
from rnn.engine.runs import Config
from rnn.engine.training import advance, first_state


def main():
    """Compile for the types on the command line."""
    for dtype in sys.argv[1:]:
        config = Config(m=2, T=2, dtype=dtype)
        params, memory, h, *_ = first_state(2, config)
        codes = np.zeros(9, np.uint8)
        advance(params, memory, h, codes, 0, np.empty(1), config)
        kernel.evaluate(params, h[0], codes)


if __name__ == "__main__":
    main()
