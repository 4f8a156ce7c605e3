"""Compressors as predictors: what a text adds to the compressed size of what came before it."""

import lzma
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyppmd

COMPRESSORS = {
    "xz, preset 9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "PPMd, order 6": lambda data: pyppmd.compress(data, max_order=6, mem_size=1 << 28),
}


def compressed_nats(compress, primed_with, stretches):
    """Return the nats per character of each of `stretches` (texts): what it adds to the compressed size of all before.

    What comes before the first of them is `primed_with`.
    """
    texts = [primed_with + "".join(stretches[:n]) for n in range(len(stretches) + 1)]
    with ThreadPoolExecutor() as pool:
        sizes = list(pool.map(lambda text: len(compress(text.encode())), texts))
    return 8 * np.log(2) * np.diff(sizes) / [len(stretch) for stretch in stretches]
