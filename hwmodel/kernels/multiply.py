"""Compress and accumulate, in blocks of channels that fit the caches and the density of the events."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodel.kernels.accumulate import accumulate
from hwmodel.kernels.compress import compress
from hwmodel.kernels.reach import Reach
from hwmodel.kernels.tiles import Tiles

Array = NDArray[Any]

FIRST_CACHE_BYTES = 24 << 10  # of 32 KiB; the rest is for events and sums on their way
SHORT_RUN, LONG_RUN = 20, 40  # events: the cost of beginning a run is that of a few of them
LINE_CHANNELS = 16  # blocks of so many channels, in tiles of any width, use all sets of the first cache alike


def multiply(
    values: Array, nonzero: NDArray[np.uint8], groups: int, tiles: Tiles, reach: Reach
) -> tuple[Array, NDArray[np.int64]]:
    """Add all products of a task up; see `compress` and `accumulate` for the operands and what is returned."""
    channels = nonzero.shape[-1] // max(1, groups)
    block = max(1, channels)
    if tiles.vectors:
        density = np.count_nonzero(nonzero.view(np.bool_)) / max(1, nonzero.size)
        block = channels_per_block(reach, tiles, channels, density)
    return accumulate(compress(values, nonzero, groups, block), tiles, reach)


def channels_per_block(reach: Reach, tiles: Tiles, channels: int, density: float) -> int:
    """Choose how many channels to compress together.

    As many as have weights that fit the first cache, for one row of the kernel and one tile of filters; more where events are
    so few that runs would be short: then weights from the second cache cost less than beginning so many runs.
    """
    fitting = FIRST_CACHE_BYTES / (reach.kernel_columns * tiles.width * tiles.values.itemsize)
    events_per_channel = max(1e-9, density * reach.columns_per_run)
    wanted = fitting if fitting * events_per_channel >= SHORT_RUN else LONG_RUN / events_per_channel
    blocks = -(-channels // max(LINE_CHANNELS, round(wanted)))
    lines = -(-channels // (max(1, blocks) * LINE_CHANNELS))
    return max(1, min(channels, lines * LINE_CHANNELS))
