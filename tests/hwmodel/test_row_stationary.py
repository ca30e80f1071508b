"""The mapping of layers on Eyeriss' array: the published ones, and what every mapping must keep to."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from math import ceil

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwmodel import Task
from hwmodel.row_stationary import Array, Layer, Mapping, map_layer

PUBLISHED = Array(rows=12, columns=14, filter_words=224, ifmap_words=12, psum_words=24, glb_bytes=100_000, batch=1)
TINY = Array(rows=4, columns=3, filter_words=12, ifmap_words=4, psum_words=3, glb_bytes=1024, batch=2)
generated = settings(max_examples=100, deadline=None, derandomize=True)


def layer_of(filters, channels, kernel, size, stride=1, images=1) -> Layer:
    """Make a layer of a square map and kernel; ``channels`` and ``filters`` are those of a group."""
    return Layer(1, images, filters, channels, kernel, kernel, size, size, stride, stride)


def letters(mapping: Mapping) -> tuple[int, ...]:
    return tuple(getattr(mapping, letter) for letter in "mnepqrt")


@pytest.mark.parametrize(
    ("layer", "published", "active"),
    [
        (layer_of(96, 3, 11, 55, stride=4, images=4), (96, 1, 7, 16, 1, 1, 2), 154),
        (layer_of(128, 48, 5, 27, images=4), (64, 1, 27, 16, 2, 1, 1), 135),
        (layer_of(384, 256, 3, 13, images=4), (64, 4, 13, 16, 4, 1, 4), 156),
        (layer_of(192, 192, 3, 13, images=4), (64, 4, 13, 16, 3, 2, 2), 156),
        (layer_of(128, 192, 3, 13, images=4), (64, 4, 13, 16, 3, 2, 2), 156),
    ],
    ids=["CONV1", "CONV2", "CONV3", "CONV4", "CONV5"],
)
def test_alexnet_is_mapped_as_published(layer, published, active):
    """JSSC 2017, Table III (recalled), in batches of 4."""
    mapping = map_layer(layer, replace(PUBLISHED, batch=4))
    assert letters(mapping) == published
    assert mapping.active == active
    assert mapping.f == layer.columns


@pytest.mark.parametrize(
    ("filters", "channels", "size", "at_once", "active"),
    [
        (64, 3, 224, 1, 156),
        (64, 64, 224, 1, 156),
        (128, 64, 112, 1, 156),
        (128, 128, 112, 1, 156),
        (256, 128, 56, 2, 156),
        (256, 256, 56, 2, 156),
        (512, 256, 28, 4, 168),
        (512, 512, 28, 4, 168),
        (512, 512, 14, 8, 168),
    ],
)
def test_vgg_16_takes_the_channels_and_elements_that_published_counts_imply(filters, channels, size, at_once, active):
    mapping = map_layer(layer_of(filters, channels, 3, size, images=3), replace(PUBLISHED, batch=3))
    assert mapping.q * mapping.r == at_once
    assert mapping.active == active


def test_the_whole_buffer_would_take_other_channels_in_the_second_and_third_stage_of_vgg_16():
    """Which is why 100 KB are taken as 100,000 bytes: the published times are of one channel, and of two."""
    whole = replace(PUBLISHED, batch=3, glb_bytes=25 * 4096)
    second, third = (map_layer(layer_of(2 * one, one, 3, size, images=3), whole) for one, size in ((64, 112), (128, 56)))
    assert second.q * second.r == 2
    assert third.q * third.r == 1


@st.composite
def layers(draw):
    """Draw layers that any of the two arrays takes."""
    small = st.sampled_from([1, 2, 3, 4, 5, 8, 13, 32, 37])
    return Layer(
        groups=draw(st.integers(1, 2)),
        images=draw(st.integers(1, 4)),
        filters=draw(small),
        channels=draw(small),
        filter_rows=draw(st.integers(1, 4)),
        filter_columns=draw(st.integers(1, 4)),
        rows=draw(st.integers(1, 30)),
        columns=draw(st.sampled_from([1, 3, 14, 60, 400])),
        row_stride=draw(st.integers(1, 3)),
        column_stride=draw(st.integers(1, 3)),
        row_dilation=draw(st.integers(1, 2)),
        column_dilation=draw(st.integers(1, 2)),
    )


@generated
@given(layer=layers(), array=st.sampled_from([PUBLISHED, TINY, replace(PUBLISHED, batch=3)]))
def test_every_mapping_fits_the_scratchpads_the_buffer_and_the_array(layer, array):
    mapping = map_layer(layer, array)
    m, n, e, p, q, r, t = letters(mapping)
    assert min(letters(mapping)) >= 1
    assert p * q * layer.filter_columns <= array.filter_words
    assert q * layer.filter_columns <= array.ifmap_words
    assert p <= array.psum_words
    inputs = n * q * r * read_by(e, layer.row_stride, layer.filter_rows, layer.row_dilation)
    inputs *= read_by(mapping.f, layer.column_stride, layer.filter_columns, layer.column_dilation)
    assert 2 * (inputs + n * m * e * mapping.f) <= array.glb_bytes
    assert m >= min(p * t, layer.filters)
    assert (n, e, mapping.f) <= (layer.images, layer.rows, layer.columns)
    assert n <= array.batch
    assert mapping.active <= array.rows * array.columns
    assert r <= t


def read_by(outputs: int, stride: int, taps: int, dilation: int) -> int:
    return len({output * stride + tap * dilation for output in range(outputs) for tap in range(taps)})


@generated
@given(layer=layers(), array=st.sampled_from([PUBLISHED, TINY]))
def test_slabs_cut_the_outputs_into_parts_that_do_not_overlap(layer, array):
    mapping = map_layer(layer, array)
    made = np.zeros((layer.groups, layer.images, layer.rows, layer.columns), dtype=np.int64)
    slabs = list(mapping.slabs())
    for slab in slabs:
        made[np.ix_([slab.group], slab.images, slab.rows, slab.columns)] += 1
    assert (made == 1).all()
    assert len(slabs) == layer.groups * mapping.slab_count


@generated
@given(layer=layers(), array=st.sampled_from([PUBLISHED, TINY]))
def test_every_part_of_a_round_has_an_element_of_its_own(layer, array):
    mapping = map_layer(layer, array)
    elements = mapping.elements(array)
    assert elements.shape == (mapping.e, mapping.t, layer.filter_rows, mapping.r)
    assert len(np.unique(elements)) == elements.size == mapping.active
    assert elements.min() >= 0
    assert elements.max() < array.rows * array.columns


def test_sums_go_up_a_column_from_one_set_of_channels_to_the_next():
    """CONV4 of AlexNet: two sets of filters under each other, each of two sets of channels of three rows."""
    mapping = map_layer(layer_of(192, 192, 3, 13, images=4), replace(PUBLISHED, batch=4))
    elements = mapping.elements(PUBLISHED)
    assert (elements % 14 == np.arange(13)[:, None, None, None]).all()
    assert (elements[0, :, :, :] // 14).tolist() == [[[0, 3], [1, 4], [2, 5]], [[6, 9], [7, 10], [8, 11]]]


def test_a_set_that_is_too_wide_is_folded():
    """CONV2 of AlexNet: 27 columns of five rows are 14, and 13 below them."""
    elements = map_layer(layer_of(128, 48, 5, 27), PUBLISHED).elements(PUBLISHED)[:, 0, :, 0]
    assert elements[:14].tolist() == [[14 * row + column for row in range(5)] for column in range(14)]
    assert elements[14:].tolist() == [[14 * (5 + row) + column for row in range(5)] for column in range(13)]


def test_sets_of_other_filters_stand_side_by_side():
    """CONV1 of AlexNet: two sets of 11 rows by 7."""
    elements = map_layer(layer_of(96, 3, 11, 55, stride=4), PUBLISHED).elements(PUBLISHED)
    assert elements[:, :, 0, 0].tolist() == [[column, 7 + column] for column in range(7)]


def test_a_task_is_seen_as_rows():
    task = Task.convolution(
        (2, 6, 5, 30, 40), (8, 3, 2, 3, 5), stride=(1, 2, 3), padding=(0, 1, 2), dilation=(1, 2, 1), groups=2
    )
    expected = Layer(
        groups=2,
        images=8,  # two frames, four depths
        filters=4,
        channels=6,  # three, at two depths
        filter_rows=3,
        filter_columns=5,
        rows=14,
        columns=14,
        row_stride=2,
        column_stride=3,
        row_dilation=2,
    )
    assert Layer.of(task) == expected
    rows = Task.matmul((7, 40), (40, 9))
    assert Layer.of(rows) == Layer(1, 1, 9, 40, 1, 1, 1, 7)


@generated
@given(outputs=st.integers(1, 9), stride=st.integers(1, 4), taps=st.integers(1, 5), dilation=st.integers(1, 3))
def test_rows_read_are_counted_once(outputs, stride, taps, dilation):
    layer = Layer(1, 1, 1, 1, taps, taps, outputs, outputs, stride, stride, dilation, dilation)
    assert layer.rows_read(outputs) == layer.columns_read(outputs) == read_by(outputs, stride, taps, dilation)


def test_rows_longer_than_the_buffer_are_cut_into_pieces():
    mapping = map_layer(Layer(1, 1, 1, 1, 1, 3, 1, 60_000), PUBLISHED)
    assert mapping.f == 20_000  # 2 bytes of an input and of a sum: 25,000 columns at most, so three pieces
    assert mapping.slab_count == 3
    assert mapping.rereading == pytest.approx((60_000 + 3 * 2) / (60_000 + 2))


def every_mapping(layer: Layer, array: Array) -> Iterator[tuple[float, tuple[float, ...], tuple[int, ...]]]:
    """List what fits by plain loops over the letters: elements at work, what mappings are compared by, and m n e p q r t."""
    wide = min(layer.rows, array.rows // layer.filter_rows * array.columns)
    planes = read_by(layer.columns, layer.column_stride, layer.filter_columns, layer.column_dilation)
    folds = ceil(layer.rows / array.columns)
    sets = array.rows // (layer.filter_rows * folds) * max(1, array.columns // layer.rows)
    whole = read_by(layer.rows, layer.row_stride, layer.filter_rows, layer.row_dilation) * planes
    whole += min(layer.filters, sets * array.psum_words) * layer.rows * layer.columns
    uncut = wide == layer.rows and 2 * whole <= array.glb_bytes
    for e in [layer.rows] if uncut else range(1, wide + 1):
        folds = ceil(e / array.columns)
        levels, beside = array.rows // (layer.filter_rows * folds), max(1, array.columns // e)
        read = [read_by(min(e, layer.rows - row), layer.row_stride, layer.filter_rows, layer.row_dilation) * planes
                for row in range(0, layer.rows, e)]  # fmt: skip
        for n in range(1, min(array.batch, layer.images) + 1):
            slabs = ceil(layer.images / n) * len(read)
            for r in range(1, (levels if folds == 1 else 1) + 1):
                for t in range(r, levels // r * beside + 1):
                    for q, p in product(range(1, array.ifmap_words + 1), range(1, array.psum_words + 1)):
                        if q * layer.filter_columns > array.ifmap_words or p * q * layer.filter_columns > array.filter_words:
                            continue
                        if q * r > layer.channels or t > layer.filters or p > layer.filters:
                            continue
                        passes, deep = ceil(layer.filters / (p * t)), ceil(layer.channels / (q * r))
                        strip = read_by(e, layer.row_stride, layer.filter_rows, layer.row_dilation) * planes
                        held = (array.glb_bytes - 2 * n * q * r * strip) // (2 * n * e * layer.columns * p * t)
                        if held < 1:
                            continue
                        fewest = ceil(passes / held)
                        even = [one for one in range(fewest, min(passes, fewest + 7) + 1) if passes % one == 0]
                        chunks = even[0] if even else fewest
                        m = min(layer.filters, ceil(passes / chunks) * p * t)
                        uneven = bool(layer.channels % (q * r) or layer.filters % (p * t) or not even)
                        inputs = layer.images * layer.channels * sum(read)
                        weights = layer.filters * layer.channels * layer.filter_rows * layer.filter_columns * slabs
                        offchip = inputs * ceil(layer.filters / m) + weights
                        sums = layer.images * layer.rows * layer.columns * layer.filters * (2 * deep - 1)
                        glb = sums + inputs * passes + weights
                        key = uneven, offchip, glb, slabs * passes * p * deep * q, -p * t, r, -e
                        slots = passes * p * t * deep * q * r
                        working = layer.filter_rows * e * r * t * layer.filters * layer.channels / slots
                        yield working, key, (m, n, e, p, q, r, t)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(layer=layers(), array=st.sampled_from([TINY, replace(TINY, rows=8, glb_bytes=4096)]))
def test_the_chosen_mapping_is_the_best_of_all_that_plain_loops_find(layer, array):
    assume(layer.columns <= 60)
    found = list(every_mapping(layer, array))
    most = max(working for working, _, _ in found)
    assert letters(map_layer(layer, array)) == min((key, one) for working, key, one in found if working >= 0.92 * most)[1]
