"""The element's ticks against the published masks, and a plain loop over every product of a task."""

from math import ceil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel
import scheduler
from hwmodel import Task

generated = settings(max_examples=60, deadline=None, derandomize=True)
GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "eyeriss_v2_masks.npz"

INPUTS = np.array([[1, 0, 2], [3, 4, 0]])  # two windows of three channels
WEIGHTS = np.array([[0, 5, 6, 7], [8, 9, 0, 0], [0, 0, 0, 0]])  # channels of three, two and no nonzero weights


def test_an_input_takes_a_tick_for_every_weight_of_its_column():
    outcome = scheduler.run(hwmodel.load("eyeriss_v2_pe"), Task.matmul(INPUTS, WEIGHTS), engine="event")
    assert outcome.ticks == 3 + (3 + 2)
    assert outcome.jobs == 2
    assert outcome.outputs.tolist() == (INPUTS @ WEIGHTS).tolist()
    assert outcome.ledger.as_dict() == {
        "iact.read_count": 4,  # nonzero inputs, the hidden one too
        "iact.read_word": 4,
        "pe.multiply": 8,
        "psum.read_word": 8 + 8,  # for each product, and four outputs of two windows
        "psum.write_word": 8,
        "weight.read_count": 8,
        "weight.read_word": 8,
    }


def test_an_input_whose_column_is_empty_is_hidden():
    machine = hwmodel.load("eyeriss_v2_pe")
    assert scheduler.run(machine, Task.matmul(np.array([0, 0, 1]), WEIGHTS)).ticks == 0
    assert scheduler.run(machine, Task.matmul(np.array([0, 1, 1]), WEIGHTS)).ticks == 2


def test_two_products_a_tick_round_every_column_up_to_pairs():
    outcome = scheduler.run(hwmodel.load("eyeriss_v2_pe", macs_per_tick=2), Task.matmul(INPUTS, WEIGHTS))
    assert outcome.ticks == 2 + (2 + 1)
    assert outcome.ledger.executed_macs == 8


@generated
@given(data=st.data())
def test_any_task_takes_a_tick_for_each_product_of_two_nonzeros(works, data):
    work = data.draw(works)
    outcome = scheduler.run(hwmodel.load("eyeriss_v2_pe"), work.task())
    outcome.check()
    counts = work.counts()
    assert outcome.ticks == outcome.ledger.executed_macs == counts.effectual_macs
    assert outcome.busy_ticks.tolist() == [outcome.ticks]
    assert outcome.outputs.tolist() == counts.outputs.tolist()
    assert outcome.ledger["iact.read_word"] * work.filters == sum(counts.products_of_blocks)


@generated
@given(data=st.data())
def test_columns_are_rounded_up_one_by_one(matrix_products, data):
    work, at_once = data.draw(matrix_products), data.draw(st.integers(2, 4))
    outcome = scheduler.run(hwmodel.load("eyeriss_v2_pe", macs_per_tick=at_once), work.task())
    ticks = 0
    for group in range(work.groups):
        columns = work.weights[group] if work.weights.ndim == 3 else work.weights
        for row in work.rows(group).tolist():
            ticks += sum(ceil(np.count_nonzero(met) / at_once) for value, met in zip(row, columns, strict=True) if value)
    assert outcome.ticks == ticks


@pytest.mark.parametrize(("layer", "cycles"), [("L07", 1_702_140), ("L13", 1_144_158), ("L27", 775_316)])
def test_the_real_masks_take_the_true_cycles(layer, cycles):
    if not GOLDEN.exists():
        pytest.skip(f"the masks of Sparseloop's artifact are not at {GOLDEN}")
    with np.load(GOLDEN) as masks:
        channels, filters, *size = masks[f"{layer}_shape_C_M_E_F"].tolist()
        positions = size[0] * size[1]
        inputs = np.unpackbits(masks[f"{layer}_iacts"])[: positions * channels].reshape(positions, channels)
        weights = np.unpackbits(masks[f"{layer}_weights"])[: filters * channels].reshape(filters, channels)
        assert int(masks[f"{layer}_cycles"]) == cycles
    maps = np.ascontiguousarray(inputs.T).reshape(channels, *size).astype(bool)
    machine = hwmodel.load("eyeriss_v2_pe")
    assert scheduler.run(machine, Task.convolution(maps, weights[:, :, None, None].astype(bool))).ticks == cycles
    assert scheduler.run(machine, Task.matmul(inputs.astype(bool), weights.T.astype(bool))).ticks == cycles


def test_weights_take_twelve_bits_for_each_that_is_nonzero():
    machine = hwmodel.load("eyeriss_v2_pe")
    task = Task.matmul(INPUTS, WEIGHTS)
    assert task.weight_bytes == 24
    assert machine.stored_bytes(task, 24) == 8  # five of twelve weights are nonzero: 60 bits
    assert machine.stored_bytes(Task.matmul(INPUTS, WEIGHTS, two_activations=True), 24) == 24
    assert machine.weight_memory_bytes == 288
    assert hwmodel.load("eyeriss_v2_pe", input_bytes_per_second=5.0).offchip_bytes_per_second == 5.0


def test_zeros_of_both_operands_are_skipped():
    policy = hwmodel.load("eyeriss_v2_pe").zero_policy
    assert (policy.activations, policy.weights) == ("skip", "skip")
    assert hwmodel.load("eyeriss_v2_pe").parameters() == {
        "clock_hz": 200e6,
        "macs_per_tick": 1,
        "weight_spad_bytes": 288,
        "input_bytes_per_second": 1.6e9,
    }
