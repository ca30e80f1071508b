"""EIE: compressed weights dealt over processing elements, to which nonzero activations are broadcast one by one.

Source: S. Han et al., "EIE: Efficient Inference Engine on Compressed Deep Neural Network", ISCA 2016. 64 processing elements
at 800 MHz in 45 nm; output r belongs to element r mod 64, which keeps its share of every column of the matrix in the format
of `Compressed` (4-bit codes and zero runs; 128 KB, read 64 bits at a time, with two 16-bit pointers a column). A tree scans the
activations, 64 at a time, for the next nonzero one and broadcasts it into a queue of 8 at each element (sections III
and IV). An element takes a column an activation: an entry a tick, fillers too, and a tick for an empty column.

Ticks: a round is a broadcast, under the law of time with the queue's depth, a gap of 1 and what the scan adds, latency 1,
release 1 and drain 7, which fills and drains the pipelines. The scan adds a tick for each row of activations that it leaves,
unless the row's last nonzero is in its last lane, and one for each row of zeros. The pop that frees a queue's slot comes a tick
after its broadcast, so that at depth 2 the gap is at least 2. This gives the layer that the authors' simulator comes with its
7,926 ticks.

A row of the sparse-matrix memory is read when it is not the one that was read last, also from a column to the next. Entries of
code 0 are not multiplied. The bias is one more column, whose activation is 1.0: pass it so. One that a program adds to the
product by itself takes no ticks.

Rows of a matrix product are run one after the other, each from its own scan to its own drain. Weights that do not come
compressed for as many elements and bits are compressed when they are planned; their codebook changes no time.

Simplified: more activations or outputs than the register files hold (64 of 16 bits an element, each way) run in batches, whose
reload takes no ticks, since the paper does not give its cost; a row's scan ends with its last event, and takes all its
ticks if there is none; an accumulator is read and written at every multiplication, without the bypass of adjacent ones;
values are those of the weights given, and sums not rounded to 16 bits. The rate of the off-chip memory is not in the paper.
There is no unit for vector work, beyond a rectifier behind the products.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.compressed import CODE_BITS, Compressed, count_entries
from hwmodel.errors import ParameterError
from hwmodel.frozen import frozen
from hwmodel.machine import Machine, ZeroPolicy
from hwmodel.operands import Weights
from hwmodel.parameters import parameter
from hwmodel.plan import Block, Events, Plan, Stage, Unit
from hwmodel.prices import han2016
from hwmodel.pricing import PriceTable
from hwmodel.task import Task

LATENCY = RELEASE = 1  # a broadcast activation can be popped a tick later, and so can its slot be filled again
DRAIN = 7  # of the authors' simulator
EVENTS_OF_A_BLOCK = 1 << 14  # times 64 jobs; rows of a product are never cut


@frozen
class Columns:
    """What the columns of compressed weights take in each element.

    ``starts`` is int64 (columns + 1, elements): where a column's entries start among an element's. ``multiplied`` is int64
    (columns, elements): how many of them are no zero. Products side by side have their columns one after the other.
    """

    starts: NDArray[np.int64]
    multiplied: NDArray[np.int64]

    @staticmethod
    def of(weights: Weights, pes: int, run_bits: int) -> "Columns":
        """Take the entries of compressed weights, or count what compression gives for others."""
        given = weights.compressed
        if given is not None and (given.pes, given.run_bits) == (pes, run_bits):
            entries, multiplied = given.entries()
        elif given is None and weights.dense:
            groups, operands, outputs = weights.shape
            owned = -(-(outputs - np.arange(pes)).clip(0) // pes)  # no zero, so no filler
            entries = multiplied = np.broadcast_to(owned, (groups * operands, pes))
        else:
            entries, multiplied = count_entries(_nonzero(weights), pes, run_bits)
        return Columns(np.concatenate([np.zeros((1, pes), dtype=np.int64), np.cumsum(entries, axis=0)]), multiplied)

    @property
    def entries(self) -> int:
        """Count the entries of all elements."""
        return int(self.starts[-1].sum())


@frozen
class Broadcasts:
    """Consecutive rows of a product: their events, and the rounds in which these are broadcast.

    Attributes
    ----------
    row, operand
        int64 (events,): the row of each event, from 0, and its place in the row.
    empty
        int64 (rows without events,).
    rounds
        How many rounds there are: for each row those that wait for the row before, one that opens it, and its events; one
        in their place if there are none.
    opening
        int64 (rows,): the round that opens each row.
    event_round, empty_round
        int64 (events,) and (rows without events,): the rounds with jobs.
    scanned
        int64 (rounds,): the ticks that the scan takes for each.
    gaps
        int64 (rounds,): the ticks from the issue of the round before.
    """

    row: NDArray[np.int64]
    operand: NDArray[np.int64]
    empty: NDArray[np.int64]
    rounds: int
    opening: NDArray[np.int64]
    event_round: NDArray[np.int64]
    empty_round: NDArray[np.int64]
    scanned: NDArray[np.int64]
    gaps: NDArray[np.int64]

    @staticmethod
    def of(nonzero: NDArray[np.uint8], lanes: int, depth: int, is_first: bool) -> "Broadcasts":
        """Scan (rows, operands) of activations, so many lanes at a time.

        A row waits until every element has finished the row before: that is when the last of as many rounds without jobs as the
        queues are deep is issued, which opens the row. Nothing is before the first row, if these are the first.
        """
        row, operand = np.nonzero(nonzero)
        events = np.bincount(row, minlength=len(nonzero))
        waiting = np.full(len(nonzero), depth - 1)
        waiting[: int(is_first)] = 0
        ends = np.cumsum(waiting + 1 + np.maximum(events, 1))
        opening = ends - np.maximum(events, 1) - 1
        empty = np.flatnonzero(events == 0)
        first = np.cumsum(events) - events
        event_round = opening[row] + 1 + np.arange(row.size) - first[row]
        empty_round = opening[empty] + 1
        rounds = int(ends[-1])
        scanned, gaps = np.zeros((2, rounds), dtype=np.int64)
        scanned[event_round] = 1 + _scan_gaps(row, operand, lanes)
        scanned[empty_round] = -(-nonzero.shape[1] // lanes)
        gaps[event_round] = np.maximum(scanned[event_round], RELEASE + LATENCY if depth == 2 else 1)
        starting = event_round[first[events > 0]]
        gaps[starting] = scanned[starting] - 1  # from the opening, not from another event
        gaps[empty_round] = scanned[empty_round]
        gaps[opening[int(is_first) :] + 1] += DRAIN - RELEASE  # a row opens a release after the row before, which then drains
        return Broadcasts(row, operand, empty, rounds, opening, event_round, empty_round, scanned, gaps)


@dataclass(frozen=True)
class EIE(Machine):
    """An EIE chip."""

    name: ClassVar[str] = "eie"
    paper: ClassVar[str] = "EIE, Han et al., ISCA 2016: compressed fully connected layers, zeros of both operands skipped"
    zero_policy: ClassVar[ZeroPolicy] = ZeroPolicy(activations="skip", weights="skip")

    clock_hz: float = parameter(han2016.CLOCK_HZ, "clock frequency in hertz", minimum=1.0)
    pes: int = parameter(
        64, "processing elements, each with outputs of its own; as many activations are scanned at once", minimum=1
    )
    queue_depth: int = parameter(8, "activations between the broadcast and the slowest element", minimum=2)
    sram_bits: int = parameter(64, "width of the sparse-matrix memory", minimum=1)
    run_bits: int = parameter(4, "bits of a zero run", choices=tuple(range(1, 9)))
    spmat_bytes_per_pe: int = parameter(128 << 10, "sparse-matrix memory of an element, in bytes", minimum=0)
    dram_bytes_per_second: float = parameter(12.8e9, "rate of the off-chip memory, not in the paper", minimum=1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.sram_bits < self.entry_bits:
            raise ParameterError(
                f"machine {self.name!r}: sram_bits is {self.sram_bits}, expected at least {self.entry_bits}, the bits of an "
                f"entry (a code of {CODE_BITS} and a zero run of {self.run_bits})."
            )

    @property
    def entry_bits(self) -> int:
        """Give the bits of an entry: its code and its zero run."""
        return CODE_BITS + self.run_bits

    @property
    def scan_nodes(self) -> int:
        """Count the nodes of the leading-nonzero tree: one for each four elements, and for each four nodes, up to a root."""
        nodes = level = -(-self.pes // 4)
        while level > 1:
            level = -(-level // 4)
            nodes += level
        return nodes

    @property
    def prices(self) -> PriceTable:
        """Return the prices of the published chip, for this width of memory."""
        return han2016.table(self.sram_bits)

    @property
    def static_copies(self) -> Mapping[str, int]:
        """Say that every element is powered."""
        return {"pe.clock": self.pes}

    @property
    def weight_memory_bytes(self) -> int:
        """Give the sparse-matrix memory of all elements, in bytes."""
        return self.pes * self.spmat_bytes_per_pe

    @property
    def offchip_bytes_per_second(self) -> float:
        """Give the rate of the off-chip memory."""
        return self.dram_bytes_per_second

    def stored_bytes(self, task: Task, dense_bytes: int) -> int:
        """Give what weights take when compressed, in the proportion of all the task's entries to its weights."""
        if self.cannot_map(task) is not None or not task.weight_bytes:
            return dense_bytes
        entry_bits = self.columns(task).entries * self.entry_bits
        return -(-dense_bytes * entry_bits // (8 * task.weight_bytes))

    def cannot_map(self, task: Task) -> str | None:
        """Say that only a vector times compressed weights can be mapped."""
        if task.kind != "matmul":
            return "it maps fully connected layers, and this is a convolution"
        if task.two_activations:
            return "it holds one operand as compressed weights, and here both are activations"
        return None

    def columns(self, task: Task) -> Columns:
        """Return what the columns of a task's weights take, counted once and kept with the weights."""
        kept, key = task.weights.kept, ("eie", self.pes, self.run_bits)
        if key not in kept:
            kept[key] = Columns.of(task.weights, self.pes, self.run_bits)
        return cast("Columns", kept[key])

    @property
    def plan_units(self) -> tuple[Unit, ...]:
        """Declare the processing elements."""
        return (Unit("pe", self.pes),)

    def plan(self, task: Task) -> Plan:
        """Make one round a broadcast activation, with a job for each element; a row of activations ends before the next."""
        self.refuse_uncountable(task)

        def blocks() -> Iterator[Block]:
            columns = self.columns(task)
            read_last = np.full(self.pes, -1)  # the row of memory that each element has at hand
            for group in range(task.groups):
                for first, stop in _row_ranges(task, group):
                    yield self._block(task, group, first, stop, columns, read_last)

        (element,) = self.plan_units
        queues = Stage(element, blocks, depth=self.queue_depth, latency=LATENCY, release=RELEASE)
        return Plan((queues,), drain=DRAIN)

    def _block(self, task: Task, group: int, first: int, stop: int, columns: Columns, read_last: NDArray[np.int64]) -> Block:
        rows = _rows(task, group)[first:stop]
        found = Broadcasts.of(rows, self.pes, self.queue_depth, is_first=group == first == 0)
        jobs_of_round = np.zeros(found.rounds, dtype=np.int64)
        jobs_of_round[found.event_round] = jobs_of_round[found.empty_round] = self.pes
        pointers = np.concatenate([[0], np.cumsum(jobs_of_round)])
        served = _jobs(pointers[found.event_round], self.pes)
        ticks, multiplied, reads, pops = np.zeros((4, int(pointers[-1])), dtype=np.int64)
        column = group * task.operands + found.operand
        _serve(column, columns.starts, self.sram_bits // self.entry_bits, served, read_last, ticks, reads)
        multiplied[served] = columns.multiplied[column].reshape(-1)
        pops[served] = 1
        source_reads = np.zeros(found.rounds, dtype=np.int64)
        source_reads[found.opening] = task.operands
        return Block(
            round_pointers=pointers,
            copy=np.tile(np.arange(self.pes), int(pointers[-1]) // self.pes),
            ticks=ticks,
            useful_ticks=multiplied,
            actions={
                "queue.pass": pops,
                "ptr.read": pops,
                "spmat.read": reads,
                "arithm.multiply": multiplied,
                "act.read_word": multiplied,
                "act.write_word": multiplied,
            },
            round_actions={"act.read_word": source_reads, "lnzd.scan": found.scanned * self.scan_nodes},
            gaps=found.gaps,
            events=lambda: self._events(task, group, first, found, pops),
        )

    def _events(self, task: Task, group: int, first: int, found: Broadcasts, pops: NDArray[np.int64]) -> Events:
        """Give every element that has outputs the event of its round."""
        jobs = pops.size // self.pes
        owns = np.tile(np.arange(self.pes) < task.filters, jobs)
        window = np.zeros(jobs, dtype=np.int64)
        order = np.argsort(np.concatenate([found.event_round, found.empty_round]), kind="stable")
        window[:] = np.concatenate([found.row, found.empty])[order]
        position = ((first + found.row) * task.groups + group) * task.operands + found.operand
        receivers = min(self.pes, task.filters)
        return Events(
            pointers=np.concatenate([[0], np.cumsum(pops * owns)]),
            positions=np.repeat(position, receivers),
            operands=np.repeat(found.operand, receivers),
            output_block=np.repeat(group * task.windows + first + window, self.pes),
            filters=tuple(slice(pe, None, self.pes) for pe in range(self.pes)),
            share=np.tile(np.arange(self.pes), jobs),
        )


def _nonzero(weights: Weights) -> NDArray[np.bool_]:
    """Say which weights are stored: (columns of all products, outputs)."""
    if weights.compressed is not None:
        return np.asarray(weights.compressed.codes() != 0, dtype=np.bool_)
    nonzero = weights.nonzero
    if nonzero is None:
        assert weights.values is not None  # a shape has no zeros, and is counted without
        nonzero = weights.values != 0
    return np.asarray(nonzero.reshape(-1, weights.shape[2]), dtype=np.bool_)


def _rows(task: Task, group: int) -> NDArray[np.uint8]:
    """Return where a product's activations are nonzero: (rows, operands)."""
    rows = task.activations.nonzero.reshape(task.windows, task.groups, task.operands)
    return rows[:, group]


def _row_ranges(task: Task, group: int) -> Iterator[tuple[int, int]]:
    """Divide a product's rows into ranges of not too many events, at least a row each."""
    ends = np.cumsum(np.count_nonzero(_rows(task, group), axis=1) + 1)
    first = 0
    while first < task.windows:
        before = ends[first - 1] if first else 0
        stop = max(first + 1, int(np.searchsorted(ends, before + EVENTS_OF_A_BLOCK, side="right")))
        yield first, stop
        first = stop


def _scan_gaps(row: NDArray[np.int64], operand: NDArray[np.int64], lanes: int) -> NDArray[np.int64]:
    """Count the ticks that the scan adds before each event, leaving rows of so many lanes."""
    if not row.size:
        return np.zeros(0, dtype=np.int64)
    scanned, lane = operand // lanes, operand % lanes
    same = row[1:] == row[:-1]
    passed = scanned[1:] - scanned[:-1]
    left = np.where(passed > 0, passed - (lane[:-1] == lanes - 1), 0)
    return np.concatenate([scanned[:1], np.where(same, left, scanned[1:])])


def _jobs(first: NDArray[np.int64], copies: int) -> NDArray[np.int64]:
    """Give the numbers of all jobs of rounds that start at some."""
    return (first[:, None] + np.arange(copies)).reshape(-1)


@compiled
def _serve(
    column: NDArray[np.int64],
    starts: NDArray[np.int64],
    entries_per_read: int,
    served: NDArray[np.int64],
    read_last: NDArray[np.int64],
    ticks: NDArray[np.int64],
    reads: NDArray[np.int64],
) -> None:
    """Work through columns one after the other in every element: an entry a tick, a read when a row is not at hand."""
    pes = starts.shape[1]
    for event in range(column.size):
        for pe in range(pes):
            begin, end = starts[column[event], pe], starts[column[event] + 1, pe]
            job = served[event * pes + pe]
            ticks[job] = max(1, end - begin)
            if begin < end:
                first, last = begin // entries_per_read, (end - 1) // entries_per_read
                reads[job] = last - first + 1 - (first == read_last[pe])
                read_last[pe] = last


__all__ = ["EIE", "Columns", "Compressed"]
