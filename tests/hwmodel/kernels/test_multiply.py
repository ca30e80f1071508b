import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import Task
from hwmodel.kernels import Tiles, channels_per_block, multiply


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_the_products_are_those_of_plain_loops(works, data):
    work = data.draw(works)
    task, counts = work.task(), work.counts()
    cut = data.draw(st.sampled_from([Tiles.cut, Tiles.uncut]))
    operands = task.activations.values, task.activations.nonzero
    sums, added = multiply(*operands, task.groups, cut(task.weights.values), task.reach)
    assert task.layout.give_outputs(sums).tolist() == counts.outputs.tolist()
    assert added.tolist() == counts.products_of_blocks


@pytest.mark.parametrize("density", [0, 0.01, 0.1, 0.3, 1])
def test_the_block_changes_no_sum(density):
    generator = np.random.default_rng(1)
    given = generator.integers(1, 9, (130, 6, 5)) * (generator.random((130, 6, 5)) < density)
    filters = generator.integers(-9, 9, (70, 130, 3, 3))
    task = Task.convolution(given, filters, padding=1)
    sums, added = multiply(task.activations.values, task.activations.nonzero, 1, Tiles.cut(task.weights.values), task.reach)
    padded = np.pad(given, ((0, 0), (1, 1), (1, 1)))
    expected = sum(
        np.einsum("chw,fc->fhw", padded[:, row : row + 6, column : column + 5], filters[:, :, row, column])
        for row, column in np.ndindex(3, 3)
    )
    assert task.layout.give_outputs(sums).tolist() == expected.tolist()
    assert added.tolist() == task.products_planned.tolist()


def test_blocks_fit_the_first_cache_where_events_are_many_and_grow_where_they_are_few():
    reach = Task.convolution((256, 28, 28), (256, 256, 3, 3), padding=1).reach
    tiles = Tiles.cut(np.ones((1, 9 * 256, 256), dtype=np.float32))
    many, few, hardly = (channels_per_block(reach, tiles, 256, density) for density in (1, 0.1, 0.0))
    assert many * 3 * tiles.width * 4 <= 32 << 10
    assert many < few < hardly == 256
    assert channels_per_block(reach, tiles, 5, 1) == 5
    assert channels_per_block(reach, tiles, 0, 0) == 1
