import sys

import numpy as np
import pytest

from hwmodel.kernels import compress


def listed(values: np.ndarray, groups: int, block: int) -> tuple[list, list, list]:
    """Find values, operands and pointers by plain loops."""
    columns, channels = values.shape[3:]
    flat, size = values.reshape(-1, columns, groups, channels // groups), channels // groups
    found, operands, pointers = [], [], []
    for row in flat:
        pointers.append([])
        for group in range(groups):
            for first in range(0, size, block):
                ends = [len(found)]
                for column in range(columns):
                    for channel in range(first, min(size, first + block)):
                        if row[column, group, channel] != 0:
                            found.append(row[column, group, channel])
                            operands.append(column * size + channel)
                    ends.append(len(found))
                pointers[-1].append(ends)
    return found, operands, pointers


def integers(shape, density, kind) -> np.ndarray:
    generator = np.random.default_rng(7)
    return (generator.integers(1, 100, size=shape) * (generator.random(shape) < density)).astype(kind)


@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "int8"])
@pytest.mark.parametrize("density", [0, 0.1, 0.5, 1])
@pytest.mark.parametrize(
    ("channels", "groups", "block"), [(1, 1, 1), (16, 1, 16), (48, 1, 32), (100, 2, 50), (70, 2, 16), (37, 1, 40), (9, 3, 2)]
)
def test_events_are_the_nonzeros_row_by_row_and_block_by_block(channels, groups, block, density, kind):
    values = integers((2, 1, 3, 4, channels), density, kind)
    events = compress(values, (values != 0).view(np.uint8), groups, block)
    found, operands, pointers = listed(values, groups, block)
    assert events.values.tolist() == found
    assert events.operands.tolist() == operands
    assert events.pointers.tolist() == pointers
    assert events.channels == channels // groups


def test_small_integers_travel_wide_and_others_in_their_type():
    for kind, travels in (("int8", "int32"), ("float32", "float32"), ("float64", "float64"), ("int64", "int64")):
        values = integers((1, 1, 1, 2, 20), 0.5, kind)
        assert compress(values, (values != 0).view(np.uint8), 1, 20).values.dtype == travels


def test_what_is_marked_is_an_event_whatever_its_value():
    values = np.array([np.nan, 0, np.inf, -0.0, 5], dtype=np.float32).repeat(16).reshape(1, 1, 1, 1, 80)
    nonzero = (values != 0).view(np.uint8)
    events = compress(values, nonzero, 1, 80)
    assert np.array_equal(events.values, np.array([np.nan, np.inf, 5]).repeat(16), equal_nan=True)
    assert events.operands.tolist() == [*range(16), *range(32, 48), *range(64, 80)]


def test_long_rows_have_long_operands(monkeypatch):
    monkeypatch.setattr(sys.modules["hwmodel.kernels.compress"], "LARGEST_OPERAND", 100)
    values = integers((1, 1, 1, 5, 21), 1, "float32")
    events = compress(values, (values != 0).view(np.uint8), 1, 21)
    assert events.operands.dtype == np.int64
    assert events.operands.tolist() == list(range(105))


@pytest.mark.parametrize("shape", [(0, 1, 1, 4, 16), (1, 1, 1, 0, 16), (1, 1, 1, 4, 0)])
def test_an_empty_feature_map_has_no_events(shape):
    events = compress(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.uint8), 1, 16)
    assert events.values.size == events.operands.size == 0
    assert not events.pointers.any()
