"""DaDianNao's ticks against the equations of its published cycle counts, and its ledger against a pencil."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel
import scheduler
from hwmodel import Task

generated = settings(max_examples=60, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def nodes():
    """Return the strategy of nodes small enough that a few filters and channels need several passes and lanes."""
    return st.builds(
        lambda **parameters: hwmodel.load("dadiannao", **parameters),
        lanes=st.sampled_from([1, 2, 3, 16]),
        units=st.sampled_from([1, 2, 16]),
        filters_per_unit=st.sampled_from([1, 2, 16]),
    )


def toy_task() -> Task:
    """Make the example of Figures 3 and 4 of the Cnvlutin paper."""
    lane_0, lane_1 = [1, 3, 5], [2, 4, 6]
    synapses = np.array([[lane_0, lane_1]])
    return Task.convolution(np.array([[1, 0, 3], [0, 2, 4]]), np.concatenate([synapses, -synapses]))


def dense_steps(task: Task, lanes: int) -> int:
    """Count the groups of operands that one window of a group takes one after the other, by the published equations."""
    channels, positions = task.group_channels, task.operands // task.group_channels
    if task.first_layer:
        return ceil(channels * positions / lanes)
    return positions * ceil(channels / lanes)


def test_the_papers_toy_example_takes_three_ticks():
    machine = hwmodel.load("dadiannao", lanes=2, filters_per_unit=2)
    outcome = scheduler.run(machine, toy_task())
    assert outcome.ticks == 3
    assert outcome.outputs.tolist() == [[48], [-48]]
    assert outcome.busy_ticks.tolist() == [3, 3]
    assert outcome.useful_ticks == 4
    assert outcome.ledger.as_dict() == {
        "lane.register": 6,  # two lanes, three ticks, one tile
        "nbin.read_word": 6,
        "nbin.write_word": 6,
        "nbout.read_word": 6,  # two filters, three ticks
        "nbout.write_word": 6,
        "nfu.add": 12,  # two filters by six neurons
        "nfu.multiply": 12,
        "nm.read_word": 6,
        "nm.write_word": 2,
        "sb.read_word": 12,
        "tree.broadcast_word": 6,
    }


def test_tiles_without_filters_of_their_own_do_nothing():
    """Three filters on two tiles of two: 2 tiles work; of seven filters, 4 tiles in two passes."""
    machine = hwmodel.load("dadiannao", lanes=1, units=2, filters_per_unit=2)
    for filters, passes, tiles in [(2, 1, 1), (3, 1, 2), (4, 1, 2), (5, 2, 3), (7, 2, 4)]:
        outcome = scheduler.run(machine, Task.matmul((1,), (1, filters)))
        assert outcome.ticks == passes
        assert outcome.ledger["sb.read_word"] == 2 * tiles
        assert outcome.ledger["lane.register"] == tiles
        assert outcome.ledger["nbin.write_word"] == min(tiles, 2)
        assert outcome.ledger.executed_macs == filters


def test_alexnets_convolutions_take_the_published_cycles():
    layers = [
        Task.convolution((3, 227, 227), (96, 3, 11, 11), stride=4, first_layer=True),
        Task.convolution((96, 27, 27), (256, 48, 5, 5), padding=2, groups=2),
        Task.convolution((256, 13, 13), (384, 256, 3, 3), padding=1),
        Task.convolution((384, 13, 13), (384, 192, 3, 3), padding=1, groups=2),
        Task.convolution((384, 13, 13), (256, 192, 3, 3), padding=1, groups=2),
    ]
    node = hwmodel.load("dadiannao")
    ticks = [scheduler.run(node, task).ticks for task in layers]
    assert ticks == [69_575, 109_350, 48_672, 36_504, 36_504]
    assert sum(ticks) == 300_605


def test_alexnets_classifier_takes_the_published_cycles():
    node = hwmodel.load("dadiannao")
    layers = [Task.matmul((9216,), (9216, 4096)), Task.matmul((4096,), (4096, 4096)), Task.matmul((4096,), (4096, 1000))]
    assert sum(scheduler.run(node, task).ticks for task in layers) == 14_336


@generated
@given(data=st.data())
def test_convolutions_take_the_ticks_of_the_equation(convolutions, nodes, data):
    work, node, first_layer = data.draw(convolutions), data.draw(nodes), data.draw(st.booleans())
    task = work.task(first_layer=first_layer)
    outcome = scheduler.run(node, task)
    outcome.check()
    windows = len(list(work.places()))
    passes = ceil(work.filters / (node.units * node.filters_per_unit))
    assert outcome.ticks == work.groups * windows * passes * dense_steps(task, node.lanes)
    assert outcome.jobs == work.groups * windows * min(node.lanes, task.operands if first_layer else task.group_channels)


@generated
@given(data=st.data())
def test_matrix_products_take_the_ticks_of_the_equation(matrix_products, nodes, data):
    work, node = data.draw(matrix_products), data.draw(nodes)
    outcome = scheduler.run(node, work.task())
    rows = sum(len(work.windows(group)) for group in range(work.groups))
    columns_at_once = node.units * node.filters_per_unit
    assert outcome.ticks == rows * ceil(work.activations.shape[-1] / node.lanes) * ceil(work.filters / columns_at_once)


@generated
@given(data=st.data())
def test_every_lane_with_operands_is_busy_throughout_and_the_others_sleep(works, nodes, data):
    work, node = data.draw(works), data.draw(nodes)
    task = work.task()
    outcome = scheduler.run(node, task)
    working = min(node.lanes, task.group_channels)
    assert outcome.busy_ticks.tolist() == [outcome.ticks] * working + [0] * (node.lanes - working)
    assert outcome.stall_ticks.tolist() == [0] * node.lanes
    assert outcome.idle_ticks.tolist() == [0] * working + [outcome.ticks] * (node.lanes - working)


@generated
@given(data=st.data())
def test_every_product_is_multiplied_and_those_of_events_are_useful(works, nodes, data):
    work, node = data.draw(works), data.draw(nodes)
    outcome, counts = scheduler.run(node, work.task()), work.counts()
    assert outcome.ledger.executed_macs == counts.macs
    assert outcome.outputs.tolist() == counts.outputs.tolist()
    passes = ceil(work.filters / (node.units * node.filters_per_unit))
    assert outcome.useful_ticks * work.filters == passes * sum(counts.products_of_blocks)


@generated
@given(data=st.data())
def test_zeros_save_nothing(works, nodes, data):
    work, node = data.draw(works), data.draw(nodes)
    sparse = scheduler.run(node, work.task())
    dense = scheduler.run(node, work.task(activations=work.activations.shape))
    assert sparse.ticks == dense.ticks
    assert sparse.busy_ticks.tolist() == dense.busy_ticks.tolist()
    assert sparse.ledger == dense.ledger


def test_the_synapse_memory_is_that_of_all_tiles():
    assert hwmodel.load("dadiannao").weight_memory_bytes == 32 << 20
    assert hwmodel.load("dadiannao", units=2, synapse_bytes_per_unit=10).weight_memory_bytes == 20
    assert hwmodel.load("dadiannao").offchip_bytes_per_second == 4 * 6.4e9


def test_every_tile_that_a_node_has_is_powered():
    """0.71 W of clock, 38.6 mW of leakage a tile and 68 mW in the middle."""
    assert hwmodel.load("dadiannao").static_w() == pytest.approx(0.71 + 16 * 0.0386 + 0.068)
    four, eight = (hwmodel.load("dadiannao", units=units).static_w() for units in (4, 8))
    assert eight - four == pytest.approx(4 * (0.71 * 6.15 / (6.15 + 1.80) / 16 + 0.0386))


def test_the_parameters_are_the_papers():
    assert hwmodel.load("dadiannao").parameters() == {
        "clock_hz": 606e6,
        "units": 16,
        "lanes": 16,
        "filters_per_unit": 16,
        "vector_lanes": 256,
        "synapse_bytes_per_unit": 2 << 20,
        "link_bytes_per_second": 25.6e9,
    }


def test_zeros_are_multiplied_as_everything_else():
    policy = hwmodel.load("dadiannao").zero_policy
    assert (policy.activations, policy.weights) == ("dense", "dense")
