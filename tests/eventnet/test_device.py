"""A machine during one run: what it holds of the program's parameters."""

import numpy as np
import pytest

import hwmodel
from eventnet.device import Device
from hwmodel import Task, VectorTask
from hwmodel.offchip import Parameter

SPARSE = Task.matmul(np.ones(64, dtype=bool), np.arange(64 * 128).reshape(64, 128) % 16 == 0)


@pytest.mark.parametrize(
    ("machine", "held"),
    [
        ("dadiannao", 2 * 64 * 128),
        ("eie", 64 * 8),  # 64 columns of eight nonzero weights, a byte each: element 0, 16, 32 and 48 have two of each
    ],
)
def test_weights_take_the_memory_that_their_form_needs(machine, held):
    device = Device(hwmodel.load(machine))
    size = SPARSE.weight_bytes
    assert device.do(SPARSE, Parameter("fc", size, size)).offchip_bytes == 0
    assert device.memory.used_bytes == held


def test_compressed_weights_that_do_not_fit_come_compressed():
    device = Device(hwmodel.load("eie", spmat_bytes_per_pe=4))
    size = SPARSE.weight_bytes
    assert device.do(SPARSE, Parameter("table", size, size // 4)).offchip_bytes == 128


def test_feature_maps_go_off_a_chip_that_keeps_none():
    """A strip for each of two frames reads all filters, and both maps come and go."""
    device = Device(hwmodel.load("eyeriss"))
    task = Task.convolution(np.ones((2, 3, 4, 4), dtype=bool), (5, 3, 3, 3), padding=1)
    size = task.weight_bytes
    inputs = 2 * 8 * 16  # 48 values of a frame, three to a word of 8 bytes
    assert device.do(task, Parameter("conv", size, size)).offchip_bytes == 2 * size + inputs + 2 * 2 * 5 * 16
    assert device.do(task).offchip_bytes == inputs + 2 * 2 * 5 * 16
    assert Device(hwmodel.load("dadiannao")).do(task).offchip_bytes == 0


def test_a_chip_that_waits_for_its_link_waits_for_feature_maps():
    task = Task.convolution(np.ones((64, 8, 8), dtype=bool), (4, 64, 1, 1))
    charged, waiting = (Device(hwmodel.load("eyeriss"), offchip=offchip).do(task) for offchip in ("energy", "time"))
    assert charged.bound == waiting.bound == "offchip"
    assert waiting.ticks == -(-charged.offchip_bytes * 200_000_000 // 480_000_000) > charged.ticks
    assert charged.offchip_pj == pytest.approx(charged.offchip_bytes * 309 / 2)


def test_vector_work_reads_its_parameters_as_they_are():
    device = Device(hwmodel.load("dadiannao", synapse_bytes_per_unit=0))
    assert device.do(VectorTask("norm", 10), Parameter("scale", 20, 20)).offchip_bytes == 20
