"""How a walk is taken apart; that the counts are right is held against plain loops in test_windows.py."""

import numpy as np
import pytest

from hwmodel import Task
from hwmodel.tally import Steps, Tally
from hwmodel.walk import dealt, interleaved, sliced


def task_of(channels, positions) -> Task:
    return Task.convolution(np.ones((channels, positions), dtype=np.bool_), (1, channels, positions))


def test_slices_take_the_same_channels_of_every_position_in_one_row():
    steps = sliced(task_of(4, 3), lanes=2, brick=2).steps
    assert steps.shares.tolist() == [[[0, 2, 1], [2, 2, 1]]]  # first, count, step of each lane
    assert steps.row.tolist() == [0, 0, 0]
    assert steps.tap.tolist() == [0, 1, 2]
    assert steps.brick_pointers.tolist() == [0, 1, 2, 3]
    assert steps.bricks.tolist() == [3, 3]


def test_a_brick_that_crosses_positions_takes_several_steps():
    steps = sliced(task_of(4, 3), lanes=2, brick=3).steps
    assert steps.brick_pointers.tolist() == [0, 2, 4]
    assert steps.tap.tolist() == [0, 1, 1, 2]
    whole, first, second = [[0, 2, 1], [2, 2, 1]], [[0, 1, 1], [2, 1, 1]], [[1, 1, 1], [3, 1, 1]]
    assert [steps.shares[row].tolist() for row in steps.row] == [whole, first, second, whole]


def test_lanes_without_operands_are_left_out():
    steps = sliced(task_of(3, 1), lanes=5, brick=2).steps
    assert steps.lanes.tolist() == [0, 1, 2]
    assert steps.additions == 3


def test_interleaved_channels_are_so_far_apart_as_there_are_lanes():
    steps = interleaved(task_of(5, 1), lanes=2, packed=False).steps
    assert steps.shares.tolist() == [[[0, 3, 2], [1, 2, 2]]]


def test_dealt_bricks_of_one_round_may_lie_in_two_positions():
    steps = dealt(task_of(3, 2), lanes=4, brick=1).steps
    assert steps.brick_pointers.tolist() == [0, 2, 3]  # channels 0 to 2 of position 0 and channel 0 of position 1; the rest
    assert steps.tap.tolist() == [0, 1, 1]
    assert steps.bricks.tolist() == [2, 2, 1, 1]


def test_a_walk_whose_shares_are_irregular_has_no_steps():
    operand = np.array([0, 1, 3, 2])
    assert Steps.of(operand, np.array([0, 3, 4]), np.array([0, 1, 2]), channels=4) is None


@pytest.mark.parametrize(("channels", "kind"), [(16 * 255, np.uint8), (16 * 256, np.uint16), (16 * 65536, np.int32)])
def test_numbers_are_as_narrow_as_the_largest_share_allows(channels, kind):
    task = task_of(channels, 1)
    tally = Tally.of(task.activations.planes, 1, 1, interleaved(task, lanes=16, packed=False).steps, task.reach)
    assert tally.found.dtype == kind
    assert tally.found.sum(dtype=np.int64) == channels
