"""In how many windows each operand is nonzero, and how many events each window covers: rows added up first, then columns."""

import math

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.kernels.reach import Reach

Indices = NDArray[np.int64]


def count_uses(nonzero: NDArray[np.uint8], reach: Reach) -> Indices:
    """Count, for each kernel position and channel, the windows that find an event there.

    Parameters
    ----------
    nonzero
        uint8 (frames, depth, height, width, channels).
    reach
        What the windows read.

    Returns
    -------
    int64 (kernel rows, kernel columns, channels).

    Cost: each row of the feature map is added up for each kernel row that reads it, a vector of numbers at once.
    """
    *outer, columns, channels = nonzero.shape
    rows = math.prod(outer)
    row_reads, column_reads = reach.row_reads(rows), reach.column_reads(columns)
    uses = np.zeros((len(row_reads), len(column_reads), channels), dtype=np.int64)
    _add_up(nonzero.reshape(rows, columns * channels), row_reads, column_reads, uses)
    return uses


def count_window_events(planes: NDArray[np.uint8], groups: int, columns: int, reach: Reach) -> Indices:
    """Count the events that each window covers.

    Parameters
    ----------
    planes
        uint8 (channels, positions).
    groups
        Into how many groups the channels are divided.
    columns
        How many positions a row of the feature map has.
    reach
        What the windows read.

    Returns
    -------
    int64 (groups * windows,).

    Cost: a look at each activation, many at once, and at each row and column of the kernel in each window.
    """
    channels, positions = planes.shape
    events = np.zeros((groups, positions), dtype=np.int64)
    _add_channels(planes.reshape(groups, channels // max(1, groups), positions), events)
    found = np.zeros((groups, reach.rows.shape[0], reach.columns.shape[0]), dtype=np.int64)
    _add_windows(events, columns, reach.rows, reach.columns, found)
    return found.reshape(-1)


@compiled
def _add_channels(planes: NDArray[np.uint8], events: Indices) -> None:
    groups, channels, positions = planes.shape
    short = np.zeros(positions, dtype=np.uint8)
    for group in range(groups):
        for first in range(0, channels, 255):  # a short sum holds up to 255
            for channel in range(first, min(channels, first + 255)):
                plane = planes[group, channel]
                for position in range(positions):
                    short[position] += plane[position]
            _empty(short, events[group])


@compiled
def _add_windows(events: Indices, width: int, rows: Indices, columns: Indices, found: Indices) -> None:
    line = np.zeros(width, dtype=np.int64)
    for group in range(found.shape[0]):
        for row in range(rows.shape[0]):
            line[:] = 0
            for tap in range(rows.shape[1]):
                if rows[row, tap] >= 0:
                    read = events[group, rows[row, tap] * width : (rows[row, tap] + 1) * width]
                    for column in range(width):
                        line[column] += read[column]
            for column in range(columns.shape[0]):
                total = 0
                for tap in range(columns.shape[1]):
                    if columns[column, tap] >= 0:
                        total += line[columns[column, tap]]
                found[group, row, column] = total


@compiled
def _add_up(nonzero: NDArray[np.uint8], row_reads: Indices, column_reads: Indices, uses: Indices) -> None:
    kernel_rows, kernel_columns, channels = uses.shape
    sums = np.zeros(nonzero.shape[1], dtype=np.int64)
    short = np.zeros(nonzero.shape[1], dtype=np.uint8)
    for kernel_row in range(kernel_rows):
        sums[:] = 0
        held = 0  # rows in the short sums, which hold up to 255
        for row in range(nonzero.shape[0]):
            times = row_reads[kernel_row, row]
            if times == 1:
                here = nonzero[row]
                for place in range(here.size):
                    short[place] += here[place]
                held += 1
                if held == 255:
                    _empty(short, sums)
                    held = 0
            elif times:
                here = nonzero[row]
                for place in range(here.size):
                    sums[place] += times * here[place]
        _empty(short, sums)
        for kernel_column in range(kernel_columns):
            into = uses[kernel_row, kernel_column]
            for column in range(column_reads.shape[1]):
                times = column_reads[kernel_column, column]
                if times:
                    found = sums[column * channels : (column + 1) * channels]
                    for channel in range(channels):
                        into[channel] += times * found[channel]


@compiled
def _empty(short: NDArray[np.uint8], sums: Indices) -> None:
    for place in range(sums.size):
        sums[place] += short[place]
    short[:] = 0
