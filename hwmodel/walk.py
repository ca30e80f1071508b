"""How the lanes of a machine share the operands of one window."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwmodel.task import Task


@dataclass(frozen=True, eq=False)
class Walk:
    """The order in which lanes take the operands of a window, the same for every window of a task.

    Attributes
    ----------
    operand
        int64 (operands,): indices into a window's operands, lane after lane, each in the order of its walk. Operand
        ``position * channels + channel`` is channel ``channel`` at kernel position ``position``.
    brick_pointers
        int64 (bricks + 1,): brick b of the walk is ``operand[brick_pointers[b]:brick_pointers[b + 1]]``; a brick is
        what a lane fetches at once.
    lane_pointers
        int64 (lanes + 1,): lane l walks the bricks from ``lane_pointers[l]`` up to ``lane_pointers[l + 1]``.
    """

    operand: NDArray[np.int64]
    brick_pointers: NDArray[np.int64]
    lane_pointers: NDArray[np.int64]

    @property
    def operands_per_lane(self) -> NDArray[np.int64]:
        """Count the operands of each lane: (lanes,)."""
        return np.diff(self.brick_pointers[self.lane_pointers])

    @property
    def working_lanes(self) -> NDArray[np.int64]:
        """List the lanes that have operands at all."""
        return np.flatnonzero(self.operands_per_lane)

    def check(self) -> None:
        """Assert that every operand is walked exactly once."""
        assert np.array_equal(np.sort(self.operand), np.arange(self.operand.size))
        assert self.brick_pointers[0] == 0
        assert self.brick_pointers[-1] == self.operand.size
        assert (np.diff(self.brick_pointers) > 0).all()
        assert self.lane_pointers[0] == 0
        assert self.lane_pointers[-1] == self.brick_pointers.size - 1
        assert (np.diff(self.lane_pointers) >= 0).all()


def interleaved(task: Task, lanes: int, packed: bool) -> Walk:
    """Deal neighbouring operands to neighbouring lanes, as a machine that reads ``lanes`` neurons at a time does.

    At each kernel position channel c goes to lane ``c mod lanes``; with ``packed`` the positions follow each other
    without a gap, so that it is operand i that goes to lane ``i mod lanes``. Each lane's share is one brick.
    """
    operand = np.arange(task.operands)
    lane = (operand if packed else operand % task.group_channels) % lanes
    return _walk(operand, lane, brick=np.zeros_like(operand), lanes=lanes)


def sliced(task: Task, lanes: int, brick: int) -> Walk:
    """Give lane l the channels from ``l ceil(C / lanes)`` on, walked position by position and cut into bricks.

    A brick may cross positions, and the last one of a lane may be shorter.
    """
    operand = np.arange(task.operands)
    share = -(-task.group_channels // lanes)
    lane = operand % task.group_channels // share
    nth_of_lane = np.empty_like(operand)
    for one in range(lanes):
        nth_of_lane[lane == one] = np.arange(np.count_nonzero(lane == one))
    return _walk(operand, lane, brick=nth_of_lane // brick, lanes=lanes)


def dealt(task: Task, lanes: int, brick: int) -> Walk:
    """Cut each position's channels into aligned bricks and deal these to the lanes in turn."""
    operand = np.arange(task.operands)
    position, channel = operand // task.group_channels, operand % task.group_channels
    bricks_per_position = -(-task.group_channels // brick)
    nth = position * bricks_per_position + channel // brick
    return _walk(operand, nth % lanes, brick=nth, lanes=lanes)


def _walk(operand: NDArray[np.int64], lane: NDArray[np.int64], brick: NDArray[np.int64], lanes: int) -> Walk:
    order = np.lexsort((operand, brick, lane))
    lane, brick = lane[order], brick[order]
    starts = np.flatnonzero(np.diff(lane, prepend=-1) | np.diff(brick, prepend=-1))
    return Walk(
        operand=operand[order],
        brick_pointers=np.append(starts, operand.size),
        lane_pointers=np.searchsorted(lane[starts], np.arange(lanes + 1)),
    )
