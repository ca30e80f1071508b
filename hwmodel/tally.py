"""The nonzeros of each lane's share at each position, counted once, then added up window by window.

A window reads each position of the feature map that it covers, and neighbouring windows read most of them again. So what a lane
finds at a position is counted once, and a window's counts are sums over its kernel positions. Lane after lane, so that windows
side by side read numbers side by side. Bricks may cross positions; each is looked at when it is complete.
"""

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.frozen import frozen
from hwmodel.kernels.reach import Reach
from hwmodel.lazy import lazy

Indices = NDArray[np.int64]

FIRST, COUNT, STEP = range(3)  # of a share: its first channel, how many there are, how far apart
BEGIN, END, POSITION, STRIDE = range(4)  # of a span, see `Reach.spans`
Place = np.uintp  # an index without a sign, which the compiler need not look at for each element
WHOLE_VECTOR = 16  # windows that are added up as fast as one is


@frozen
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

    @lazy
    def looks(self) -> int:
        """Count the looks at activations of a position, one for each share that has it."""
        return int(self.shares[:, :, COUNT].sum())

    @property
    def additions(self) -> int:
        """Count the additions of a window, one for each step and working lane."""
        return self.tap.size * self.lanes.size


@frozen
class Tally:
    """What lanes find at each position of a feature map.

    Attributes
    ----------
    found
        uint8, uint16 or int32 (groups, rows of shares, working lanes, positions).
    columns
        How many positions a row of the feature map has.
    spans
        int64 (columns of the kernel, 4): which windows of a row read a position there, and which position: see `Reach.spans`.
    channels
        How many channels a group has.
    """

    steps: Steps
    reach: Reach
    found: NDArray[np.generic]
    columns: int
    spans: Indices
    channels: int

    @staticmethod
    def of(planes: NDArray[np.uint8], groups: int, columns: int, steps: Steps, reach: Reach) -> "Tally | None":
        """Count the nonzeros of every share at every position; None if the columns that windows read are irregular.

        Cost: a look at each activation for each share that has it, many at once.
        """
        spans = reach.spans
        if spans is None:
            return None
        largest = int(steps.shares[:, :, COUNT].max(initial=0))
        kind = np.uint8 if largest < 1 << 8 else np.uint16 if largest < 1 << 16 else np.int32
        channels, positions = planes.shape
        found = np.zeros((groups, len(steps.shares), steps.lanes.size, positions), dtype=kind)
        _look(planes.reshape(groups, channels // max(1, groups), positions), steps.shares, found)
        return Tally(steps, reach, found, columns, spans, channels // max(1, groups))

    def add_up(self, first: int, stop: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Count the windows from ``first`` up to ``stop`` of all groups, which follow each other, for the working lanes.

        Returns int32 (working lanes, windows): events, and bricks without one.

        Cost: an addition for each window, step and working lane, many at once.
        """
        steps = self.steps
        tap_rows, tap_columns = np.divmod(steps.tap, self.reach.kernel_columns)
        events = np.zeros((steps.lanes.size, stop - first), dtype=np.int32)
        empty_bricks = np.zeros((steps.lanes.size, stop - first), dtype=np.int32)
        _add_up(
            self.found,
            self.columns,
            self.reach.rows,
            self.reach.window_columns,
            self.spans,
            tap_rows,
            tap_columns,
            steps.row,
            steps.brick_pointers,
            steps.bricks,
            first,
            events,
            empty_bricks,
        )
        return events, empty_bricks

    def operands_read(self, first: int, stop: int) -> int:
        """Count the operands that are not padding in the windows from ``first`` up to ``stop``."""
        return (self._inside(stop) - self._inside(first)) * self.channels

    def _inside(self, window: int) -> int:
        before = self.reach.operands_inside
        groups, here = divmod(window, before.size - 1)
        return groups * int(before[-1]) + int(before[here])


@compiled
def _look(planes: NDArray[np.uint8], shares: Indices, found: NDArray[np.generic]) -> None:
    for group in range(planes.shape[0]):
        for row in range(shares.shape[0]):
            for lane in range(shares.shape[1]):
                into = found[group, row, lane]
                for nth in range(shares[row, lane, COUNT]):
                    plane = planes[group, shares[row, lane, FIRST] + nth * shares[row, lane, STEP]]
                    for position in range(into.size):
                        into[position] += plane[position]


@compiled
def _add_up(
    found: NDArray[np.generic],
    columns: int,
    rows: Indices,
    width: int,
    spans: Indices,
    tap_rows: Indices,
    tap_columns: Indices,
    share_rows: Indices,
    brick_pointers: Indices,
    bricks: Indices,
    first: int,
    events: NDArray[np.int32],
    empty_bricks: NDArray[np.int32],
) -> None:
    windows, stop = rows.shape[0] * width, first + events.shape[1]
    sums = np.zeros(width, dtype=np.int32)
    flat, lane_size = found.reshape(-1), found.shape[3]
    row_size = found.shape[2] * lane_size
    group_size = found.shape[1] * row_size
    window = first
    while window < stop:  # row by row of the windows, which may begin and end within a row
        group, here = window // windows, window % windows
        row, begin = here // width, here % width
        end = min(width, begin + stop - window)
        out, some = Place(window - first), Place(end - begin)
        for lane in range(bricks.size):
            origin = group * group_size + lane * lane_size
            for brick in range(bricks[lane]):
                sums[: end - begin] = 0
                for step in range(brick_pointers[brick], brick_pointers[brick + 1]):
                    line, tap = rows[row, tap_rows[step]], tap_columns[step]
                    left, right = max(begin, spans[tap, BEGIN]), min(end, spans[tap, END])
                    if line < 0 or left >= right:
                        continue
                    stride = spans[tap, STRIDE]
                    at = origin + share_rows[step] * row_size + line * columns + spans[tap, POSITION]
                    source, target = Place(at + (left - spans[tap, BEGIN]) * stride), Place(left - begin)
                    if stride == 1:  # read side by side: the compiler uses vector instructions
                        for one in range(Place(right - left)):
                            sums[target + one] += np.int32(flat[source + one])
                    else:
                        for one in range(Place(right - left)):
                            sums[target + one] += np.int32(flat[source + one * Place(stride)])
                for one in range(some):
                    events[lane, out + one] += sums[one]
                    empty_bricks[lane, out + one] += sums[one] == 0
        window += end - begin
