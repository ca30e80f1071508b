import numpy as np
import pytest
from numba import njit

from hwmodel.kernels.vectors import COMPRESSED_LANES, add_run, compress_lanes


@njit
def add_two_vectors(sums, target, values, operands, begin, end, weights, origin):
    add_run(sums, target, values, operands, begin, end, weights, origin, 2)


@njit
def compress_once(values, operands, end, given, nonzero, first, operand):
    return compress_lanes(values, operands, end, given, nonzero, first, operand)


@pytest.mark.parametrize(("begin", "end"), [(0, 3), (1, 2), (2, 2), (3, 1)])
def test_a_run_adds_the_weights_of_its_events_to_one_tile(begin, end):
    values, operands = np.array([2, 3, 5], dtype=np.int64), np.array([7, 5, 6], dtype=np.int32)
    weights = np.arange(48, dtype=np.int64)
    sums = np.ones(20, dtype=np.int64)
    add_two_vectors(sums, 3, values, operands, begin, end, weights, -5 * 16)
    expected = np.ones(20, dtype=np.int64)
    for event in range(begin, end):
        expected[3:19] += values[event] * weights[(operands[event] - 5) * 16 :][:16]
    assert sums.tolist() == expected.tolist()


def test_float_sums_are_kept_in_registers():
    kinds = "f4", "i8", "f4", "i4", "i8", "i8", "f4", "i8"
    arguments = [np.zeros(64, dtype=kind) if place in (0, 2, 3, 6) else 0 for place, kind in enumerate(kinds)]
    add_two_vectors(*arguments)
    (assembly,) = [text for kind, text in add_two_vectors.inspect_asm().items() if "float32" in str(kind[0])]
    multiplied = [line for line in assembly.splitlines() if "vfmadd" in line]
    if not multiplied:
        pytest.skip("this processor has no fused multiply-add of this name")
    assert all(line.rstrip()[-1].isdigit() for line in multiplied)  # the last operand is what is written: a register


def test_marked_lanes_are_appended():
    given = np.arange(20, dtype=np.float64)
    nonzero = np.zeros(20, dtype=np.uint8)
    nonzero[[3, 4, 5, 19]] = 1, 255, 1, 1
    values, operands = np.full(20, -1.0), np.full(20, -1, dtype=np.int32)
    assert compress_once(values, operands, 2, given, nonzero, 4, 100) == 3
    assert values.tolist() == [-1, -1, 4, 5, 19] + [-1] * 15
    assert operands.tolist() == [-1, -1, 100, 101, 115] + [-1] * 15
    assert COMPRESSED_LANES == 16
