import numpy as np
import pytest

from hwmodel.kernels.tiles import VECTORS, Tiles, aligned_zeros, worth_cutting
from hwmodel.kernels.vectors import VECTOR_BYTES

KINDS = ["float32", "float64", "int64", "int8"]


def numbered(shape, kind) -> np.ndarray:
    return (np.arange(np.prod(shape)) % 100 + 1).reshape(shape).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filters", [1, 8, 31, 32, 33, 96, 100, 128, 129, 300])
def test_tiles_hold_every_weight_once_and_are_padded_with_zeros(filters, kind):
    weights = numbered((2, 3, filters), kind)
    tiles = Tiles.cut(weights)
    side_by_side = tiles.values.transpose(0, 2, 1, 3).reshape(2, 3, -1)
    assert side_by_side[:, :, :filters].tolist() == weights.tolist()
    assert not side_by_side[:, :, filters:].any()
    assert tiles.values.dtype == kind
    assert tiles.filters == filters


@pytest.mark.parametrize("filters", [1, 31, 32, 33, 64, 95, 96, 97, 100, 128, 192, 256, 384, 1000])
def test_tiles_have_the_width_that_needs_least_padding(filters):
    tiles = Tiles.cut(numbered((1, 1, filters), "float32"))
    lanes = VECTOR_BYTES // 4
    padded = [-(-filters // (vectors * lanes)) * vectors * lanes for vectors in VECTORS]
    assert tiles.vectors in VECTORS
    assert tiles.width == tiles.vectors * lanes
    assert tiles.width * tiles.values.shape[1] == min(padded)


@pytest.mark.parametrize(("kind", "lanes"), [("float32", 16), ("float64", 8), ("int64", 8), ("int8", 32)])
def test_a_vector_holds_what_is_added_up_in_it(kind, lanes):
    tiles = Tiles.cut(numbered((1, 1, 5), kind))
    assert tiles.width == tiles.vectors * lanes


def test_uncut_weights_are_the_same_memory():
    weights = numbered((2, 3, 5), "float32")
    tiles = Tiles.uncut(weights)
    assert tiles.vectors == 0
    assert tiles.width == 5
    assert np.shares_memory(tiles.values, weights)
    assert tiles.values[:, 0].tolist() == weights.tolist()


def test_the_largest_magnitude_may_be_a_negative_weight():
    assert Tiles.uncut(np.array([[[3, -128, 127]]], dtype=np.int8)).largest == 128
    assert Tiles.uncut(np.array([[[3, 7]]], dtype=np.int8)).largest == 7
    assert Tiles.cut(np.zeros((1, 0, 40), dtype=np.int8)).largest == 0


def test_tiles_pay_for_many_windows_and_filters_only():
    assert worth_cutting(windows=8, filters=4)
    assert not worth_cutting(windows=7, filters=1000)
    assert not worth_cutting(windows=1000, filters=3)


@pytest.mark.parametrize("shape", [(3, 5), (1,), (0, 7), (2, 0)])
@pytest.mark.parametrize("kind", KINDS)
def test_aligned_zeros_begin_at_a_cache_line(shape, kind):
    for _ in range(4):
        zeros = aligned_zeros(shape, kind)
        assert zeros.shape == shape
        assert zeros.dtype == kind
        assert zeros.flags.c_contiguous
        assert not zeros.any()
        assert zeros.size == 0 or zeros.ctypes.data % VECTOR_BYTES == 0
