"""Run-length compression of feature maps, as Eyeriss writes them to its off-chip memory.

Source: Y.-H. Chen et al., "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for Deep Convolutional Neural Networks",
JSSC 2017: a word of 64 bits holds three pairs of a run of up to 31 zeros (5 bits) and the 16-bit value behind it, and a bit
that marks the last word.
"""

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled

WORD_BYTES = 8
PAIRS_PER_WORD = 3
LONGEST_RUN = 31


def compressed_bytes(nonzero: NDArray[np.uint8]) -> int:
    """Count the bytes of feature maps, each compressed plane after plane, row after row.

    A run of 32 zeros is a pair whose value is the last of them, and so is a shorter run at the end.

    Parameters
    ----------
    nonzero
        uint8 (frames, depth, height, width, channels): where the values are nonzero. Each frame is a stream of its own.

    Cost: a copy, and a look at each value.
    """
    planes = np.ascontiguousarray(np.moveaxis(nonzero, -1, 1))
    return sum(-(-_pairs(stream.reshape(-1)) // PAIRS_PER_WORD) * WORD_BYTES for stream in planes)


@compiled
def _pairs(nonzero: NDArray[np.uint8]) -> int:
    pairs = run = 0
    for place in range(nonzero.size):
        if nonzero[place] or run == LONGEST_RUN:
            pairs += 1
            run = 0
        else:
            run += 1
    return pairs + (run > 0)
