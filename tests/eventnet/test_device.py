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


def test_vector_work_reads_its_parameters_as_they_are():
    device = Device(hwmodel.load("dadiannao", synapse_bytes_per_unit=0))
    assert device.do(VectorTask("norm", 10), Parameter("scale", 20, 20)).offchip_bytes == 20
