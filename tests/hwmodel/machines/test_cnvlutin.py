"""Cnvlutin's ticks against plain loops over its lanes, written from the words of the facts and from nothing else.

Lane l owns the channels from ``l ceil(C / L)`` up to ``(l + 1) ceil(C / L)`` of a group and walks the kernel positions,
channels innermost. Its operands are cut into bricks, which may cross positions; a brick costs ``R max(1, nonzeros)``
ticks, a padded one too. A window takes as long as its slowest lane, and groups follow each other.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel
import hwmodel.windows
import scheduler
from hwmodel import Task

generated = settings(max_examples=60, deadline=None, derandomize=True)


@dataclass
class Expected:
    """What the plain loops find for a task on a node, with a list of the ticks of each window."""

    windows: list[int]
    busy: list[int]
    worked: list[bool]
    events: int = 0
    operands_read: int = 0


def bricks_of(window, lane, node):
    """List the bricks of a lane, each a list of operands; None is padding."""
    if node.assignment == "slice":
        share = ceil(len(window[0]) / node.lanes)
        walk = [operand for position in window for operand in position[lane * share : (lane + 1) * share]]
        return [walk[first : first + node.brick] for first in range(0, len(walk), node.brick)]
    bricks = [position[first : first + node.brick] for position in window for first in range(0, len(position), node.brick)]
    return bricks[lane :: node.lanes]


def filters_of_busiest_tile(filters, node):
    """Deal filters to tiles, ``filters_per_unit`` to each in turn, and count those of the tile with most."""
    tiles = [filter_ // node.filters_per_unit % node.units for filter_ in range(filters)]
    return max(tiles.count(tile) for tile in range(node.units))


def expected(work, node):
    passes = ceil(work.filters / (node.units * node.filters_per_unit))
    found = Expected(windows=[], busy=[0] * node.lanes, worked=[False] * node.lanes)
    for group in range(work.groups):
        for window in work.windows(group):
            slowest = 0
            for lane in range(node.lanes):
                ticks = 0
                for brick in bricks_of(window, lane, node):
                    nonzeros = sum(1 for operand in brick if operand)
                    ticks += passes * (nonzeros or node.empty_brick_ticks)
                    found.worked[lane] = True
                    found.events += nonzeros
                    found.operands_read += sum(1 for operand in brick if operand is not None)
                found.busy[lane] += ticks
                slowest = max(slowest, ticks)
            found.windows.append(slowest)
    return found


@pytest.fixture(scope="module")
def nodes():
    """Return a function from fixed parameters to the strategy of nodes that have them."""

    def strategy(**fixed):
        drawn = {
            "lanes": st.sampled_from([16, 1, 2, 3]),
            "units": st.sampled_from([16, 1, 2]),
            "filters_per_unit": st.sampled_from([16, 1, 2]),
            "brick": st.sampled_from([16, 1, 3]),
            "assignment": st.sampled_from(["slice", "brick"]),
            "empty_brick_ticks": st.sampled_from([1, 0, 2]),
            "skip_fully_connected": st.just(True),
        }
        drawn |= {name: st.just(value) for name, value in fixed.items()}
        return st.builds(lambda **parameters: hwmodel.load("cnvlutin", **parameters), **drawn)

    return strategy


def toy_task() -> Task:
    """Make the example of Figures 3 and 4 of the paper."""
    lane_0, lane_1 = [1, 3, 5], [2, 4, 6]
    synapses = np.array([[lane_0, lane_1]])
    return Task.convolution(np.array([[1, 0, 3], [0, 2, 4]]), np.concatenate([synapses, -synapses]))


def test_the_papers_toy_example_takes_two_ticks():
    machine = hwmodel.load("cnvlutin", lanes=2, filters_per_unit=2, brick=3)
    outcome = scheduler.run(machine, toy_task())
    assert outcome.ticks == 2
    assert outcome.outputs.tolist() == [[48], [-48]]
    assert outcome.busy_ticks.tolist() == [2, 2]
    assert outcome.useful_ticks == 4
    assert outcome.ledger.as_dict() == {
        "dispatcher.send": 4,  # neurons 1, 3, 2 and 4
        "encoder.encode": 2,
        "encoder.window": 1,
        "lane.register": 4,
        "nbin.read_neuron": 4,
        "nbin.write_neuron": 4,
        "nbout.read_word": 4,  # two filters, two ticks
        "nbout.write_word": 4,
        "nfu.add": 8,
        "nfu.multiply": 8,
        "nm.read_neuron": 6,  # two bricks of three
        "nm.write_neuron": 2,
        "sb.read_word": 8,
        "tree.broadcast_neuron": 4,
    }


def test_a_window_takes_its_slowest_lane():
    """Lane 0 finds one neuron in window 0 and two in window 1, lane 1 two and none: 2 + 2 ticks."""
    node = hwmodel.load("cnvlutin", lanes=2, brick=2)
    outcome = scheduler.run(node, Task.convolution(np.array([[1, 0, 1, 1], [1, 1, 0, 0]]), (1, 2, 2), stride=2))
    assert outcome.ticks == 4
    assert outcome.busy_ticks.tolist() == [1 + 2, 2 + 1]  # the empty brick takes a tick
    assert outcome.stall_ticks.tolist() == [1, 1]
    assert outcome.useful_ticks == 5


def test_a_brick_may_cross_kernel_positions():
    """One channel a lane, kernel 1x5, bricks of 4: zeros at positions 0 to 3 make one empty brick, not four."""
    node = hwmodel.load("cnvlutin", lanes=1, brick=4)
    task = Task.convolution(np.array([[0, 0, 0, 0, 1]]), (1, 1, 5))
    assert scheduler.run(node, task).ticks == 2
    dealt = hwmodel.load("cnvlutin", lanes=1, brick=4, assignment="brick")
    assert scheduler.run(dealt, task).ticks == 5


def test_a_brick_that_is_padding_takes_its_slot_but_is_not_read():
    node = hwmodel.load("cnvlutin", lanes=1, brick=1)
    outcome = scheduler.run(node, Task.convolution(np.array([[1]]), (1, 1, 3), padding=1))
    assert outcome.ticks == 3
    assert outcome.ledger["nm.read_neuron"] == 1
    assert outcome.ledger.executed_macs == 1


def test_dealing_bricks_leaves_lanes_without_any():
    """96 channels in bricks of 16 are six bricks: ten lanes of sixteen sleep. In slices every lane has six channels."""
    task = Task.convolution((96, 1, 1), (1, 96, 1, 1))
    dealt = scheduler.run(hwmodel.load("cnvlutin", assignment="brick"), task)
    assert dealt.ticks == 16
    assert dealt.idle_ticks.tolist() == [0] * 6 + [16] * 10
    sliced = scheduler.run(hwmodel.load("cnvlutin"), task)
    assert sliced.ticks == 6
    assert sliced.idle_ticks.tolist() == [0] * 16


def test_groups_follow_each_other():
    """Group 0 has three neurons in one lane, group 1 none: 3 + 1 ticks; both together in one group would take 3."""
    node = hwmodel.load("cnvlutin", lanes=1)
    task = Task.convolution(np.array([[1, 1, 1], [0, 0, 0]]), (2, 1, 3), groups=2)
    assert scheduler.run(node, task).ticks == 4


def test_more_filters_than_fit_take_more_passes():
    node = hwmodel.load("cnvlutin", lanes=1, units=2, filters_per_unit=2)
    task = Task.convolution(np.array([[1, 0, 1]]), (9, 1, 3))  # three passes of four filters
    outcome = scheduler.run(node, task)
    assert outcome.ticks == 6
    assert outcome.ledger["dispatcher.send"] == 2
    assert outcome.ledger["sb.read_word"] == 2 * 5 * 2  # five tiles' work, the last with one filter of two
    assert outcome.ledger["lane.register"] == 2 * 5
    assert outcome.ledger["nbin.write_neuron"] == 2 * 2
    assert outcome.ledger.executed_macs == 18


@generated
@given(data=st.data())
def test_ticks_and_the_time_of_every_lane_are_those_of_plain_loops(works, nodes, data):
    work, node = data.draw(works), data.draw(nodes())
    outcome, found = scheduler.run(node, work.task()), expected(work, node)
    outcome.check()
    assert outcome.ticks == sum(found.windows)
    assert outcome.busy_ticks.tolist() == found.busy
    waited = [outcome.ticks - busy for busy in found.busy]
    assert outcome.stall_ticks.tolist() == [wait * worked for wait, worked in zip(waited, found.worked, strict=True)]
    assert outcome.idle_ticks.tolist() == [wait * (not worked) for wait, worked in zip(waited, found.worked, strict=True)]
    assert outcome.jobs == len(found.windows) * sum(found.worked)


@generated
@given(data=st.data())
def test_only_events_are_sent_and_multiplied(works, nodes, data):
    work, node = data.draw(works), data.draw(nodes())
    outcome, found, counts = scheduler.run(node, work.task()), expected(work, node), work.counts()
    passes = ceil(work.filters / (node.units * node.filters_per_unit))
    assert outcome.ledger.executed_macs == found.events * work.filters == counts.macs - counts.zero_macs
    assert outcome.ledger["dispatcher.send"] == found.events
    assert outcome.ledger["nm.read_neuron"] == found.operands_read
    assert outcome.ledger["encoder.encode"] == counts.outputs.size
    assert outcome.useful_ticks == passes * found.events
    assert outcome.outputs.tolist() == counts.outputs.tolist()
    assert outcome.products.added.tolist() == counts.products_of_blocks


@generated
@given(data=st.data())
def test_a_throttling_encoder_makes_each_window_as_long_as_its_encoding(works, nodes, data):
    work = data.draw(works)
    hidden = data.draw(nodes(encoder_throttles=False))
    throttled = hwmodel.load("cnvlutin", **(hidden.parameters() | {"encoder_throttles": True}))
    encoding = filters_of_busiest_tile(work.filters, hidden)
    found = expected(work, hidden)
    assert throttled.encoder_ticks(work.task()) == encoding
    outcome = scheduler.run(throttled, work.task())
    outcome.check()
    assert outcome.ticks == sum(max(window, encoding) for window in found.windows)
    assert outcome.busy_ticks.tolist() == found.busy
    late = sum(window < encoding for window in found.windows)
    assert outcome.ledger["encoder.late_window"] == late
    assert scheduler.run(hidden, work.task()).ledger["encoder.late_window"] == late


@generated
@given(data=st.data())
def test_the_first_layer_runs_exactly_as_on_dadiannao(convolutions, nodes, data):
    task = data.draw(convolutions).task(first_layer=True)
    assert_as_on_dadiannao(task, data.draw(nodes()))


@generated
@given(data=st.data())
def test_fully_connected_layers_run_exactly_as_on_dadiannao(matrix_products, nodes, data):
    task = data.draw(matrix_products).task()
    assert_as_on_dadiannao(task, data.draw(nodes(skip_fully_connected=False, encoder_throttles=True)))


def assert_as_on_dadiannao(task, node):
    shared = {name: getattr(node, name) for name in ("lanes", "units", "filters_per_unit")}
    outcome = scheduler.run(node, task)
    dense = scheduler.run(hwmodel.load("dadiannao", **shared), task)
    assert outcome.ticks == dense.ticks
    assert outcome.busy_ticks.tolist() == dense.busy_ticks.tolist()
    assert outcome.idle_ticks.tolist() == dense.idle_ticks.tolist()
    assert outcome.ledger == dense.ledger
    assert outcome.outputs.tolist() == dense.outputs.tolist()


@generated
@given(
    lanes=st.integers(1, 16),
    channels_per_lane=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    filters=st.integers(1, 5),
    units=st.integers(1, 2),
)
def test_without_zeros_slices_take_exactly_dadiannaos_ticks(lanes, channels_per_lane, kernel, filters, units):
    """If the channels divide among the lanes, nothing is lost and nothing won: slices are exactly 1.00."""
    channels = lanes * channels_per_lane
    task = Task.convolution((channels, 4, 3), (filters, channels, *kernel))
    parameters = {"lanes": lanes, "units": units, "filters_per_unit": 1}
    skipping = scheduler.run(hwmodel.load("cnvlutin", **parameters), task)
    assert skipping.ticks == scheduler.run(hwmodel.load("dadiannao", **parameters), task).ticks


@pytest.mark.parametrize(
    ("channels", "kernel", "zeros", "ratio"),
    [(96, 1, 0.5, 0.844), (96, 1, 0.8, 0.513), (256, 1, 0.44, 0.772), (256, 3, 0.5, 0.574), (512, 3, 0.44, 0.611)],
)
def test_the_loss_to_waiting_lanes_is_the_published_one(channels, kernel, zeros, ratio):
    """The mean of the slowest of 16 lanes over the operands of a lane, for zeros placed independently."""
    size = 30 if kernel == 1 else 3 * 12
    mask = np.random.default_rng(5).random((channels, size, size)) >= zeros
    task = Task.convolution(mask, (256, channels, kernel, kernel), stride=kernel)
    outcome = scheduler.run(hwmodel.load("cnvlutin"), task)
    assert outcome.ticks / task.windows / (channels * kernel**2 / 16) == pytest.approx(ratio, rel=0.015)


@generated
@given(data=st.data())
def test_ranges_of_windows_change_nothing(works, nodes, data):
    work, node = data.draw(works), data.draw(nodes())
    whole = scheduler.run(node, work.task())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hwmodel.windows, "OPERANDS_PER_RANGE", data.draw(st.integers(1, 100)))
        cut = scheduler.run(node, work.task())
    assert cut.ticks == whole.ticks
    assert cut.busy_ticks.tolist() == whole.busy_ticks.tolist()
    assert cut.ledger == whole.ledger
    assert cut.outputs.tolist() == whole.outputs.tolist()


def test_the_parameters_are_the_papers():
    assert hwmodel.load("cnvlutin").parameters() == hwmodel.load("dadiannao").parameters() | {
        "brick": 16,
        "assignment": "slice",
        "empty_brick_ticks": 1,
        "skip_fully_connected": False,
        "encoder_throttles": False,
    }


def test_zero_neurons_are_skipped_and_zero_synapses_are_not():
    policy = hwmodel.load("cnvlutin").zero_policy
    assert (policy.activations, policy.weights) == ("skip", "dense")
    weights = np.zeros((2, 1, 3), dtype=np.int64)
    outcome = scheduler.run(hwmodel.load("cnvlutin"), Task.convolution(np.array([[1, 0, 1]]), weights))
    assert outcome.ledger.executed_macs == 4


def test_a_run_tells_how_many_windows_are_shorter_than_their_encoding():
    """Windows of one and of three ticks for two outputs each: one of two is late."""
    task = Task.matmul(np.array([[1, 0, 0], [1, 1, 1]]), (3, 2))
    node = hwmodel.load("cnvlutin", lanes=1, skip_fully_connected=True)
    assert node.remarks(scheduler.run(node, task).ledger) == (
        "50.0% of 2 skipping windows are shorter than their outputs' encoding, which is not charged, as in the paper",
    )
    node = hwmodel.load("cnvlutin", lanes=1, skip_fully_connected=True, encoder_throttles=True)
    outcome = scheduler.run(node, task)
    assert outcome.ticks == 2 + 3
    assert node.remarks(outcome.ledger) == (
        "50.0% of 2 skipping windows are shorter than their outputs' encoding, and last as long as it",
    )
    assert node.remarks(hwmodel.Ledger()) == ()
