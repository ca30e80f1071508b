"""EIE's ticks and reads against a recurrence of broadcasts and pops in plain loops, from the words of the facts alone.

An activation is broadcast when the scan has found it and no queue is full, an element pops it a tick later or when it is
done with the one before, and a column takes a tick an entry, or one if it has none.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwmodel
import scheduler
from hwmodel import Compressed, ParameterError, Task
from hwmodel.machines import eie

generated = settings(max_examples=150, deadline=None, derandomize=True)
GOLDEN = Path(__file__).parents[4] / "shared" / "golden" / "eie_alex8.npz"

# Two elements own outputs 0, 2, 4, 6 and 1, 3, 5, 7. With runs of one bit, two zeros need a filler.
WEIGHTS = np.array(
    [
        [1, 0, 0, 0, 0, 0, 2, 0],  # element 0: 1, filler, 2; element 1: empty
        [0, 0, 0, 0, 0, 0, 0, 0],
        [4, 0, 0, 0, 0, 0, 0, 3],  # element 0: 4; element 1: filler, 3
        [0, 5, 0, 0, 0, 0, 0, 0],  # element 0: empty; element 1: 5
    ]
)
ACTIVATIONS = np.array([1, 0, 2, 3])


def tiny(**changes) -> eie.EIE:
    return hwmodel.load("eie", **({"pes": 2, "run_bits": 1} | changes))


def test_an_entry_takes_a_tick_and_so_do_a_filler_and_an_empty_column():
    """Broadcasts at 0, 2 (the scan leaves a row) and 3. Element 0: 1 to 4, 4 to 5, 5 to 6; element 1: 1 to 2, 3 to 5, 5 to 6."""
    outcome = scheduler.run(tiny(), Task.matmul(ACTIVATIONS, WEIGHTS))
    assert outcome.ticks == 6 + 7
    assert outcome.busy_ticks.tolist() == [3 + 1 + 1, 1 + 2 + 1]
    assert outcome.useful_ticks == 5
    assert outcome.outputs.tolist() == [9, 15, 0, 0, 0, 0, 2, 6]
    outcome.check()


def test_every_popped_column_reads_its_pointers_and_every_nonzero_entry_multiplies():
    ledger = scheduler.run(tiny(), Task.matmul(ACTIVATIONS, WEIGHTS)).ledger
    assert ledger.executed_macs == ledger["arithm.multiply"] == ledger["act.write_word"] == 5
    assert ledger["ptr.read"] == ledger["queue.pass"] == 3 * 2
    assert ledger["act.read_word"] == 5 + 4  # accumulators, and the activations that are scanned
    assert ledger["lnzd.scan"] == 3 + 1  # three events and a row left


@pytest.mark.parametrize(
    ("sram_bits", "reads"),
    [
        (64, 2),  # twelve entries of five bits: all that an element has
        (10, 4),  # element 0: entries 0 to 2 and 3 are two rows, the second still at hand; element 1: 0 to 1, and 2
        (14, 4),  # no entry lies in two rows
        (5, 7),  # every entry
    ],
)
def test_a_row_of_memory_is_read_unless_it_was_read_last(sram_bits, reads):
    assert scheduler.run(tiny(sram_bits=sram_bits), Task.matmul(ACTIVATIONS, WEIGHTS)).ledger["spmat.read"] == reads


def test_the_shortest_queue_lets_every_broadcast_wait_for_the_one_before_the_last():
    """Broadcasts at 0, 2 and 5, a tick after element 0 has finished the first; both elements work on the last from 6 to 7."""
    assert scheduler.run(tiny(queue_depth=2), Task.matmul(ACTIVATIONS, WEIGHTS)).ticks == 7 + 7


@pytest.mark.parametrize(
    ("activations", "finish"),
    [
        ([1, 0, 0, 0], 4),
        ([0, 1, 0, 0], 2),  # an empty column: broadcast at 0, popped at 1
        ([0, 0, 1, 0], 1 + 1 + 2),  # the first row of two holds nothing and takes a tick
        ([0, 1, 1, 0], 1 + 1 + 2),  # the row is left in its last lane, without a tick
        ([1, 0, 0, 1], 5),  # broadcasts at 0 and 2: element 0 from 4 to 5
        ([0, 0, 0, 0], 2 + 1),  # two rows are scanned, and nothing is found
    ],
)
def test_the_scan_takes_a_tick_for_rows_that_are_left_and_rows_of_zeros(activations, finish):
    outcome = scheduler.run(tiny(), Task.matmul(np.array(activations), WEIGHTS))
    assert outcome.ticks == finish + 7


def test_rows_of_a_product_run_one_after_the_other():
    rows = np.array([ACTIVATIONS, [0, 0, 0, 0], [0, 0, 1, 0]])
    outcome = scheduler.run(tiny(), Task.matmul(rows, WEIGHTS))
    assert outcome.ticks == 13 + 10 + 11
    assert outcome.outputs.tolist() == (rows @ WEIGHTS).tolist()


def test_elements_without_outputs_take_part_in_every_broadcast():
    outcome = scheduler.run(hwmodel.load("eie", pes=16), Task.matmul(ACTIVATIONS, WEIGHTS))
    assert outcome.busy_ticks.tolist() == [3] * 16
    assert outcome.ledger["ptr.read"] == 3 * 16
    assert outcome.outputs.tolist() == (ACTIVATIONS @ WEIGHTS).tolist()


@dataclass
class Expected:
    """What the plain loops find for one row of activations."""

    ticks: int
    busy: list[int]
    reads: int = 0
    columns: int = 0
    multiplied: int = 0
    scanned: int = 0


def entries_of(weights, column, pe, machine) -> list[int]:
    """List an element's entries of a column: the weight, or 0 for a filler."""
    entries, zeros = [], 0
    for weight in weights[column, pe :: machine.pes].tolist():
        if not weight:
            zeros += 1
            continue
        while zeros > 2**machine.run_bits - 1:
            entries.append(0)
            zeros -= 2**machine.run_bits
        entries.append(weight)
        zeros = 0
    return entries


def scan(activations, lanes) -> tuple[list[int], list[int]]:
    """List the nonzero activations with the ticks that the scan adds before each."""
    found, gaps, gap = [], [], 0
    for first in range(0, len(activations), lanes):
        row = [first + lane for lane, value in enumerate(activations[first : first + lanes]) if value]
        for column in row:
            found.append(column)
            gaps.append(gap)
            gap = 0
        if not row:
            gap += 1
        elif row[-1] - first != lanes - 1:
            gap = 1
    return found, gaps


def recurrence(activations, weights, machine) -> Expected:
    """Play the authors' recurrence, with a ring of one place less than the depth."""
    found, gaps = scan(activations, machine.pes)
    if not found:
        rows = -(-len(activations) // machine.pes)
        return Expected(rows + 1 + 7, [0] * machine.pes, scanned=rows)
    starts = [
        np.cumsum([0, *(len(entries_of(weights, one, pe, machine)) for one in range(len(weights)))])
        for pe in range(machine.pes)
    ]
    expected = Expected(0, [0] * machine.pes, scanned=sum(gaps) + len(gaps))
    at_hand = [-1] * machine.pes
    pops: list[list[int]] = []
    ends = [0] * machine.pes
    broadcast = -1
    for number, (column, gap) in enumerate(zip(found, gaps, strict=True)):
        broadcast += 1 + gap
        if number >= machine.queue_depth - 1:
            broadcast = max(broadcast, max(pops[number - machine.queue_depth + 1]) + 1)
        pops.append([max(broadcast + 1, end) for end in ends])
        for pe in range(machine.pes):
            entries = entries_of(weights, column, pe, machine)
            work = max(1, len(entries))
            ends[pe] = pops[-1][pe] + work
            expected.busy[pe] += work
            expected.columns += 1
            expected.multiplied += sum(entry != 0 for entry in entries)
            for entry in range(len(entries)):
                row = (starts[pe][column] + entry) // (machine.sram_bits // (4 + machine.run_bits))
                expected.reads += row != at_hand[pe]
                at_hand[pe] = row
    expected.ticks = max(ends) + 7
    return expected


@st.composite
def layers(draw):
    """Draw a machine, weights and a row of activations, from all zeros to no zeros."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    run_bits = draw(st.integers(1, 4))
    machine = hwmodel.load(
        "eie",
        pes=draw(st.integers(1, 5)),
        queue_depth=draw(st.sampled_from([2, 3, 8])),
        run_bits=run_bits,
        sram_bits=draw(st.integers(4 + run_bits, 40)),
    )
    inputs, outputs = draw(st.integers(1, 30)), draw(st.integers(1, 40))
    weights = rng.integers(1, 8, (inputs, outputs)) * (rng.random((inputs, outputs)) < draw(st.sampled_from([0.3, 0.05, 1.0])))
    activations = rng.integers(1, 8, inputs) * (rng.random(inputs) < draw(st.sampled_from([0.4, 0.0, 1.0])))
    return machine, activations, weights


@generated
@given(layer=layers())
def test_ticks_reads_and_multiplications_are_those_of_the_recurrence(layer):
    machine, activations, weights = layer
    outcome, expected = scheduler.run(machine, Task.matmul(activations, weights)), recurrence(*layer[1:], machine)
    assert outcome.ticks == expected.ticks
    assert outcome.busy_ticks.tolist() == expected.busy
    assert outcome.ledger["spmat.read"] == expected.reads
    assert outcome.ledger["ptr.read"] == outcome.ledger["queue.pass"] == expected.columns
    assert outcome.ledger.executed_macs == expected.multiplied == Task.matmul(activations, weights).effectual_macs
    assert outcome.ledger["lnzd.scan"] == expected.scanned * machine.scan_nodes
    assert outcome.outputs.tolist() == (activations @ weights).tolist()


@generated
@given(layer=layers(), rows=st.integers(1, 4), batch=st.integers(1, 3))
def test_a_product_of_several_rows_takes_as_long_as_each_of_them_alone(layer, rows, batch):
    machine, activations, weights = layer
    many = np.stack([np.stack([np.roll(activations, row + one) * (row != 1) for row in range(rows)]) for one in range(batch)])
    stacked = np.stack([np.roll(weights, one, axis=1) for one in range(batch)])
    outcome = scheduler.run(machine, Task.matmul(many, stacked), integers=True)
    alone = [scheduler.run(machine, Task.matmul(many[one, row], stacked[one])) for one in range(batch) for row in range(rows)]
    assert outcome.ticks == sum(one.ticks for one in alone)
    assert outcome.busy_ticks.tolist() == sum(one.busy_ticks for one in alone).tolist()
    if batch == 1:  # the entries of the next matrix need not start a row of memory
        assert outcome.ledger["spmat.read"] <= sum(one.ledger["spmat.read"] for one in alone)  # the last is still at hand
    assert outcome.ledger.executed_macs == sum(one.ledger.executed_macs for one in alone)
    assert outcome.outputs.tolist() == (many @ stacked).tolist()


@generated
@given(layer=layers())
def test_compressed_weights_cost_what_the_same_weights_cost_dense(layer):
    machine, activations, weights = layer
    dense = scheduler.run(machine, Task.matmul(activations, weights))
    for pes, run_bits in [(machine.pes, machine.run_bits), (7, 2)]:  # compressed for this machine, and for another
        packed = Compressed.from_dense(weights, pes=pes, run_bits=run_bits)
        outcome = scheduler.run(machine, Task.matmul(activations, packed))
        assert (outcome.ticks, outcome.ledger) == (dense.ticks, dense.ledger)
        assert outcome.outputs.tolist() == dense.outputs.tolist()


def test_long_products_are_planned_a_few_rows_at_a_time(monkeypatch):
    rng = np.random.default_rng(4)
    rows, weights = rng.integers(0, 3, (40, 30)), rng.integers(0, 3, (30, 10))
    whole = scheduler.run(tiny(), Task.matmul(rows, weights))
    monkeypatch.setattr(eie, "EVENTS_OF_A_BLOCK", 50)
    plan = tiny().plan(Task.matmul(rows, weights))
    assert len(list(plan.blocks())) > 10
    outcome = scheduler.run(tiny(), Task.matmul(rows, weights))
    assert (outcome.ticks, outcome.ledger) == (whole.ticks, whole.ledger)
    assert outcome.outputs.tolist() == (rows @ weights).tolist()


def test_an_entry_of_code_0_takes_a_tick_and_multiplies_nothing():
    """A stored zero, as the format allows: element 0 has entries 3 and 0 for outputs 0 and 1."""
    packed = Compressed(
        np.array([0, 3] + [0] * 14), np.array([[0, 2]]), np.array([0, 2]), np.array([1, 0]), np.array([0, 0]), outputs=2
    )
    outcome = scheduler.run(hwmodel.load("eie", pes=1), Task.matmul(np.array([2]), packed))
    assert outcome.busy_ticks.tolist() == [2]
    assert outcome.ledger.executed_macs == 1
    assert outcome.outputs.tolist() == [6, 0]


def test_shapes_and_masks_are_planned_without_values():
    outcome = scheduler.run(tiny(), Task.matmul((4,), (4, 8)))
    assert outcome.busy_ticks.tolist() == [16, 16]
    masked = scheduler.run(tiny(), Task.matmul(ACTIVATIONS != 0, WEIGHTS != 0))
    assert (masked.ticks, masked.outputs) == (13, None)


def test_weights_take_the_memory_of_their_entries():
    task = Task.matmul(ACTIVATIONS, WEIGHTS)
    assert task.weight_bytes == 2 * 32
    assert tiny().columns(task).entries == 7
    assert tiny().stored_bytes(task, task.weight_bytes) == -(-7 * 5 // 8)
    convolution = Task.convolution((1, 3, 3), (1, 1, 3, 3))
    assert tiny().stored_bytes(convolution, 18) == 18
    assert hwmodel.load("eie").weight_memory_bytes == 64 * 128 * 1024


def test_columns_are_counted_once_for_all_tasks_with_the_same_weights():
    task = Task.matmul(ACTIVATIONS, WEIGHTS)
    again = Task.matmul(ACTIVATIONS[::-1], task.weights)
    machine = tiny()
    assert machine.columns(task) is machine.columns(again)
    assert machine.columns(task) is not tiny(run_bits=2).columns(task)


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Task.convolution((1, 3, 3), (1, 1, 3, 3)), "it maps fully connected layers, and this is a convolution"),
        (
            Task.matmul((2,), (2, 2), two_activations=True),
            "it holds one operand as compressed weights, and here both are activations",
        ),
        (Task.matmul((2,), (2, 2)), None),
    ],
)
def test_what_cannot_be_mapped_says_why(task, reason):
    assert hwmodel.load("eie").cannot_map(task) == reason


def test_there_is_no_unit_for_vector_work():
    assert hwmodel.load("eie").vector_plan(hwmodel.VectorTask("pool", 4)) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"queue_depth": 1}, "machine 'eie': queue_depth is 1, expected an integer of at least 2 (activations between the broadcast "
         "and the slowest element)."),
        ({"run_bits": 0}, "machine 'eie': run_bits is 0, expected one of 1, 2, 3, 4, 5, 6, 7, 8."),
        ({"sram_bits": 7}, "machine 'eie': sram_bits is 7, expected at least 8, the bits of an entry (a code of 4 and a zero run "
         "of 4)."),
        ({"pes": 2.5}, "machine 'eie': pes is 2.5, expected an integer of at least 1 (processing elements, each with outputs of "
         "its own; as many activations are scanned at once)."),
    ],
)  # fmt: skip
def test_a_machine_that_cannot_be_is_refused(changes, message):
    with pytest.raises(ParameterError) as error:
        hwmodel.load("eie", **changes)
    assert str(error.value) == message


def test_the_tree_has_a_node_for_each_four_elements_up_to_a_root():
    assert [hwmodel.load("eie", pes=pes).scan_nodes for pes in (1, 4, 5, 16, 64, 256)] == [1, 1, 3, 5, 21, 85]


@pytest.fixture(scope="module")
def golden() -> tuple[np.ndarray, Compressed]:
    """Return the eighth layer of AlexNet with one real input and the bias, as the EIE authors' simulator has them."""
    if not GOLDEN.exists():
        pytest.skip(f"the EIE authors' layer is not at {GOLDEN}")
    names = ("codebook", "column_pointers", "entry_offsets", "entry_codes", "entry_zero_runs")
    with np.load(GOLDEN) as layer:
        return np.append(layer["activations"], np.float32(1)), eie.Compressed(*(layer[name] for name in names))


@pytest.fixture(scope="module")
def golden_outcome(golden):
    return scheduler.run(hwmodel.load("eie"), Task.matmul(*golden), integers=True)


def test_the_real_layer_takes_the_published_ticks_and_reads(golden_outcome):
    assert golden_outcome.ticks == 7_926
    assert golden_outcome.ledger["spmat.read"] == 100_900
    assert golden_outcome.ledger["ptr.read"] == 112_640
    assert golden_outcome.ledger.executed_macs == 453_748


def test_the_real_layer_gives_the_product_of_its_decompressed_weights(golden, golden_outcome):
    activations, weights = golden
    dense = weights.to_dense().astype(np.float64)
    exact = activations.astype(np.float64) @ dense
    rounding = 4_097 * 2.0**-24
    bound = rounding / (1 - rounding) * (activations.astype(np.float64) @ np.abs(dense))
    assert dense.shape == (4_097, 1_000)
    assert (np.abs(golden_outcome.outputs - exact) <= bound).all()
    task = golden_outcome.products.task
    integers = task.activations.integers.reshape(-1).astype(np.int64) @ task.weights.integers[0].astype(np.int64)
    assert golden_outcome.products.integer_outputs.tolist() == integers.tolist()
    assert golden_outcome.products.added.tolist() == task.products_planned.tolist()


def test_the_real_layer_is_compressed_again_to_the_same_entries(golden):
    _, weights = golden
    again = Compressed.from_dense(weights.to_dense())
    assert (again.column_pointers == weights.column_pointers).all()
    assert (again.entry_zero_runs == weights.entry_zero_runs).all()
    assert (again.to_dense() == weights.to_dense()).all()


@pytest.mark.parametrize("changes", [{"queue_depth": 2}, {"queue_depth": 33, "sram_bits": 128}, {"pes": 32, "run_bits": 2}])
def test_the_real_layer_keeps_to_the_recurrence_with_other_parameters(golden, changes):
    activations, weights = golden
    machine = hwmodel.load("eie", **changes)
    few = slice(3_500, None)  # plain loops: the last tenth of the layer, and its bias
    dense = weights.to_dense()[few]
    outcome = scheduler.run(machine, Task.matmul(activations[few], dense), values="reference")
    expected = recurrence(activations[few], dense, machine)
    assert (outcome.ticks, outcome.busy_ticks.tolist()) == (expected.ticks, expected.busy)
    assert (outcome.ledger["spmat.read"], outcome.ledger.executed_macs) == (expected.reads, expected.multiplied)
