import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import Task
from hwmodel.kernels import Reach
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
