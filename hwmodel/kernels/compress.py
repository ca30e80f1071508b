"""From a feature map to its events: what is nonzero, row by row and block of channels by block of channels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.frozen import frozen
from hwmodel.kernels.vectors import COMPRESSED_LANES, compress_lanes

Array = NDArray[Any]

LARGEST_OPERAND = np.iinfo(np.int32).max
_INT32, _INT64 = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)  # examples, by which compiled code knows a type


@frozen
class Events:
    """The events of a feature map.

    Within a row and a block of channels they are in the order of columns, and of channels within a column, so that the events
    of neighbouring columns are one run.

    Attributes
    ----------
    values
        (events,): in the type of the activations; int8 travels as int32.
    operands
        int32 or int64 (events,): ``column * channels of a group + channel``.
    pointers
        int64 (rows, groups * blocks, columns + 1): column x of a row and block has the events from
        ``pointers[..., x]`` up to ``pointers[..., x + 1]``.
    channels
        How many channels a group has.
    """

    values: Array
    operands: Array
    pointers: NDArray[np.int64]
    channels: int


def compress(values: Array, nonzero: NDArray[np.uint8], groups: int, block: int) -> Events:
    """Compress a feature map.

    Parameters
    ----------
    values
        (frames, depth, height, width, channels), contiguous: float32, float64, int64 or int8.
    nonzero
        uint8 of the same shape: which of them are events.
    groups
        Into how many groups the channels are divided.
    block
        How many channels a block has; the last one of each group may be smaller.

    Cost: a look at each activation, 16 at a time where a block has as many.
    """
    channels = nonzero.shape[4] // max(1, groups)
    like = _INT32 if values.itemsize == 1 else values
    numbers = _INT32 if nonzero.shape[3] * channels <= LARGEST_OPERAND else _INT64
    return Events(*_compress(values, nonzero, groups, channels, block, like, numbers), channels)


@compiled
def _compress(
    given: Array,
    mask: NDArray[np.uint8],
    groups: int,
    channels: int,
    block: int,
    like: Array,
    numbers: Array,
) -> tuple[Array, Array, NDArray[np.int64]]:
    rows, columns, blocks = mask.shape[0] * mask.shape[1] * mask.shape[2], mask.shape[3], -(-channels // block)
    # Made here and not in Python: with cold caches that takes as long as compressing a vector of activations.
    values, operands = np.empty(mask.size, dtype=like.dtype), np.empty(mask.size, dtype=numbers.dtype)
    pointers = np.empty((rows, groups * blocks, columns + 1), dtype=np.int64)
    every, nonzero = given.reshape(-1), mask.reshape(-1)
    end = 0
    for row in range(rows):
        for group in range(groups):
            for number in range(blocks):
                pointers[row, group * blocks + number, 0] = end
                for column in range(columns):
                    channel = number * block
                    stop = min(channel + block, channels)
                    here = ((row * columns + column) * groups + group) * channels
                    operand = column * channels
                    while channel + COMPRESSED_LANES <= stop:
                        end += compress_lanes(values, operands, end, every, nonzero, here + channel, operand + channel)
                        channel += COMPRESSED_LANES
                    while channel < stop:
                        if nonzero[here + channel]:
                            values[end] = every[here + channel]
                            operands[end] = operand + channel
                            end += 1
                        channel += 1
                    pointers[row, group * blocks + number, column + 1] = end
    return values[:end], operands[:end], pointers
