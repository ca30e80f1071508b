"""Normalisation is one vector task of its input's elements, whatever it is made of below autograd."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

MAPS = torch.randn(1, 6, 7, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "program",
    [
        nn.LocalResponseNorm(5), nn.BatchNorm2d(6), nn.BatchNorm2d(6).eval(), nn.LayerNorm(8), nn.LayerNorm([7, 8]),
        nn.GroupNorm(2, 6), nn.InstanceNorm2d(6), nn.InstanceNorm2d(6, affine=True, track_running_stats=True), nn.RMSNorm(8),
        nn.CrossMapLRN2d(5), lambda value: F.layer_norm(value, [8]), lambda value: F.rms_norm(value, [8]),
    ],
    ids=lambda program: type(program).__name__,
)  # fmt: skip
def test_normalisation_takes_a_lane_tick_for_each_element(vector_work, program):
    assert vector_work(program, MAPS) == [("norm", MAPS.numel())]


@pytest.mark.parametrize("module", [nn.LocalResponseNorm(5), nn.RMSNorm(8)], ids=lambda module: type(module).__name__)
def test_the_backward_of_several_operators_is_one_task_in_each_pass(vector_backward, module):
    assert vector_backward(module, MAPS) == [("norm", 2 * MAPS.numel())]

    def twice(value):
        return module(module(value))

    assert vector_backward(twice, MAPS) == 2 * [("norm", 2 * MAPS.numel())]


def test_the_backward_of_layer_normalisation_reads_gradient_input_and_statistics(vector_backward):
    assert vector_backward(nn.LayerNorm(8), MAPS) == [("norm", 2 * MAPS.numel() + 2 * 6 * 7)]


def test_a_product_in_the_next_module_is_no_part_of_a_normalisation(agrees):
    run = agrees(nn.Sequential(nn.LocalResponseNorm(3), nn.Conv2d(6, 4, 3), nn.LocalResponseNorm(3)), MAPS)
    assert [(record.name, record.op) for record in run.records if record.part == "forward"][:3] == [
        ("Sequential.0", "norm"), ("Sequential.1", "convolution"), ("Sequential.2", "norm"),
    ]  # fmt: skip
