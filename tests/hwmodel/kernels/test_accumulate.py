import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import Task
from hwmodel.kernels import Events, Tiles, accumulate, compress
from hwmodel.kernels.tiles import VECTORS

KINDS = ["float32", "float64", "int64", "int8"]
TILES = [Tiles.cut, Tiles.uncut]


def events_of(task: Task, values: np.ndarray, block: int) -> Events:
    return compress(values, task.activations.nonzero, task.groups, block)


def sums_of(task: Task, kind: str, cut, block: int) -> tuple[np.ndarray, np.ndarray]:
    events = events_of(task, task.activations.values.astype(kind), block)
    return accumulate(events, cut(task.weights.values.astype(kind)), task.reach)


def integers(generator, shape, density, magnitude=9) -> np.ndarray:
    return (
        generator.integers(1, magnitude + 1, size=shape)
        * (generator.random(shape) < density)
        * generator.choice([-1, 1], shape)
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_sums_are_those_of_plain_loops_for_every_block_type_and_tile(works, data):
    work = data.draw(works)
    task, counts = work.task(), work.counts()
    kind, cut = data.draw(st.sampled_from(KINDS)), data.draw(st.sampled_from(TILES))
    sums, added = sums_of(task, kind, cut, block=data.draw(st.sampled_from([1, 2, 16, 100])))
    assert task.layout.give_outputs(sums).tolist() == counts.outputs.tolist()
    assert added.tolist() == counts.products_of_blocks


@pytest.mark.parametrize("cut", TILES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filters", [1, 15, 16, 33, 64, 96, 127, 128, 129, 300])
def test_any_number_of_filters_fits_tiles(filters, kind, cut):
    generator = np.random.default_rng(filters)
    rows, columns = integers(generator, (5, 37), 0.6), integers(generator, (37, filters), 0.9)
    task = Task.matmul(rows, columns)
    sums, added = sums_of(task, kind, cut, block=20)
    assert sums.tolist() == (rows @ columns).tolist()
    assert added.tolist() == (np.count_nonzero(rows, axis=1) * filters).tolist()


def test_every_width_of_tiles_is_reached():
    widths = {Tiles.cut(np.ones((1, 1, filters), dtype=np.float32)).vectors for filters in (1, 33, 96, 128)}
    assert widths >= set(VECTORS) - {8}


@pytest.mark.parametrize("cut", TILES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("density", [0, 1])
@pytest.mark.parametrize(("stride", "dilation", "padding"), [(1, 1, 1), (2, 1, 2), (1, 2, 2), (3, 2, 0)])
def test_convolutions_without_zeros_and_without_events(stride, dilation, padding, density, kind, cut):
    generator = np.random.default_rng(3)
    given, filters = integers(generator, (20, 9, 8), density), integers(generator, (40, 20, 3, 2), 1)
    task = Task.convolution(given, filters, stride=stride, dilation=dilation, padding=padding)
    sums, added = sums_of(task, kind, cut, block=16)
    padded = np.pad(given, ((0, 0), (padding, padding), (padding, padding)))
    height, width = task.window_shape[2:]
    expected = np.zeros((40, height, width), dtype=np.int64)
    for row, column in np.ndindex(3, 2):
        met = padded[:, row * dilation :: stride, column * dilation :: stride][:, :height, :width]
        expected += np.einsum("chw,fc->fhw", met, filters[:, :, row, column])
    assert task.layout.give_outputs(sums).tolist() == expected.tolist()
    assert added.tolist() == task.products_planned.tolist()


@pytest.mark.parametrize("cut", TILES)
def test_sums_of_small_integers_are_exact_beyond_16_bits(cut):
    task = Task.matmul(np.full((1, 4000), -128), np.full((4000, 40), -128))
    assert sums_of(task, "int8", cut, block=4000)[0].tolist() == [[4000 * 128 * 128] * 40]
    mixed = Task.matmul(np.full((1, 4000), 7), np.full((4000, 40), -7))
    sums, added = sums_of(mixed, "int8", cut, block=4000)
    assert sums.tolist() == [[-4000 * 49] * 40]
    assert sums.dtype == np.int32
    assert added.tolist() == [4000 * 40]


@pytest.mark.parametrize("cut", TILES)
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_reaches_the_windows_that_read_it_and_no_other(special, kind, cut):
    generator = np.random.default_rng(11)
    given = integers(generator, (20, 6, 6), 0.4).astype(kind)
    given[3, 2, 2] = special
    filters = integers(generator, (40, 20, 3, 3), 1).astype(kind)
    task = Task.convolution(given, filters)
    outputs = task.layout.give_outputs(sums_of(task, kind, cut, block=16)[0])
    expected = np.zeros_like(outputs)
    for row, column in np.ndindex(3, 3):
        expected += np.einsum("chw,fc->fhw", given[:, row : row + 4, column : column + 4], filters[:, :, row, column])
    assert (~np.isfinite(expected)).sum() == 40 * 9
    assert np.array_equal(outputs, expected, equal_nan=True)


@pytest.mark.parametrize("cut", TILES)
def test_infinities_of_both_signs_are_no_number(cut):
    task = Task.matmul(np.array([[np.inf, -np.inf, 1]], dtype=np.float32), np.ones((3, 40), dtype=np.float32))
    assert np.isnan(sums_of(task, "float32", cut, block=3)[0]).all()


@pytest.mark.parametrize("cut", TILES)
def test_float32_sums_lie_within_the_rounding_bound(cut):
    generator = np.random.default_rng(5)
    rows, columns = (generator.standard_normal(shape).astype(np.float32) for shape in ((9, 700), (700, 70)))
    sums, _ = sums_of(Task.matmul(rows, columns), "float32", cut, block=64)
    rounding = 700 * 2.0**-24
    bound = rounding / (1 - rounding) * (abs(rows).astype(float) @ abs(columns).astype(float))
    assert sums.dtype == np.float32
    assert (abs(sums - rows.astype(float) @ columns.astype(float)) <= bound).all()


@pytest.mark.parametrize("cut", TILES)
def test_an_event_that_is_lost_shows_in_the_sums_and_in_what_was_added(cut):
    task = Task.convolution(np.ones((4, 3, 3)), np.ones((20, 4, 2, 2)))
    events = events_of(task, task.activations.values.astype(np.float32), block=4)
    pointers = events.pointers.copy()
    pointers[0, 0, 0] += 1  # only the first window reads the first position
    tiles = cut(task.weights.values.astype(np.float32))
    whole, added = accumulate(events, tiles, task.reach)
    short, added_short = accumulate(replace(events, pointers=pointers), tiles, task.reach)
    assert whole.tolist() == [[16.0] * 20] * 4
    assert added.tolist() == [16 * 20] * 4
    assert short.tolist() == [[15.0] * 20, *[[16.0] * 20] * 3]
    assert added_short.tolist() == [15 * 20, *[16 * 20] * 3]


def test_more_windows_than_a_cache_holds_are_taken_in_parts(monkeypatch):
    monkeypatch.setattr(sys.modules["hwmodel.kernels.accumulate"], "SECOND_CACHE_BYTES", 1)
    generator = np.random.default_rng(2)
    task = Task.convolution(integers(generator, (3, 8, 5), 0.5), integers(generator, (20, 3, 3, 3), 1), padding=1)
    parts, added = sums_of(task, "float32", Tiles.cut, block=3)
    monkeypatch.undo()
    assert parts.tolist() == sums_of(task, "int64", Tiles.uncut, block=1)[0].tolist()
    assert added.tolist() == task.products_planned.tolist()


@pytest.mark.parametrize("cut", TILES)
@pytest.mark.parametrize(("rows", "length", "columns"), [(0, 3, 20), (3, 0, 20), (3, 4, 0)])
def test_a_product_of_nothing_is_zeros(rows, length, columns, cut):
    task = Task.matmul(np.ones((rows, length)), np.ones((length, columns)))
    sums, added = sums_of(task, "float32", cut, block=16)
    assert sums.tolist() == np.zeros((rows, columns)).tolist()
    assert added.tolist() == [length * columns] * rows
