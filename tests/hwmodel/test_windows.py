from itertools import pairwise
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel.windows
from hwmodel import Task
from hwmodel.layout import PADDING
from hwmodel.walk import dealt, interleaved, sliced
from hwmodel.windows import LaneCounter, count_lanes, lane_events, window_origins, window_ranges

generated = settings(max_examples=200, deadline=None, derandomize=True)


def small_task() -> Task:
    """Make two channels of four neurons, kernel 1x3, padding 1: four windows of six operands."""
    return Task.convolution(np.array([[1, 0, 3, 0], [0, 0, 4, 5]]), (1, 2, 3), padding=1)


def test_origins_are_where_channel_0_of_each_kernel_position_is():
    assert window_origins(small_task(), 0, 4).tolist() == [[PADDING, 0, 2], [0, 2, 4], [2, 4, 6], [4, 6, PADDING]]
    assert window_origins(small_task(), 2, 3).tolist() == [[2, 4, 6]]


def test_origins_of_a_plane_are_padding_if_either_coordinate_is():
    task = Task.convolution((1, 2, 3), (1, 1, 2, 2), padding=(1, 0))
    # Output rows -1, 0 and 1, two columns each; a row of the input is three positions.
    assert window_origins(task, 0, 6).tolist() == [
        [PADDING, PADDING, 0, 1],
        [PADDING, PADDING, 1, 2],
        [0, 1, 3, 4],
        [1, 2, 4, 5],
        [3, 4, PADDING, PADDING],
        [4, 5, PADDING, PADDING],
    ]


def test_lanes_count_events_and_what_they_read():
    """Lane 0 has channel 0 and lane 1 channel 1, in bricks of two positions and one."""
    counts = count_lanes(small_task(), sliced(small_task(), lanes=2, brick=2), 0, 4)
    # Windows of channel 0: (p 1)(0), (1 0)(3), (0 3)(0), (3 0)(p); of channel 1: (p 0)(0), (0 0)(4), (0 4)(5), (4 5)(p).
    assert counts.events.T.tolist() == [[1, 0], [2, 1], [1, 2], [1, 2]]
    assert counts.empty_bricks.T.tolist() == [[1, 2], [0, 1], [1, 0], [1, 1]]
    assert counts.operands_read.counts.tolist() == [2, 2, 3, 3, 3, 3, 2, 2]  # of two lanes in each window
    assert counts.operands_read.total == 20


def test_a_job_carries_the_events_of_its_lane_in_their_order():
    events = lane_events(small_task(), sliced(small_task(), lanes=2, brick=2), 1, 3)
    assert events.pointers.tolist() == [0, 2, 3, 4, 6]
    assert events.operands.tolist() == [0, 4, 5, 2, 3, 5]  # position * 2 + channel
    assert events.positions.tolist() == [0, 4, 5, 4, 5, 7]  # neuron * 2 + channel
    assert events.output_block.tolist() == [1, 1, 2, 2]
    assert events.filters == slice(None)


def test_a_lane_without_operands_has_no_job():
    task = small_task()
    events = lane_events(task, sliced(task, lanes=5, brick=2), 0, 4)
    assert events.output_block.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_ranges_cover_every_window_once(monkeypatch):
    task = Task.convolution((2, 9), (1, 2, 3))
    for size, ranges in [(1, 7), (12, 4), (13, 4), (42, 1), (1 << 21, 1)]:
        monkeypatch.setattr(hwmodel.windows, "OPERANDS_PER_RANGE", size)
        found = list(window_ranges(task))
        assert len(found) == ranges
        assert [window for first, stop in found for window in range(first, stop)] == list(range(7))


@generated
@given(data=st.data())
def test_a_range_of_windows_counts_and_carries_what_plain_loops_find(works, data):
    work, lanes, brick = data.draw(works), data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    task = work.task()
    share = data.draw(st.sampled_from([sliced, dealt]))
    walk = data.draw(
        st.sampled_from(
            [share(task, lanes, brick), interleaved(task, lanes, packed=True), interleaved(task, lanes, packed=False)]
        )
    )
    windows = [window for group in range(work.groups) for window in work.windows(group)]
    first = data.draw(st.integers(0, len(windows) - 1))
    stop = data.draw(st.integers(first + 1, len(windows)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hwmodel.windows, "worth_tallying", lambda _task, _steps: True)
        counts = LaneCounter(task, walk).count(first, stop)
        patch.setattr(hwmodel.windows, "worth_tallying", lambda _task, _steps: False)
        plain = LaneCounter(task, walk).count(first, stop)
    events = lane_events(task, walk, first, stop)
    values = task.activations.values.reshape(-1)
    job = 0
    for window in range(first, stop):
        operands = [operand for position in windows[window] for operand in position]
        for lane in range(lanes):
            edges = walk.brick_pointers[walk.lane_pointers[lane] : walk.lane_pointers[lane + 1] + 1].tolist()
            found = [walk.operand[begin:end].tolist() for begin, end in pairwise(edges)]
            carried = [operand for one in found for operand in one if operands[operand]]
            empty = sum(not any(operands[operand] for operand in one) for one in found)
            read = sum(operands[operand] is not None for one in found for operand in one)
            if found:
                at = (job % walk.working_lanes.size, window - first)
                for way in (counts, plain):
                    assert (way.events[at], way.empty_bricks[at]) == (len(carried), empty)
                    assert way.operands_read.counts[job] == read
                    assert way.operands_read.total == way.operands_read.counts.sum()
                mine = slice(events.pointers[job], events.pointers[job + 1])
                assert events.operands[mine].tolist() == carried
                assert values[events.positions[mine]].tolist() == [operands[operand] for operand in carried]
                assert events.output_block[job] == window
                job += 1
    assert events.pointers.size == job + 1
    assert events.positions.size == events.pointers[-1]


@generated
@given(data=st.data())
def test_the_windows_of_frames_follow_each_other(convolutions, data):
    work = data.draw(convolutions)
    task = work.task()
    assert task.windows == prod([len(work.framed), *work.out_space]) == len(work.windows(0))
    origins = window_origins(task, 0, task.windows)
    assert origins.shape == (task.windows, prod(work.weights.shape[2:]))
    assert ((origins >= 0) | (origins == PADDING)).all()
