from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import Task
from hwmodel.walk import by_rows, dealt, interleaved, sliced


def bricks(walk):
    """List, for each lane, its bricks, each a list of operands."""
    lanes = []
    for first, stop in pairwise(walk.lane_pointers):
        edges = walk.brick_pointers[first : stop + 1].tolist()
        lanes.append([walk.operand[begin:end].tolist() for begin, end in pairwise(edges)])
    return lanes


def task_of(channels, positions) -> Task:
    """Make a task whose operand ``position * channels + channel`` is that channel at that position."""
    return Task.convolution((channels, positions), (1, channels, positions))


def test_interleaved_lanes_begin_anew_at_each_position():
    walk = interleaved(task_of(3, 2), lanes=2, packed=False)
    assert bricks(walk) == [[[0, 2, 3, 5]], [[1, 4]]]
    assert walk.operands_per_lane.tolist() == [4, 2]


def test_packed_lanes_go_on_over_positions():
    walk = interleaved(task_of(3, 2), lanes=2, packed=True)
    assert bricks(walk) == [[[0, 2, 4]], [[1, 3, 5]]]


def test_a_slice_is_the_same_channels_at_every_position():
    walk = sliced(task_of(4, 3), lanes=2, brick=16)
    assert bricks(walk) == [[[0, 1, 4, 5, 8, 9]], [[2, 3, 6, 7, 10, 11]]]


def test_a_slices_bricks_cross_positions_and_the_last_is_shorter():
    walk = sliced(task_of(4, 3), lanes=2, brick=4)
    assert bricks(walk) == [[[0, 1, 4, 5], [8, 9]], [[2, 3, 6, 7], [10, 11]]]


def test_each_row_of_a_kernel_is_a_lanes_for_its_share_of_the_channels():
    task = Task.convolution((5, 2, 3), (1, 5, 2, 2))
    top = [[[0, 1, 2, 5, 6, 7]], [[3, 4, 8, 9]]]
    bottom = [[[10, 11, 12, 15, 16, 17]], [[13, 14, 18, 19]]]
    assert bricks(by_rows(task, sets=2)) == [*top, *bottom]


def test_the_depth_of_a_kernel_is_more_channels():
    task = Task.convolution((2, 3, 1, 1), (1, 2, 3, 1, 1))
    assert bricks(by_rows(task, sets=2)) == [[[0, 1, 2]], [[3, 4, 5]]]


def test_channels_that_do_not_divide_leave_the_last_lanes_less():
    walk = sliced(task_of(5, 1), lanes=4, brick=16)
    assert bricks(walk) == [[[0, 1]], [[2, 3]], [[4]], []]
    assert walk.working_lanes.tolist() == [0, 1, 2]
    assert walk.operands_per_lane.tolist() == [2, 2, 1, 0]


def test_dealt_bricks_stay_within_a_position_and_go_round():
    walk = dealt(task_of(3, 3), lanes=2, brick=2)
    # The bricks in turn: channels 0-1 and 2 of position 0, of position 1, of position 2.
    assert bricks(walk) == [[[0, 1], [3, 4], [6, 7]], [[2], [5], [8]]]
    assert bricks(dealt(task_of(2, 3), lanes=2, brick=2)) == [[[0, 1], [4, 5]], [[2, 3]]]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(channels=st.integers(1, 40), positions=st.integers(1, 5), lanes=st.integers(1, 20), brick=st.integers(1, 20))
def test_every_operand_is_walked_exactly_once(channels, positions, lanes, brick):
    task = task_of(channels, positions)
    for walk in (
        interleaved(task, lanes, packed=True),
        interleaved(task, lanes, packed=False),
        sliced(task, lanes, brick),
        dealt(task, lanes, brick),
    ):
        walk.check()
        assert walk.lane_pointers.size == lanes + 1
        assert sorted(operand for lane in bricks(walk) for one in lane for operand in one) == list(range(task.operands))
        for lane in bricks(walk):
            in_order = [operand for one in lane for operand in one]
            assert in_order == sorted(in_order)


@pytest.mark.parametrize(
    ("field", "broken"),
    [
        ("operand", [0, 0, 4, 5, 2, 3, 6, 7]),
        ("brick_pointers", [0, 2, 2, 8]),
        ("brick_pointers", [1, 4, 8]),
        ("brick_pointers", [0, 4, 7]),
        ("lane_pointers", [0, 1, 1]),
        ("lane_pointers", [0, 3, 2]),
        ("lane_pointers", [1, 1, 2]),
    ],
)
def test_check_notices_a_broken_walk(field, broken):
    walk = sliced(task_of(4, 2), lanes=2, brick=4)
    walk.check()
    with pytest.raises(AssertionError):
        replace(walk, **{field: np.array(broken)}).check()
