"""Weights as the kernels read them: tiles of as many filters as vector registers hold sums for.

A tile's weights of one operand are neighbours in memory, and those of the next operand follow: what a block of channels needs
at a row of the kernel is one piece, or a few, and stays in the first cache while all windows use it.
"""

import math
from typing import Any

import numpy as np
from llvmlite import binding
from numpy.typing import NDArray

from hwmodel.frozen import frozen
from hwmodel.kernels.vectors import VECTOR_BYTES
from hwmodel.lazy import lazy

Array = NDArray[Any]

# How many vectors of sums a tile may have. Eight hide the latency of a multiply-add; a processor with shorter vectors needs two
# registers or more for each and would run out of them.
VECTORS = (8, 6, 4, 2) if binding.get_host_cpu_features().get("avx512f") else (6, 4, 2)

FEWEST_WINDOWS = 8  # with fewer, copying the weights into tiles costs more than using them does
FEWEST_FILTERS = 4  # with fewer, tiles would take many times the memory; depthwise gradients have one filter and many operands


@frozen
class Tiles:
    """Weights of a task, cut into tiles or as they were laid out.

    Attributes
    ----------
    values
        (groups, tiles, operands of a window, width), float32, float64, int64 or int8; the last tile is padded with zeros.
    filters
        How many filters a group has, without padding.
    vectors
        How many vectors of sums make the width of a tile; 0 if the weights are not cut: then one tile has all filters.
    """

    values: Array
    filters: int
    vectors: int

    @staticmethod
    def cut(weights: Array) -> "Tiles":
        """Copy weights, (groups, operands, filters), into tiles of the width that needs the least padding.

        Cost: a pass over the weights.
        """
        groups, operands, filters = weights.shape
        lanes = VECTOR_BYTES // max(2, weights.itemsize)  # int8 is added up in 16 bits, everything else in its own type
        counts = {vectors: -(-filters // (vectors * lanes)) for vectors in VECTORS}
        vectors = min(VECTORS, key=lambda one: (counts[one] * one, counts[one]))
        width = vectors * lanes
        values = aligned_zeros((groups, counts[vectors], operands, width), weights.dtype)
        for tile in range(counts[vectors]):
            part = weights[:, :, tile * width : (tile + 1) * width]
            values[:, tile, :, : part.shape[2]] = part
        return Tiles(values, filters, vectors)

    @staticmethod
    def uncut(weights: Array) -> "Tiles":
        """Take weights, (groups, operands, filters), as they are."""
        return Tiles(weights[:, None], weights.shape[2], vectors=0)

    @property
    def width(self) -> int:
        """Count the filters of one tile, padding included."""
        return int(self.values.shape[3])

    @lazy
    def largest(self) -> int:
        """Give the largest magnitude of weights that are integers."""
        return max(int(self.values.max(initial=0)), -int(self.values.min(initial=0)))


def worth_cutting(windows: int, filters: int) -> bool:
    """Tell whether tiles pay for a task with so many windows, and filters in a group."""
    return windows >= FEWEST_WINDOWS and filters >= FEWEST_FILTERS


def aligned_zeros(shape: tuple[int, ...], dtype: Any) -> Array:
    """Return zeros that begin at a cache line, which vectors then never cross."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.zeros(size + VECTOR_BYTES, dtype=np.uint8)
    start = -memory.__array_interface__["data"][0] % VECTOR_BYTES  # `memory.ctypes` takes longer than a small product
    zeros: Array = memory[start : start + size].view(dtype).reshape(shape)
    return zeros
