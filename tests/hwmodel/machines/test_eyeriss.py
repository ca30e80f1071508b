"""Eyeriss' ticks and counts against a pencil, and against plain loops over the passes of a mapping."""

from itertools import product
from math import ceil

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import hwmodel
import scheduler
from hwmodel import Task, UnsupportedError
from hwmodel.run_length import compressed_bytes

generated = settings(max_examples=60, deadline=None, derandomize=True)

# Two rows of three elements and room for one filter of two channels: two filters take two passes, on sets of two rows.
SMALL = {"rows": 2, "columns": 3, "filter_words": 4, "ifmap_words": 4, "psum_words": 1}
INPUT = np.array([[[1, 0, 2], [0, 3, 0], [4, 0, 5]], [[0, 0, 6], [7, 0, 0], [0, 8, 0]]])
FILTERS = np.arange(1, 17).reshape(2, 2, 2, 2)


def chips():
    """Return the strategy of chips small enough that a few channels and filters need several passes."""
    return st.builds(
        lambda **parameters: hwmodel.load("eyeriss", **parameters),
        rows=st.sampled_from([4, 12]),
        columns=st.sampled_from([2, 14]),
        filter_words=st.sampled_from([8, 224]),
        ifmap_words=st.sampled_from([4, 12]),
        psum_words=st.sampled_from([1, 24]),
        psum_bus_words=st.sampled_from([1, 4]),
        filter_bus_words=st.sampled_from([1, 4]),
        batch=st.integers(1, 2),
    )


def test_a_small_layer_by_hand():
    """A 3 x 3 map of two channels by two filters of 2 x 2, padded nowhere: 2 x 2 outputs.

    A set is 2 rows by 2 columns of elements and there is room for one. An element holds a row of both channels: 2 of S times 2
    of q are 4 words, so p is 1 and each filter is a pass. An output takes it 2 passes of 2 channels of 2 weights: 8 ticks.
    Inputs are 18 words, read once for each pass; filters 16 words; both in two rounds: 18 and 8 words, 18 and 2 ticks. Sums
    are 4 words a round, one tick, and none comes back, since one pass takes all channels. The second round's inputs come while
    the first is worked on, so each takes 18 ticks until its inputs are there; then 8, then 1.
    """
    machine = hwmodel.load("eyeriss", **SMALL)
    task = Task.convolution(INPUT, FILTERS)
    mapping = machine.mapping(task)
    assert tuple(getattr(mapping, letter) for letter in "mnepqrtf") == (2, 1, 2, 1, 2, 1, 1, 2)
    outcome = scheduler.run(machine, task, engine="event")
    assert outcome.ticks == 18 + 18 + 8 + 1
    assert [unit.name for unit in outcome.units] == ["input_bus", "pe", "psum_bus"]
    assert outcome.busy_ticks.tolist() == [36, 4, 16, 16, 0, 16, 16, 0, 2, 0]
    events = sum(np.count_nonzero(INPUT[:, row : row + 2, column : column + 2]) for row, column in product(range(2), range(2)))
    assert outcome.ledger.as_dict() == {
        "glb.read_word": 36 + 16 + 8,  # inputs of two passes, filters, outputs that leave
        "glb.write_word": 18 + 8,  # inputs, sums
        "pe.gate": 2 * (4 * 8 - events),
        "pe.multiply": 2 * events,
    }
    assert outcome.outputs[:, 0, 0].tolist() == [(INPUT[:, :2, :2] * one).sum() for one in FILTERS]


def test_sums_go_to_the_buffer_and_back_for_every_pass_over_channels():
    """A window of 12 channels by 3 filters, one channel of one filter at a time in one element: 36 ticks."""
    machine = hwmodel.load("eyeriss", rows=1, columns=1, filter_words=1, ifmap_words=1, psum_words=1, psum_bus_words=1)
    outcome = scheduler.run(machine, Task.matmul((12,), (12, 3)))
    assert outcome.busy_ticks.tolist() == [36, 9, 36, 36, 33]
    assert outcome.ticks == 36 + 36 + 36  # one round: words come, the element works, sums leave
    assert outcome.ledger["glb.write_word"] == 12 + 36
    assert outcome.ledger["glb.read_word"] == 36 + 36 + 33 + 3


def by_loops(machine, task) -> tuple[int, dict[str, int]]:
    """Give ticks and counts of a dense task by loops over slabs, images and columns, each with its own times.

    Shares with the machine only the letters of the mapping.
    """
    mapping = machine.mapping(task)
    layer = mapping.layer
    m, n, e, p, q, r, t, f = (getattr(mapping, letter) for letter in "mnepqrtf")
    channel_passes, filter_passes = ceil(layer.channels / (q * r)), ceil(layer.filters / (p * t))

    def reads(count, stride, taps, dilation):
        return len({one * stride + tap * dilation for one in range(count) for tap in range(taps)})

    delivered, worked, left = [], [], []  # when each round's words were there, its work was done, its sums had left
    counts = dict.fromkeys(("read", "write", "macs"), 0)
    starts = []  # of the work, and of the sums' leaving
    for _, images, rows, columns in product(
        range(layer.groups),
        [range(at, min(at + n, layer.images)) for at in range(0, layer.images, n)],
        [range(at, min(at + e, layer.rows)) for at in range(0, layer.rows, e)],
        [range(at, min(at + f, layer.columns)) for at in range(0, layer.columns, f)],
    ):
        plane = reads(len(rows), layer.row_stride, layer.filter_rows, layer.row_dilation)
        plane *= reads(len(columns), layer.column_stride, layer.filter_columns, layer.column_dilation)
        inputs = len(images) * layer.channels * plane * filter_passes
        filters = layer.filters * layer.channels * layer.filter_rows * layer.filter_columns
        counts["read"] += inputs + filters
        counts["write"] += len(images) * layer.channels * plane * ceil(layer.filters / m)
        rounds = len(images) * len(columns)
        for number in range(rounds):
            share = [words * (number + 1) // rounds - words * number // rounds for words in (inputs % rounds, filters % rounds)]
            words = [inputs // rounds + share[0], filters // rounds + share[1]]
            bus = max(ceil(words[0] / machine.ifmap_bus_words), ceil(words[1] / machine.filter_bus_words))
            there = len(rows) * layer.filters * channel_passes
            counts["write"] += there
            counts["read"] += there - len(rows) * layer.filters + len(rows) * layer.filters
            counts["macs"] += len(rows) * layer.filters * layer.channels * layer.filter_rows * layer.filter_columns
            ticks = filter_passes * p * channel_passes * q * layer.filter_columns
            # A bus or an array does a round after the other, and one round may wait in front of the next stage.
            before = len(delivered) - 1
            came = max(delivered[-1] if delivered else 0, starts[before][0] if before >= 0 else 0)
            delivered.append(came + bus)
            begins = max(delivered[-1], worked[-1] if worked else 0, starts[before][1] if before >= 0 else 0)
            worked.append(begins + ticks)
            leaves = max(worked[-1], left[-1] if left else 0)
            left.append(leaves + ceil(there / machine.psum_bus_words))
            starts.append((begins, leaves))
    return left[-1], counts


@generated
@given(data=st.data())
def test_any_task_takes_the_ticks_and_counts_of_plain_loops(works, data):
    work, machine = data.draw(works), data.draw(chips())
    task = work.task()
    assume(machine.cannot_map(task) is None)
    outcome = scheduler.run(machine, task, engine="event")
    outcome.check()
    ticks, counts = by_loops(machine, task)
    assert outcome.ticks == ticks
    assert outcome.ledger["glb.read_word"] == counts["read"]
    assert outcome.ledger["glb.write_word"] == counts["write"]
    assert outcome.ledger["pe.multiply"] + outcome.ledger["pe.gate"] == counts["macs"] == task.macs
    assert outcome.ledger["pe.multiply"] == sum(work.counts().products_of_blocks)
    assert outcome.outputs.tolist() == work.counts().outputs.tolist()


@generated
@given(data=st.data())
def test_zeros_save_products_and_no_tick(works, data):
    work, machine = data.draw(works), data.draw(chips())
    task, dense = work.task(), work.task(activations=work.activations.shape)
    assume(machine.cannot_map(task) is None)
    sparse, full = scheduler.run(machine, task), scheduler.run(machine, dense)
    assert sparse.ticks == full.ticks
    assert sparse.busy_ticks.tolist() == full.busy_ticks.tolist()
    assert sparse.ledger["pe.multiply"] == task.macs - task.zero_macs
    assert sparse.ledger["pe.gate"] == task.zero_macs
    assert full.useful_ticks >= sparse.useful_ticks == task.macs - task.zero_macs


@pytest.mark.parametrize(
    ("layer", "passes_ms", "sums_ms"),
    [
        (((4, 96, 27, 27), (256, 48, 5, 5), {"padding": 2, "groups": 2}), 33.18, 22.39),
        (((3, 64, 112, 112), (128, 64, 3, 3), {"padding": 1}), 92.90, 385.35),
    ],
    ids=["AlexNet CONV2 works", "VGG-16 2-1 waits for sums"],
)
def test_a_layer_takes_the_longer_of_its_products_and_its_sums(layer, passes_ms, sums_ms):
    """Within a round's fill of a half per cent."""
    activations, weights, geometry = layer
    machine = hwmodel.load("eyeriss", batch=activations[0])
    ticks = scheduler.run(machine, Task.convolution(activations, weights, **geometry)).ticks
    assert ticks / 200e3 == pytest.approx(max(passes_ms, sums_ms), rel=0.006)
    assert ticks / 200e3 > max(passes_ms, sums_ms)


def test_a_batch_shares_the_filters_of_a_pass():
    maps, filters = (4, 256, 13, 13), (384, 256, 3, 3)
    alone, together = (hwmodel.load("eyeriss", batch=batch) for batch in (1, 4))
    task = Task.convolution(maps, filters, padding=1)
    assert (alone.weight_reads(task), together.weight_reads(task)) == (4, 1)
    assert alone.mapping(task).n == 1
    assert together.mapping(task).n == 4


def test_feature_maps_leave_the_chip_and_come_back_compressed():
    """VGG-16's first stage in one strip: inputs come once for each chunk of filters, outputs leave as they are."""
    machine = hwmodel.load("eyeriss")
    mask = np.random.default_rng(1).random((64, 13, 13)) < 0.3
    task = Task.convolution(mask, (64, 64, 3, 3), padding=1)
    mapping = machine.mapping(task)
    assert mapping.slab_count == mapping.filter_chunks == 1
    assert machine.feature_map_bytes(task) == compressed_bytes(task.activations.nonzero) + 2 * 64 * 13 * 13
    assert compressed_bytes(task.activations.nonzero) < 2 * mask.size
    first = Task.convolution(mask, (64, 64, 3, 3), padding=1, first_layer=True)
    assert machine.feature_map_bytes(first) == 2 * mask.size + 2 * 64 * 13 * 13


def test_strips_and_chunks_read_their_inputs_again():
    machine = hwmodel.load("eyeriss")
    task = Task.convolution((3, 227, 227), (96, 3, 11, 11), stride=4, first_layer=True)
    rows = 7 * 35 + 31  # seven strips of 7 rows of outputs, one of 6
    assert machine.weight_reads(task) == 8
    assert machine.feature_map_bytes(task) == round(2 * 3 * 227 * 227 * rows / 227) + 2 * 96 * 55 * 55


def test_a_second_operand_that_is_computed_comes_as_it_is():
    machine = hwmodel.load("eyeriss")
    one, two = (Task.matmul((5, 40), (40, 6), two_activations=two) for two in (False, True))
    assert machine.feature_map_bytes(two) - machine.feature_map_bytes(one) == 2 * 40 * 6


def test_a_task_without_products_takes_nothing():
    machine = hwmodel.load("eyeriss")
    task = Task.matmul((0, 5), (5, 3))
    assert scheduler.run(machine, task).ticks == machine.feature_map_bytes(task) == 0


@pytest.mark.parametrize(("rows", "columns"), [(13, 1), (1, 13)])
def test_filters_that_are_too_large_are_refused(rows, columns):
    machine = hwmodel.load("eyeriss")
    reason = f"its filters are {rows} x {columns}, and it takes at most 12 rows of 12 weights"
    large = Task.convolution((1, 20, 20), (1, 1, rows, columns), name="large")
    assert machine.cannot_map(large) == reason
    assert machine.cannot_map(Task.convolution((1, 20, 20), (1, 1, 12, 12))) is None
    with pytest.raises(UnsupportedError) as error:
        scheduler.run(machine, large)
    assert str(error.value) == (
        f"scheduler.run: machine 'eyeriss' cannot run task 'large' (convolution), because {reason}. Choose another machine for it."
    )


def test_the_parameters_are_the_papers():
    assert hwmodel.load("eyeriss").parameters() == {
        "clock_hz": 200e6,
        "rows": 12,
        "columns": 14,
        "filter_words": 224,
        "ifmap_words": 12,
        "psum_words": 24,
        "glb_bytes": 100_000,
        "ifmap_bus_words": 1,
        "filter_bus_words": 4,
        "psum_bus_words": 4,
        "batch": 1,
        "link_bytes_per_second": 480e6,
    }
    assert hwmodel.load("eyeriss").weight_memory_bytes == 0
    assert hwmodel.load("eyeriss").offchip_bytes_per_second == 8 * 60e6


def test_zeros_are_gated():
    policy = hwmodel.load("eyeriss").zero_policy
    assert (policy.activations, policy.weights) == ("gate", "dense")
