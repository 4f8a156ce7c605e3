"""Let Numba compile what is named, once and not in every process.

python tools/compile.py float32 float64 sampling    steps of training and evaluating in a type, or "sampling"
"""

import sys

import numpy as np

from rnn.engine import kernel
from rnn.engine.runs import Config
from rnn.engine.training import advance, first_state


def main():
    """Read the command line."""
    for what in sys.argv[1:]:
        config, codes = Config(m=2, T=2, dtype="float32" if what == "sampling" else what), np.zeros(9, np.uint8)
        params, memory, h, *_ = first_state(2, config)
        if what == "sampling":
            kernel.sample(params, h[0], np.zeros(1), 1, 1)
        else:
            advance(params, memory, h, codes, 0, np.empty(1), config)


if __name__ == "__main__":
    main()
