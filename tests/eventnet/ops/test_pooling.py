"""Pooling is one vector task of its input's elements, whatever it is made of below autograd."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

MAPS = torch.randn(1, 3, 7, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "program",
    [
        nn.MaxPool2d(2), nn.AvgPool2d(3, stride=2), nn.AdaptiveAvgPool2d(1), nn.AdaptiveAvgPool2d(3), nn.AdaptiveMaxPool2d(2),
        nn.LPPool2d(2, 2),
    ],
    ids=lambda module: type(module).__name__,
)  # fmt: skip
def test_pooling_of_maps_takes_a_lane_tick_for_each_element(vector_work, program):
    assert vector_work(program, MAPS) == [("pool", MAPS.numel())]


@pytest.mark.parametrize("program", [nn.MaxPool1d(2), nn.AvgPool1d(3), nn.AdaptiveAvgPool1d(2), nn.AdaptiveMaxPool1d(2)])
def test_pooling_of_sequences(vector_work, program):
    assert vector_work(program, MAPS[0]) == [("pool", MAPS.numel())]


@pytest.mark.parametrize("program", [nn.MaxPool3d(2), nn.AvgPool3d(2), nn.AdaptiveAvgPool3d(2), nn.AdaptiveMaxPool3d(2)])
def test_pooling_of_volumes(vector_work, program):
    assert vector_work(program, MAPS[None]) == [("pool", MAPS.numel())]


def test_backward_reads_the_gradient_the_input_and_the_indices(vector_backward):
    pooled = 3 * 3 * 4
    assert vector_backward(nn.MaxPool2d(2), MAPS) == [("pool", pooled + MAPS.numel() + pooled)]
    assert vector_backward(nn.AvgPool2d(2), MAPS) == [("pool", pooled + MAPS.numel())]


def test_unpooling_reads_values_and_indices(vector_work):
    values, indices = F.max_pool2d(MAPS, 2, return_indices=True)
    assert vector_work(lambda value, where: F.max_unpool2d(value, where, 2), values, indices) == [("pool", 2 * values.numel())]
