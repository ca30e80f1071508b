import numpy as np

from hwmodel import Task
from hwmodel.uses import count_uses


def test_an_operand_is_counted_in_every_window_that_finds_an_event():
    task = Task.convolution(np.array([[1, 0, 3, 0], [0, 0, 4, 5]]), (1, 2, 3), padding=1)
    # Windows (p 1 0), (1 0 3), (0 3 0), (3 0 p) of channel 0 and (p 0 0), (0 0 4), (0 4 5), (4 5 p) of channel 1.
    assert count_uses(task.activations.nonzero, task.reach).tolist() == [[[2, 1], [2, 2], [1, 2]]]


def test_more_rows_than_a_byte_counts_are_added_up():
    task = Task.convolution(np.ones((1, 1000, 2)), (1, 1, 300, 1))
    uses = count_uses(task.activations.nonzero, task.reach)
    assert uses.shape == (300, 1, 1)
    assert (uses == 701 * 2).all()


def test_positions_read_by_several_windows_at_one_tap_count_each_time():
    gradient = Task.weight_gradient(np.ones((1, 2, 3, 3)), np.ones((1, 1, 3, 3)), (3, 3), padding=1)
    uses = count_uses(gradient.activations.nonzero, gradient.reach)
    assert uses.sum() == gradient.macs - gradient.layout.groups * 2 * (81 - 49)


def test_a_task_without_positions_has_no_uses():
    task = Task.matmul(np.zeros((0, 3)), np.ones((3, 2)))
    assert count_uses(task.activations.nonzero, task.reach).tolist() == [[[0, 0, 0]]]
