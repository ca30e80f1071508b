"""The nonzeros of each lane's share at each position, counted once, then added up window by window.

A window reads each position of the feature map that it covers, and neighbouring windows read most of them again. So what a lane
finds at a position is counted once, and a window's counts are sums over its kernel positions. Bricks may cross positions: the
nth bricks of all lanes are added up side by side, one kernel position after the other, and looked at when they are complete.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.kernels.reach import OUTSIDE, Reach

Indices = NDArray[np.int64]

FIRST, COUNT, STEP = range(3)  # of a share: its first channel, how many there are, how far apart
WHOLE_ROW = 16  # lanes that are added up as fast as one is


@dataclass(frozen=True, eq=False)
class Steps:
    """A walk by kernel positions: what of each position belongs to the nth brick of each lane.

    Attributes
    ----------
    lanes
        int64 (working lanes,): the lanes that have operands at all; the others are left out of everything here.
    shares
        int64 (rows, working lanes, 3): the channels that lanes take at a position, as first, count and step. What lanes take
        is the same at many positions, and in many bricks, so there are far fewer rows than steps.
    row, tap
        int64 (steps,): each step adds one row of shares, at one kernel position.
    brick_pointers
        int64 (most bricks of a lane + 1,): the nth bricks take the steps from ``brick_pointers[n]`` to ``[n + 1]``.
    bricks
        int64 (working lanes,): how many bricks each lane has.
    """

    lanes: Indices
    shares: Indices
    row: Indices
    tap: Indices
    brick_pointers: Indices
    bricks: Indices

    @staticmethod
    def of(operand: Indices, brick_pointers: Indices, lane_pointers: Indices, channels: int) -> "Steps | None":
        """Find the steps of a walk (see `hwmodel.walk.Walk`); None if a share's channels are not equally far apart."""
        bricks = np.diff(lane_pointers)
        lanes = np.flatnonzero(bricks)
        lane_of_brick = np.repeat(np.arange(lanes.size), bricks[lanes])
        nth_of_brick = np.arange(brick_pointers.size - 1) - np.repeat(lane_pointers[lanes], bricks[lanes])
        brick = np.repeat(np.arange(brick_pointers.size - 1), np.diff(brick_pointers))
        tap, channel = np.divmod(operand, channels)
        order = np.lexsort((channel, tap, brick))
        brick, tap, channel = brick[order], tap[order], channel[order]
        begins = np.flatnonzero(np.diff(brick, prepend=-1) | np.diff(tap, prepend=-1))  # of the shares
        count = np.diff(begins, append=operand.size)
        distance = np.diff(channel, append=0)
        step = np.where(count > 1, distance[begins], 1)
        inner = np.ones(operand.size, dtype=np.bool_)
        inner[begins + count - 1] = False
        if (distance != np.repeat(step, count))[inner].any():
            return None
        nth, at = nth_of_brick[brick[begins]], tap[begins]
        steps, step_of_share = np.unique(np.stack([nth, at], axis=1), axis=0, return_inverse=True)
        rows = np.zeros((len(steps), lanes.size, 3), dtype=np.int64)
        rows[:, :, STEP] = 1  # of lanes that take nothing there
        rows[step_of_share.reshape(-1), lane_of_brick[brick[begins]]] = np.stack([channel[begins], count, step], axis=1)
        shares, row = np.unique(rows.reshape(len(steps), -1), axis=0, return_inverse=True)
        return Steps(
            lanes=lanes,
            shares=shares.reshape(len(shares), lanes.size, 3),
            row=row.reshape(-1),
            tap=steps[:, 1].copy(),
            brick_pointers=np.searchsorted(steps[:, 0], np.arange(bricks.max(initial=0) + 1)),
            bricks=bricks[lanes],
        )

    @property
    def size(self) -> int:
        """Count what is kept for each position: a number for each row and working lane."""
        rows, lanes, _ = self.shares.shape
        return int(rows * lanes)

    @property
    def additions(self) -> int:
        """Count the additions of a window, as many as a vector holds at once."""
        return self.tap.size * -(-self.lanes.size // WHOLE_ROW)


@dataclass(frozen=True, eq=False)
class Tally:
    """What lanes find at each position of a feature map.

    Attributes
    ----------
    found
        uint8, uint16 or int32 (groups, rows of shares, positions * working lanes): lane after lane at each position, so that
        windows side by side read numbers side by side.
    columns
        How many positions a row of the feature map has.
    padded_rows, padded_columns
        int64 (rows, or columns, of windows,): which kernel rows, or columns, are padding there, as a number for each such set.
    operands_read
        int64 (sets of rows, sets of columns, working lanes): what lanes read of a window with these kernel positions outside.
    """

    steps: Steps
    reach: Reach
    found: NDArray[np.generic]
    columns: int
    padded_rows: Indices
    padded_columns: Indices
    operands_read: Indices

    @staticmethod
    def of(nonzero: NDArray[np.uint8], groups: int, steps: Steps, reach: Reach) -> "Tally":
        """Count the nonzeros of every share at every position. Cost: a look at each activation for each share that has it."""
        largest = int(steps.shares[:, :, COUNT].max(initial=0))
        kind = np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.int32
        positions = nonzero.size // max(1, nonzero.shape[-1])
        found = np.empty((groups, len(steps.shares), positions * steps.lanes.size), dtype=kind)
        _look(nonzero.reshape(positions, groups, -1), steps.shares, found)
        tap_rows, tap_columns = np.divmod(steps.tap, reach.kernel_columns)
        row_sets, padded_rows = np.unique(reach.rows == OUTSIDE, axis=0, return_inverse=True)
        column_sets, padded_columns = np.unique(reach.columns == OUTSIDE, axis=0, return_inverse=True)
        inside = ~(row_sets[:, None, tap_rows] | column_sets[None, :, tap_columns])
        operands_read = inside.astype(np.int64) @ steps.shares[steps.row, :, COUNT]
        columns = nonzero.shape[-2]
        return Tally(steps, reach, found, columns, padded_rows.reshape(-1), padded_columns.reshape(-1), operands_read)

    def add_up(self, first: int, stop: int, events: Indices, operands_read: Indices, empty_bricks: Indices) -> None:
        """Count the windows from ``first`` up to ``stop`` of all groups, which follow each other, for the working lanes.

        Cost: an addition for each window, step and working lane, many at once where windows side by side read positions
        side by side.
        """
        steps = self.steps
        tap_rows, tap_columns = np.divmod(steps.tap, self.reach.kernel_columns)
        _add_up(
            self.found,
            self.columns,
            self.reach.rows,
            self.reach.columns,
            tap_rows,
            tap_columns,
            steps.row,
            steps.brick_pointers,
            steps.bricks,
            self.padded_rows,
            self.padded_columns,
            self.operands_read,
            first,
            stop,
            events,
            operands_read,
            empty_bricks,
        )


@compiled
def _look(nonzero: NDArray[np.uint8], shares: Indices, found: NDArray[np.generic]) -> None:
    for row in range(shares.shape[0]):
        for group in range(nonzero.shape[1]):
            share = shares[row]
            if _side_by_side(share):
                _look_between(nonzero[:, group], share, found[group, row])
            elif _dealt(share):
                _look_across(nonzero[:, group], share, found[group, row])
            else:
                _look_at_each(nonzero[:, group], share, found[group, row])


@compiled
def _side_by_side(share: Indices) -> bool:
    """Tell whether the channels of each lane lie side by side."""
    together = True
    for lane in range(share.shape[0]):
        together &= share[lane, STEP] == 1
    return together


@compiled
def _dealt(share: Indices) -> bool:
    """Tell whether neighbouring channels are dealt to neighbouring lanes, so that one of each lane lies side by side."""
    dealt = True
    for lane in range(1, share.shape[0]):
        dealt &= share[lane, FIRST] == share[0, FIRST] + lane and share[lane, COUNT] <= share[lane - 1, COUNT]
        dealt &= share[lane, STEP] == share[0, STEP] or share[lane, COUNT] == 1
    return dealt


@compiled
def _look_between(nonzero: NDArray[np.uint8], share: Indices, found: NDArray[np.generic]) -> None:
    """Count up to each channel once, so that a share is a difference, however short."""
    positions, channels = nonzero.shape
    lanes = share.shape[0]
    begins, ends = share[:, FIRST].copy(), share[:, FIRST] + share[:, COUNT]
    up_to = np.zeros(channels + 1, dtype=np.int32)
    for position in range(positions):
        before = np.int32(0)
        for channel in range(channels):
            before += nonzero[position, channel]
            up_to[channel + 1] = before
        for lane in range(lanes):
            found[position * lanes + lane] = up_to[ends[lane]] - up_to[begins[lane]]


@compiled
def _look_across(nonzero: NDArray[np.uint8], share: Indices, found: NDArray[np.generic]) -> None:
    """Read a channel of each lane at once."""
    lanes, width = share.shape[0], share.shape[0]
    found[:] = 0
    for nth in range(share[0, COUNT]):
        while share[width - 1, COUNT] <= nth:
            width -= 1
        begin = share[0, FIRST] + nth * share[0, STEP]
        for position in range(nonzero.shape[0]):
            for lane in range(width):
                found[position * lanes + lane] += nonzero[position, begin + lane]


@compiled
def _look_at_each(nonzero: NDArray[np.uint8], share: Indices, found: NDArray[np.generic]) -> None:
    lanes = share.shape[0]
    for position in range(nonzero.shape[0]):
        for lane in range(lanes):
            number = 0
            for nth in range(share[lane, COUNT]):
                number += nonzero[position, share[lane, FIRST] + nth * share[lane, STEP]]
            found[position * lanes + lane] = number


@compiled
def _add_up(
    found: NDArray[np.generic],
    columns: int,
    rows: Indices,
    window_columns: Indices,
    tap_rows: Indices,
    tap_columns: Indices,
    share_rows: Indices,
    brick_pointers: Indices,
    bricks: Indices,
    padded_rows: Indices,
    padded_columns: Indices,
    reads: Indices,
    first: int,
    stop: int,
    events: Indices,
    operands_read: Indices,
    empty_bricks: Indices,
) -> None:
    width, lanes = window_columns.shape[0], bricks.size
    windows = rows.shape[0] * width
    sums = np.zeros(min(width, stop - first) * lanes, dtype=np.int32)
    window = first
    while window < stop:  # row by row of the windows, which may begin and end within a row
        group, here = window // windows, window % windows
        row, begin = here // width, here % width
        end = min(width, begin + stop - window)
        out = window - first
        for brick in range(brick_pointers.size - 1):
            sums[: (end - begin) * lanes] = 0
            for step in range(brick_pointers[brick], brick_pointers[brick + 1]):
                line = rows[row, tap_rows[step]]
                if line < 0:
                    continue
                shares = found[group, share_rows[step]]
                column = begin
                while column < end:
                    at = window_columns[column, tap_columns[step]]
                    if at < 0:
                        column += 1
                        continue
                    after = column + 1  # windows side by side that read positions side by side are one run
                    while after < end and window_columns[after, tap_columns[step]] == at + after - column:
                        after += 1
                    target = sums[(column - begin) * lanes : (after - begin) * lanes]
                    source = shares[(line * columns + at) * lanes :][: target.size]
                    for place in range(target.size):
                        target[place] += np.int32(source[place])
                    column = after
            for column in range(end - begin):
                for lane in range(lanes):
                    number = sums[column * lanes + lane]
                    events[out + column, lane] += number
                    empty_bricks[out + column, lane] += number == 0 and brick < bricks[lane]
        for column in range(begin, end):
            operands_read[out + column - begin] = reads[padded_rows[row], padded_columns[column]]
        window += end - begin
