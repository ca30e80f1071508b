"""From where a task's events are to the work of each lane in each window: compiled loops over the mask.

A range of windows is taken at a time, so that memory does not grow with the feature map.
"""

import math
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.frozen import frozen
from hwmodel.layout import PADDING
from hwmodel.plan import Counts, Events
from hwmodel.tally import WHOLE_VECTOR, Steps, Tally
from hwmodel.task import Task
from hwmodel.walk import Walk

Number = TypeVar("Number", bound=np.integer[Any])

# Operands and windows of one range: enough to make the cost per range small, little enough to stay in cache.
OPERANDS_PER_RANGE = 1 << 21
WINDOWS_PER_RANGE = 1 << 12

LARGEST_SUM = np.iinfo(np.int32).max  # of the events of a lane in a window


@frozen
class LaneCounts:
    """What each working lane finds in each window of a range.

    Arrays are int32 (working lanes, windows of the range), int64 where numbers could be too large.

    ``events`` counts nonzero operands, ``empty_bricks`` bricks without an event, padding included. ``operands_read`` counts
    operands that are not padding; its array, int64 job by job, is made when asked for.
    """

    events: NDArray[np.int32]
    empty_bricks: NDArray[np.int32]
    operands_read: Counts


def busiest(of_lanes: NDArray[Number]) -> NDArray[Number]:
    """Return the largest number of each window's lanes, at least 0, of (lanes, windows): (windows,)."""
    largest = np.zeros(of_lanes.shape[1], dtype=of_lanes.dtype)
    _find_largest(of_lanes, largest)
    return largest


def window_ranges(task: Task) -> Iterator[tuple[int, int]]:
    """Cut the windows of all groups, which follow each other, into ranges whose operands fit a cache.

    Yields pairs of the first window and one past the last; window ``group * windows + window`` is a row of outputs.
    """
    size = min(WINDOWS_PER_RANGE, max(1, OPERANDS_PER_RANGE // max(1, task.operands)))
    windows = task.groups * task.windows
    for first in range(0, windows, size):
        yield first, min(first + size, windows)


class LaneCounter:
    """Counts what each lane finds in each window of a task, range by range.

    What a lane finds at a position is counted once for all windows that read it (`hwmodel.tally`), unless it is cheaper, or the
    walk so irregular, that every window looks at its operands itself.
    """

    def __init__(self, task: Task, walk: Walk) -> None:
        self.task = task
        self.walk = walk
        self._tally: Tally | None = None
        if walk.steps is not None and worth_tallying(task, walk.steps):
            if walk.steps not in task.tallies:
                columns = task.activations.shape[3]
                task.tallies[walk.steps] = Tally.of(task.activations.planes, task.groups, columns, walk.steps, task.reach)
            self._tally = task.tallies[walk.steps]

    def count(self, first: int, stop: int) -> LaneCounts:
        """Count in the windows from ``first`` up to ``stop``. Cost: see `Tally.add_up`, or `count_lanes`."""
        if self._tally is None:
            return count_lanes(self.task, self.walk, first, stop)
        events, empty_bricks = self._tally.add_up(first, stop)
        read = Counts(lambda: read_by_lanes(self.task, self.walk, first, stop), self._tally.operands_read(first, stop))
        return LaneCounts(events, empty_bricks, read)


def worth_tallying(task: Task, steps: Steps) -> bool:
    """Tell whether counting at each position first costs less than looking at each operand of each window."""
    windows = task.groups * task.windows
    positions = math.prod(task.activations.shape[:4])
    at_once = min(WHOLE_VECTOR, max(1, task.reach.window_columns))
    cost = positions * task.groups * steps.looks // WHOLE_VECTOR + windows * steps.additions // at_once
    return cost < windows * task.operands and task.operands < LARGEST_SUM


def count_lanes(task: Task, walk: Walk, first: int, stop: int) -> LaneCounts:
    """Count the events and bricks of every working lane in the windows from ``first`` up to ``stop`` of all groups.

    This is the plain form of `LaneCounter`. Cost: one look at each operand of each window.
    """
    lanes = walk.working_lanes
    kind = np.int32 if task.operands < LARGEST_SUM else np.int64
    events, empty_bricks = (np.zeros((lanes.size, stop - first), dtype=kind) for _ in range(2))
    tap, channel = np.divmod(walk.operand, walk.channels)
    _count(
        task.activations.nonzero.reshape(-1),
        np.ascontiguousarray(window_origins(task, first, stop).T),
        tap,
        channel,
        walk.brick_pointers,
        walk.lane_pointers,
        lanes,
        events,
        empty_bricks,
    )
    return LaneCounts(events, empty_bricks, Counts(lambda: read_by_lanes(task, walk, first, stop)))


def read_by_lanes(task: Task, walk: Walk, first: int, stop: int) -> NDArray[np.int64]:
    """Count the operands that are not padding of each job: one for each window of a range and working lane."""
    tap = walk.operand // walk.channels
    lanes = walk.working_lanes
    of_lane = np.zeros((lanes.size, math.prod(task.kernel_shape)), dtype=np.int64)  # operands at each kernel position
    ends = walk.brick_pointers[walk.lane_pointers]
    for nth, lane in enumerate(lanes):
        of_lane[nth] = np.bincount(tap[ends[lane] : ends[lane + 1]], minlength=of_lane.shape[1])
    inside = window_origins(task, first, stop) != PADDING
    read: NDArray[np.int64] = inside.astype(np.int64) @ of_lane.T
    return read.reshape(-1)


def lane_events(task: Task, walk: Walk, first: int, stop: int) -> Events:
    """Compress the events of every working lane in a range of windows: one job for each window and working lane."""
    lanes = walk.working_lanes
    tap, channel = np.divmod(walk.operand, walk.channels)
    operand_pointers = walk.brick_pointers[walk.lane_pointers]
    jobs = (stop - first) * lanes.size
    pointers, positions, operands = _compress(
        task.activations.nonzero.reshape(-1),
        window_origins(task, first, stop),
        tap,
        channel,
        walk.operand,
        operand_pointers[lanes],
        operand_pointers[lanes + 1],
    )
    assert pointers.size == jobs + 1
    return Events(pointers, positions, operands, output_blocks(walk, first, stop))


def output_blocks(walk: Walk, first: int, stop: int) -> NDArray[np.int64]:
    """Give the row of outputs that each job adds to, of one job for each window of a range and working lane."""
    return np.repeat(np.arange(first, stop), walk.working_lanes.size)


def window_origins(task: Task, first: int, stop: int) -> NDArray[np.int64]:
    """Give, for windows of a range and kernel positions, the flat index of the group's first channel there, or `PADDING`.

    Shape (windows of the range, kernel positions).
    """
    reach = task.reach
    origins = np.empty((stop - first, math.prod(task.kernel_shape)), dtype=np.int64)
    _find_origins(reach.rows, reach.columns, task.activations.shape[3:], task.groups, first, origins)
    return origins


@compiled
def _find_largest(of_lanes: NDArray[Number], largest: NDArray[Number]) -> None:
    for lane in range(of_lanes.shape[0]):
        for window in range(largest.size):
            largest[window] = max(largest[window], of_lanes[lane, window])


@compiled
def _find_origins(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    sizes: tuple[int, int],
    groups: int,
    first: int,
    origins: NDArray[np.int64],
) -> None:
    width, channels = sizes
    kernel_columns = columns.shape[1]
    for place in range(origins.shape[0]):
        above, column = divmod(first + place, columns.shape[0])
        group, row = divmod(above, rows.shape[0])
        for kernel_row in range(rows.shape[1]):
            line = rows[row, kernel_row]
            for kernel_column in range(kernel_columns):
                at = columns[column, kernel_column]
                inside = line >= 0 and at >= 0
                origin = (line * width + at) * channels + group * (channels // groups)
                origins[place, kernel_row * kernel_columns + kernel_column] = origin if inside else PADDING


@compiled
def _count(
    nonzero: NDArray[np.uint8],
    origins: NDArray[np.int64],
    tap: NDArray[np.int64],
    channel: NDArray[np.int64],
    brick_pointers: NDArray[np.int64],
    lane_pointers: NDArray[np.int64],
    lanes: NDArray[np.int64],
    events: NDArray[np.int32],
    empty_bricks: NDArray[np.int32],
) -> None:
    """Look at one operand of all windows before the next one; ``origins`` is (kernel positions, windows)."""
    windows = origins.shape[1]
    found = np.zeros(windows, dtype=events.dtype)
    for nth in range(lanes.size):
        lane = lanes[nth]
        for brick in range(lane_pointers[lane], lane_pointers[lane + 1]):
            found[:] = 0
            for step in range(brick_pointers[brick], brick_pointers[brick + 1]):
                origin, offset = origins[tap[step]], channel[step]
                for window in range(windows):
                    found[window] += nonzero[origin[window] + offset] if origin[window] >= 0 else 0
            for window in range(windows):
                events[nth, window] += found[window]
                empty_bricks[nth, window] += found[window] == 0


@compiled
def _compress(
    nonzero: NDArray[np.uint8],
    origins: NDArray[np.int64],
    tap: NDArray[np.int64],
    channel: NDArray[np.int64],
    operand: NDArray[np.int64],
    lane_first: NDArray[np.int64],
    lane_stop: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    windows, lanes = origins.shape[0], lane_first.size
    pointers = np.zeros(windows * lanes + 1, dtype=np.int64)
    room = windows * (lane_stop - lane_first).sum()
    positions = np.empty(room, dtype=np.int64)
    operands = np.empty(room, dtype=np.int64)
    end = 0
    for window in range(windows):
        for lane in range(lanes):
            for step in range(lane_first[lane], lane_stop[lane]):
                origin = origins[window, tap[step]]
                if origin >= 0 and nonzero[origin + channel[step]]:
                    positions[end] = origin + channel[step]
                    operands[end] = operand[step]
                    end += 1
            pointers[window * lanes + lane + 1] = end
    return pointers, positions[:end], operands[:end]
