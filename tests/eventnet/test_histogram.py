"""Streaming histograms: exact counts, few bins, in any order of the values."""

import random

import pytest

from eventnet.histogram import Bin, Histogram


def of(values, most=4) -> Histogram:
    counts = Histogram(most)
    for value in values:
        counts.add(value)
        counts.check()
    return counts


def test_few_values_have_a_bin_each():
    assert of([7, 3, 7, 100]).bins == [Bin(3, 3, 1), Bin(7, 7, 2), Bin(100, 100, 1)]


def test_more_values_share_bins_whose_width_is_a_power_of_two():
    assert of([7, 3, 7, 100, 4, 5]).bins == [Bin(0, 32, 5), Bin(32, 64, 0), Bin(64, 96, 0), Bin(96, 128, 1)]


def test_bins_widen_as_the_range_grows():
    counts = of([1, 2, 3, 4, 5])
    assert counts.bins == [Bin(0, 2, 1), Bin(2, 4, 2), Bin(4, 6, 2)]
    counts.add(1000)
    assert counts.bins == [Bin(0, 256, 5), Bin(256, 512, 0), Bin(512, 768, 0), Bin(768, 1024, 1)]


def test_a_narrower_copy_leaves_the_histogram_as_it_was():
    counts = of(range(16), most=16)
    assert counts.narrowed(2).bins == [Bin(0, 8, 8), Bin(8, 16, 8)]
    assert len(counts.bins) == 16
    assert Histogram().bins == Histogram().narrowed(3).bins == []


@pytest.mark.parametrize("kind", [int, float])
def test_every_value_is_counted_in_its_bin_in_any_order(kind):
    for seed in range(100):
        draw = random.Random(seed)
        scale, offset = 10 ** draw.uniform(-3, 9), draw.choice([0, 10 ** draw.uniform(0, 10)])
        values = [kind(offset + scale * draw.random() ** 3) for _ in range(draw.randint(1, 300))]
        counts = of(values, most=16)
        draw.shuffle(values)
        assert of(values, most=16).bins == counts.bins
        for one in counts.bins:
            assert one.count == sum(one.low <= value < one.high or value == one.low == one.high for value in values)
        assert counts.count == len(values)
        assert counts.narrowed(5).bins == of(values, most=5).bins
