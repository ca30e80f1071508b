"""Copies take each element of what they read; views copy nothing."""

import pytest
import torch
import torch.nn.functional as F

import eventnet

MAPS = torch.randn(1, 6, 4, 4, generator=torch.Generator().manual_seed(1))


def test_the_zeros_that_are_copied_into_a_tensor_are_counted():
    record = eventnet.simulate(lambda a: torch.empty(1, 6, 4, 4).copy_(a), MAPS.relu()).records[0]
    assert (record.op, record.activations, record.events) == ("copy", 96, int((MAPS > 0).sum()))


@pytest.mark.parametrize(
    ("program", "work"),
    [
        (lambda a: torch.cat([a, a.relu()]), [("relu", 96), ("copy", 192)]),
        (lambda a: torch.stack([a.relu(), a.tanh()]), [("relu", 96), ("tanh", 96), ("copy", 192)]),
        (lambda a: F.pad(a, (1, 2, 0, 1)), [("copy", 96)]),
        (lambda a: F.pad(a, (1, 2, 0, 1), mode="reflect"), [("copy", 96)]),
        (lambda a: a.clone(), [("copy", 96)]),
        (lambda a: a.double(), [("copy", 96)]),
        (lambda a: a.permute(0, 2, 3, 1).reshape(-1), [("copy", 96)]),
        (lambda a: a.repeat(2, 1, 1, 1), [("copy", 96)]),
        (lambda a: torch.empty(2, 6, 4, 4).copy_(a), [("copy", 192)]),
        (lambda a: F.pixel_shuffle(a[:, :4], 2), [("copy", 64)]),
        (lambda a: F.unfold(a, 2), [("copy", 96)]),
        (lambda a: F.interpolate(a, scale_factor=2), [("upsample", 96)]),
        (lambda a: F.interpolate(a, size=(2, 2), mode="bilinear"), [("upsample", 96)]),
        (lambda a: a.view(-1)[3:].t().expand(2, 93), []),
    ],
)
def test_a_copy_takes_each_element_that_it_reads(vector_work, program, work):
    assert vector_work(program, MAPS) == work
