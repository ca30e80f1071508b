"""From events to sums: each event of each window meets the weights of its filters, and nothing else is multiplied."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.kernels.compress import Events
from hwmodel.kernels.reach import Reach
from hwmodel.kernels.tiles import Tiles, aligned_zeros
from hwmodel.kernels.vectors import add_run

Array = NDArray[Any]

SECOND_CACHE_BYTES = 400 << 10  # of 1 MiB or more, for the sums that a block of channels is added to
LARGEST_INT16 = np.iinfo(np.int16).max


def accumulate(events: Events, tiles: Tiles, reach: Reach) -> tuple[Array, NDArray[np.int64]]:
    """Add the products of all windows up.

    Parameters
    ----------
    events
        What `compress` made of the activations.
    tiles
        The weights, of the activations' type.
    reach
        Which events each window reads.

    Returns
    -------
    sums
        (groups * windows, filters): in the type of the weights, int32 for int8.
    added
        int64 (groups * windows,): how many products each row of sums received, counted when they are added.

    Cost: a multiply-add for each event of each window and vector of filters, and for each run of events, tile and vector of
    filters a sum read and written.
    """
    groups, count, _, width = tiles.values.shape
    windows = len(reach.rows) * reach.window_columns
    small = tiles.values.itemsize == 1
    zeros = aligned_zeros if tiles.vectors else np.zeros
    sums: Array = zeros((groups * windows, count * width), np.int32 if small else tiles.values.dtype)
    added = np.zeros(groups * windows, dtype=np.int64)
    longest = max(1, events.values.size)
    if small and tiles.vectors:  # added up in 16 bits, run by run
        largest = max(int(events.values.max(initial=0)), -int(events.values.min(initial=0))) * tiles.largest
        longest = LARGEST_INT16 // max(1, largest)
    row_bytes = max(1, reach.window_columns * width * sums.itemsize)
    _accumulate(
        events.values,
        events.operands,
        events.pointers,
        events.channels,
        tiles.values,
        tiles.vectors,
        tiles.filters,
        reach.rows,
        reach.pointers,
        reach.runs,
        reach.kernel_columns,
        max(1, SECOND_CACHE_BYTES // row_bytes),
        longest,
        sums,
        added,
    )
    return sums[:, : tiles.filters], added


@compiled
def _accumulate(
    values: Array,
    operands: Array,
    pointers: NDArray[np.int64],
    channels: int,
    weights: Array,
    vectors: int,
    filters: int,
    rows: NDArray[np.int64],
    run_pointers: NDArray[np.int64],
    runs: NDArray[np.int64],
    kernel_columns: int,
    rows_at_once: int,
    longest: int,
    sums: Array,
    added: NDArray[np.int64],
) -> None:
    groups, tiles, window_operands, width = weights.shape
    window_rows, kernel_rows = rows.shape
    columns = run_pointers.size - 1
    blocks = pointers.shape[1] // max(1, groups)
    flat_weights, flat_sums, ends = weights.reshape(-1), sums.reshape(-1), pointers.reshape(-1)
    for group in range(groups):
        for first_row in range(0, window_rows, rows_at_once):
            stop_row = min(window_rows, first_row + rows_at_once)
            for tile in range(tiles):
                live = min(width, filters - tile * width)
                for block in range(blocks):
                    for kernel_row in range(kernel_rows):
                        kernel_origin = (group * tiles + tile) * window_operands + kernel_row * kernel_columns * channels
                        for window_row in range(first_row, stop_row):
                            row = rows[window_row, kernel_row]
                            if row < 0:
                                continue
                            line = (row * pointers.shape[1] + group * blocks + block) * pointers.shape[2]
                            for column in range(columns):
                                window = (group * window_rows + window_row) * columns + column
                                for run in range(run_pointers[column], run_pointers[column + 1]):
                                    begin, end = ends[line + runs[run, 0]], ends[line + runs[run, 1]]
                                    origin = (kernel_origin + runs[run, 2] * channels) * width
                                    target = (window * tiles + tile) * width
                                    while begin < end:
                                        stop = min(end, begin + longest)
                                        if vectors == 8:
                                            add_run(flat_sums, target, values, operands, begin, stop, flat_weights, origin, 8)
                                        elif vectors == 6:
                                            add_run(flat_sums, target, values, operands, begin, stop, flat_weights, origin, 6)
                                        elif vectors == 4:
                                            add_run(flat_sums, target, values, operands, begin, stop, flat_weights, origin, 4)
                                        elif vectors == 2:
                                            add_run(flat_sums, target, values, operands, begin, stop, flat_weights, origin, 2)
                                        else:
                                            _add_run(sums[window], values, operands, begin, stop, flat_weights, origin)
                                        added[window] += (stop - begin) * live
                                        begin = stop


@compiled
def _add_run(sums: Array, values: Array, operands: Array, begin: int, end: int, weights: Array, origin: int) -> None:
    """Add a run of events to all filters, four at a time so that a sum is read and written once for each four."""
    width = sums.size
    event = begin
    while event + 4 <= end:
        one, two, three, four = values[event], values[event + 1], values[event + 2], values[event + 3]
        first = weights[origin + operands[event] * width :][:width]
        second = weights[origin + operands[event + 1] * width :][:width]
        third = weights[origin + operands[event + 2] * width :][:width]
        fourth = weights[origin + operands[event + 3] * width :][:width]
        for place in range(width):
            sums[place] += (one * first[place] + two * second[place]) + (three * third[place] + four * fourth[place])
        event += 4
    for last in range(event, end):
        row = weights[origin + operands[last] * width :][:width]
        for place in range(width):
            sums[place] += values[last] * row[place]
