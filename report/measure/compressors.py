"""A compressor as a predictor: PPMd of order 6."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyppmd


def ppmd_bits(primed_with, stretches):
    """Return the bits per character of each of `stretches` (texts), after the text `primed_with`.

    The bits of a stretch are what it adds to the size of the compressed text before it.
    """
    texts = [primed_with + "".join(stretches[:n]) for n in range(len(stretches) + 1)]
    with ThreadPoolExecutor() as pool:
        sizes = list(pool.map(lambda text: len(pyppmd.compress(text.encode(), max_order=6, mem_size=1 << 28)), texts))
    return 8 * np.diff(sizes) / [len(stretch) for stretch in stretches]
