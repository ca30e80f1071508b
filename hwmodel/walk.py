"""How the lanes of a machine share the operands of one window."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwmodel.frozen import frozen
from hwmodel.lazy import lazy
from hwmodel.tally import Steps
from hwmodel.task import Task


@frozen
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
    channels
        How many channels a kernel position has.
    """

    operand: NDArray[np.int64]
    brick_pointers: NDArray[np.int64]
    lane_pointers: NDArray[np.int64]
    channels: int

    @lazy
    def steps(self) -> Steps | None:
        """Take the walk apart by kernel positions; None for a walk whose lanes have no regular share of a position."""
        return Steps.of(self.operand, self.brick_pointers, self.lane_pointers, self.channels)

    @lazy
    def operands_per_lane(self) -> NDArray[np.int64]:
        """Count the operands of each lane: (lanes,)."""
        return np.diff(self.brick_pointers[self.lane_pointers])

    @lazy
    def most_operands(self) -> int:
        """Count the operands of the lane that has most."""
        return int(self.operands_per_lane.max(initial=0))

    @lazy
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
    return _interleaved(task.operands, task.group_channels, lanes, packed)


def sliced(task: Task, lanes: int, brick: int) -> Walk:
    """Give lane l the channels from ``l ceil(C / lanes)`` on, walked position by position and cut into bricks.

    A brick may cross positions, and the last one of a lane may be shorter.
    """
    return _sliced(task.operands, task.group_channels, lanes, brick)


def dealt(task: Task, lanes: int, brick: int) -> Walk:
    """Cut each position's channels into aligned bricks and deal these to the lanes in turn."""
    return _dealt(task.operands, task.group_channels, lanes, brick)


def by_rows(task: Task, sets: int) -> Walk:
    """Give lane ``row * sets + set`` what a row of the kernel reads of a share of the channels, one brick for each lane.

    Kernel positions in depth count as more channels; neighbouring ones go to the same of ``sets`` shares.
    """
    return _by_rows(task.kernel_shape, task.group_channels, sets)


# Many layers of a network, and every sample, have the same walk: the last ones made are kept.
_kept = lru_cache(maxsize=128)


@_kept
def _interleaved(operands: int, channels: int, lanes: int, packed: bool) -> Walk:
    operand = np.arange(operands)
    lane = (operand if packed else operand % channels) % lanes
    return _walk(operand, lane, brick=np.zeros_like(operand), lanes=lanes, channels=channels)


@_kept
def _sliced(operands: int, channels: int, lanes: int, brick: int) -> Walk:
    position, channel = np.divmod(np.arange(operands), channels)
    share = -(-channels // lanes)
    lane, nth = np.divmod(channel, share)
    share_of_lane = np.minimum(share, channels - lane * share)
    return _walk(np.arange(operands), lane, brick=(position * share_of_lane + nth) // brick, lanes=lanes, channels=channels)


@_kept
def _dealt(operands: int, channels: int, lanes: int, brick: int) -> Walk:
    position, channel = np.divmod(np.arange(operands), channels)
    nth = position * -(-channels // brick) + channel // brick
    return _walk(np.arange(operands), nth % lanes, brick=nth, lanes=lanes, channels=channels)


@_kept
def _by_rows(kernel: tuple[int, int, int, int], channels: int, sets: int) -> Walk:
    frames, depth, rows, columns = kernel
    above, row, _, channel = (one.reshape(-1) for one in np.indices((frames * depth, rows, columns, channels)))
    lane = row * sets + (above * channels + channel) * sets // (frames * depth * channels)
    return _walk(np.arange(lane.size), lane, brick=np.zeros_like(lane), lanes=rows * sets, channels=channels)


def _walk(operand: NDArray[np.int64], lane: NDArray[np.int64], brick: NDArray[np.int64], lanes: int, channels: int) -> Walk:
    order = np.lexsort((operand, brick, lane))
    lane, brick = lane[order], brick[order]
    starts = np.flatnonzero(np.diff(lane, prepend=-1) | np.diff(brick, prepend=-1))
    return Walk(
        operand=operand[order],
        brick_pointers=np.append(starts, operand.size),
        lane_pointers=np.searchsorted(lane[starts], np.arange(lanes + 1)),
        channels=channels,
    )
