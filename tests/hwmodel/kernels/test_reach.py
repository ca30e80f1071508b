import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import Task
from hwmodel.kernels import Reach
from hwmodel.kernels.reach import OUTSIDE
from hwmodel.windows import window_origins


def line(size, kernel, **geometry) -> Reach:
    return Task.convolution((1, size), (1, 1, kernel), **geometry).reach


def runs(reach: Reach) -> list[list[tuple[int, int, int]]]:
    every = [tuple(run) for run in reach.runs.tolist()]
    return [every[begin:end] for begin, end in zip(reach.pointers[:-1], reach.pointers[1:], strict=True)]


def test_the_taps_of_a_row_are_one_run_which_padding_shortens():
    assert runs(line(4, 3, padding=1)) == [[(0, 2, 1)], [(0, 3, 0)], [(1, 4, -1)], [(2, 4, -2)]]


def test_windows_of_a_stride_reach_further():
    assert runs(line(5, 3, stride=2)) == [[(0, 3, 0)], [(2, 5, -2)]]


def test_with_dilation_each_tap_is_a_run():
    assert runs(line(5, 3, dilation=2)) == [[(0, 1, 0), (2, 3, -1), (4, 5, -2)]]


def test_a_window_in_the_padding_reaches_nothing():
    assert runs(line(1, 1, padding=1)) == [[], [(0, 1, 0)], []]
    assert line(1, 1, padding=1).columns_per_run == 1
    assert Reach.of((*[np.zeros((1, 1), dtype=np.int64)] * 3, np.full((2, 1), -1)), (1, 1, 1, 1)).columns_per_run == 0


def test_rows_of_the_kernel_outside_of_the_feature_map_are_marked():
    reach = Task.convolution((1, 3, 1), (1, 1, 2, 1), padding=(1, 0)).reach
    assert reach.rows.tolist() == [[-1, 0], [0, 1], [1, 2], [2, -1]]
    assert reach.kernel_columns == 1


def test_frames_have_rows_of_their_own():
    reach = Task.convolution((2, 1, 2, 3), (1, 1, 1, 3)).reach
    assert reach.rows.tolist() == [[0], [1], [2], [3]]
    assert reach.window_columns == 1


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_runs_and_rows_are_the_taps_of_every_window(works, data):
    task = data.draw(works).task()
    reach = task.reach
    width, channels = task.activations.nonzero.shape[3:]
    found = np.full((task.windows, reach.rows.shape[1], reach.kernel_columns), -1)
    for window_row, rows in enumerate(reach.rows):
        for column, of_column in enumerate(runs(reach)):
            for first, stop, shift in of_column:
                for position in range(first, stop):
                    there = np.where(rows < 0, -1, (rows * width + position) * channels)
                    window = window_row * reach.window_columns + column
                    assert (found[window, :, position + shift] == -1).all()
                    found[window, :, position + shift] = there
    assert found.reshape(task.windows, -1).tolist() == window_origins(task, 0, task.windows).tolist()


def columns_read(columns) -> Reach:
    return Reach.of((np.zeros((1, 1), dtype=np.int64),) * 3 + (np.array(columns, dtype=np.int64),), (1, 1, 1))


def test_spans_say_which_windows_read_at_each_column_of_the_kernel():
    task = Task.convolution((1, 5), (1, 1, 3), stride=2, padding=1)
    # Windows read columns (outside 0 1), (1 2 3) and (3 4 outside).
    assert task.reach.spans.tolist() == [[1, 3, 1, 2], [0, 3, 0, 2], [0, 2, 1, 2]]


def test_a_column_that_no_window_reads_has_an_empty_span():
    assert columns_read([[OUTSIDE, 0], [OUTSIDE, 1]]).spans.tolist() == [[0, 0, 0, 0], [0, 2, 0, 1]]


@pytest.mark.parametrize("read", [[0, OUTSIDE, 2], [0, 1, 3]])
def test_irregular_columns_have_no_spans(read):
    assert columns_read([[one] for one in read]).spans is None


def test_operands_inside_are_those_that_are_not_padding_in_all_windows_before():
    task = Task.convolution((1, 2, 3), (1, 1, 2, 2), padding=(1, 0))  # three rows of two windows; a row of padding above, below
    assert task.reach.operands_inside.tolist() == [0, 2, 4, 8, 12, 14, 16]


def test_the_reach_of_the_same_tables_is_found_once():
    first, second = (Task.convolution((1, 5), (1, 1, 3), stride=2, padding=1) for _ in range(2))
    assert first.reach is second.reach
    assert Task.convolution((1, 5), (1, 1, 3), padding=1).reach is not first.reach
