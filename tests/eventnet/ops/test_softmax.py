"""Softmax is one vector task of its input's elements."""

import torch
from torch import nn

ROWS = torch.randn(5, 9, generator=torch.Generator().manual_seed(1))


def test_softmax_and_its_logarithm_take_a_lane_tick_for_each_element(vector_work, vector_backward):
    for module in (nn.Softmax(1), nn.LogSoftmax(1), nn.Softmax(0)):
        assert vector_work(module, ROWS) == [("softmax", 45)]
        assert vector_backward(module, ROWS) == [("softmax", 2 * 45)]  # the gradient and the result
