"""Eyeriss: 168 processing elements that keep rows stationary, gate zeros, and compress feature maps off the chip.

Source: Y.-H. Chen et al., "Eyeriss: An Energy-Efficient Reconfigurable Accelerator for Deep Convolutional Neural Networks",
JSSC 2017, and its dataflow in ISCA 2016. 12 rows of 14 elements in 65 nm at 200 MHz and 1 V, 16-bit fixed point; each element
has scratchpads for 224 words of filters, 12 of inputs and 24 of sums, and multiplies once a tick. A global buffer (GLB) holds
inputs and sums; buses bring 1 word of inputs and 4 of filters a tick from it, and 4 of sums there and 4 back.
`hwmodel.row_stationary` maps a layer in passes; `hwmodel.run_length` is the compression.

A zero input keeps an element from reading its filter and from multiplying, and saves no tick. So time follows from the
mapping alone: for each output position an element works ``S p q`` ticks a pass, and every pass over some channels takes all
sums to the GLB. A round is a column of outputs in a strip, all passes over it together, with a job for each element; inputs
and filters of the next round come, and the sums of the one before leave, while it works. So a layer takes the longest of the
three, and the first and last round's fill: ``max(products / active elements, words of sums / 4)`` in all published layers.

Off the chip: inputs for each chunk of filters that the GLB has room for, and outputs once; filters for each strip. Inputs
are compressed by their zeros, but for a first layer's. Outputs are written as they are, since a task does not know which
of them a rectifier will make zero. Nothing stays on the chip from one layer to the next.

Frames of a task are images; ``batch`` of them may share a pass, as in the published runs (4 for AlexNet, 3 for VGG-16).

Simplified:

- The GLB's 100 KB are taken as 100,000 bytes: with the 102,400 of its 25 banks VGG-16's second and third stage would take two
  channels a pass and one, where the published counts say one and two.
- The ramp at the start of a pass is left out: 324 to 1778 ticks in AlexNet, and 845 and 324 in two layers of the same passes.
- All passes over a column of outputs follow each other, which moves work within a layer and changes no total.
- Off-chip transfers overlap. The chip waits for those of feature maps, and the published waits follow no rule.
- Inputs that strips share come again in proportion to their rows, also where they are compressed.
- Idle slots of the last pass take their ticks; a layer's configuration takes none.
- A transposed convolution adds what its windows send on the way out, at no cost; a fully connected layer is a convolution of
  one position. There is no unit for vector work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwmodel import windows as ranges
from hwmodel.machine import Machine, ZeroPolicy
from hwmodel.parameters import parameter
from hwmodel.plan import Block, Events, Plan, Shares, Stage, Unit
from hwmodel.prices import chen2017
from hwmodel.pricing import PriceTable
from hwmodel.row_stationary import WORD_BYTES, Array, Layer, Mapping, Slab, map_layer
from hwmodel.run_length import compressed_bytes
from hwmodel.task import Task
from hwmodel.walk import Walk, by_rows
from hwmodel.windows import LaneCounter, lane_events


@dataclass(frozen=True)
class Eyeriss(Machine):
    """An Eyeriss chip."""

    name: ClassVar[str] = "eyeriss"
    paper: ClassVar[str] = "Eyeriss, Chen et al., JSSC 2017: row-stationary passes on 12 x 14 elements, zeros gated"
    zero_policy: ClassVar[ZeroPolicy] = ZeroPolicy(activations="gate", weights="dense")

    clock_hz: float = parameter(chen2017.CLOCK_HZ, "clock frequency in hertz", minimum=1.0)
    rows: int = parameter(12, "rows of the array", minimum=1)
    columns: int = parameter(14, "columns of the array", minimum=1)
    filter_words: int = parameter(224, "words of filters that an element holds", minimum=1)
    ifmap_words: int = parameter(12, "words of inputs that an element holds", minimum=1)
    psum_words: int = parameter(24, "words of sums that an element holds", minimum=1)
    glb_bytes: int = parameter(100_000, "global buffer for inputs and sums, in bytes", minimum=1024)
    ifmap_bus_words: int = parameter(1, "words of inputs that come into the array in a tick", minimum=1)
    filter_bus_words: int = parameter(4, "words of filters that come into the array in a tick", minimum=1)
    psum_bus_words: int = parameter(4, "words of sums that go each way in a tick", minimum=1)
    batch: int = parameter(1, "frames that may share a pass; the paper ran 4 (AlexNet) and 3 (VGG-16)", minimum=1)
    link_bytes_per_second: float = parameter(480e6, "off-chip link of 64 bits at 60 MHz", minimum=1.0)

    @property
    def prices(self) -> PriceTable:
        """Return the prices fitted to the published chip."""
        return chen2017.TABLE

    @property
    def weight_memory_bytes(self) -> int:
        """Say that no filter stays on the chip."""
        return 0

    @property
    def offchip_bytes_per_second(self) -> float:
        """Give the rate of the link."""
        return self.link_bytes_per_second

    @property
    def array(self) -> Array:
        """Return what a mapping has to fit."""
        pads = self.filter_words, self.ifmap_words, self.psum_words
        return Array(self.rows, self.columns, *pads, self.glb_bytes, self.batch)

    def cannot_map(self, task: Task) -> str | None:
        """Say that filters are too large, if they are."""
        if self.array.takes(Layer.of(task)):
            return None
        _, _, rows, columns = task.kernel_shape
        most = min(self.ifmap_words, self.filter_words)
        return f"its filters are {rows} x {columns}, and it takes at most {self.rows} rows of {most} weights"

    def mapping(self, task: Task) -> Mapping:
        """Return how a task is laid on the array."""
        return map_layer(Layer.of(task), self.array)

    def weight_reads(self, task: Task) -> int:
        """Count the strips, pieces and groups of images, each of which reads all filters."""
        return self.mapping(task).slab_count

    def feature_map_bytes(self, task: Task) -> int:
        """Count what is read of the inputs, compressed unless they are the program's, and what is written."""
        if not task.macs:
            return 0
        mapping, nonzero = self.mapping(task), task.activations.nonzero
        inputs = nonzero.size * WORD_BYTES if task.first_layer else compressed_bytes(nonzero)
        second = WORD_BYTES * task.groups * task.operands * task.filters if task.two_activations else 0
        written = WORD_BYTES * task.groups * task.windows * task.filters
        return round(inputs * mapping.rereading) + second * mapping.slab_count + written

    @property
    def plan_units(self) -> tuple[Unit, ...]:
        """Declare the buses into the array and out of it, words and sums side by side, and its elements."""
        return Unit("input_bus", 2), Unit("pe", self.rows * self.columns), Unit("psum_bus", 2)

    def plan(self, task: Task) -> Plan:
        """Make three stages of a round for each column of outputs: words come, elements work, sums leave."""
        self.refuse_uncountable(task)
        mapping = self.mapping(task)
        slabs = list(mapping.slabs()) if task.macs else []
        input_bus, element, psum_bus = self.plan_units
        stages: list[tuple[Unit, Callable[[], Iterator[Block]]]] = [
            (input_bus, lambda: (self._delivery(mapping, slab) for slab in slabs)),
            (element, lambda: self._passes(task, mapping, slabs)),
            (psum_bus, lambda: (self._collection(mapping, slab) for slab in slabs)),
        ]
        return Plan(tuple(Stage(unit, blocks, slots=1) for unit, blocks in stages))

    def _delivery(self, mapping: Mapping, slab: Slab) -> Block:
        """Bring inputs and filters of a slab, as much of them in each round."""
        layer, rounds = mapping.layer, len(slab.images) * len(slab.columns)
        planes = mapping.plane_words(slab)
        inputs = _spread(planes * mapping.filter_passes, rounds)
        filters = _spread(layer.filters * layer.channels * layer.filter_rows * layer.filter_columns, rounds)
        fill = _spread(planes * mapping.filter_chunks, rounds)
        ticks = np.stack([-(-inputs // self.ifmap_bus_words), -(-filters // self.filter_bus_words)], axis=1)
        return _buses(ticks, {"glb.read_word": inputs + filters, "glb.write_word": fill})

    def _collection(self, mapping: Mapping, slab: Slab) -> Block:
        """Take the sums of each pass to the GLB and, but for the first, from there; then take the outputs from it."""
        rounds, outputs = len(slab.images) * len(slab.columns), len(slab.rows) * mapping.layer.filters
        there, back = outputs * mapping.channel_passes, outputs * (mapping.channel_passes - 1)
        ticks = np.array([[-(-there // self.psum_bus_words), -(-back // self.psum_bus_words)]]).repeat(rounds, axis=0)
        every_round = np.ones(rounds, dtype=np.int64)
        return _buses(ticks, {"glb.write_word": every_round * there, "glb.read_word": every_round * (back + outputs)})

    def _passes(self, task: Task, mapping: Mapping, slabs: list[Slab]) -> Iterator[Block]:
        walk = by_rows(task, mapping.r)
        counter = LaneCounter(task, walk)
        elements = mapping.elements(self.array)
        for slab in slabs:
            at_once = max(1, min(ranges.WINDOWS_PER_RANGE, ranges.OPERANDS_PER_RANGE // task.operands) // len(slab.rows))
            for image in slab.images:
                for first in range(slab.columns.start, slab.columns.stop, at_once):
                    columns = range(first, min(first + at_once, slab.columns.stop))
                    yield _work(task, mapping, walk, counter, elements, _Part(slab, image, columns))


@dataclass(frozen=True)
class _Part:
    """Some columns of a slab, of one of its images: so many rounds."""

    slab: Slab
    image: int
    columns: range

    def windows(self, layer: Layer) -> list[tuple[int, int]]:
        """List, for each row of outputs, its first window and one past the last, among the windows of all groups."""
        above = (self.slab.group * layer.images + self.image) * layer.rows
        starts = [(above + row) * layer.columns for row in self.slab.rows]
        return [(start + self.columns.start, start + self.columns.stop) for start in starts]


def _work(task: Task, mapping: Mapping, walk: Walk, counter: LaneCounter, elements: NDArray[np.int64], part: _Part) -> Block:
    """Make a job for each element of each round: a row of a filter at an output position, for its share of the operands."""
    layer, rows, rounds, lanes = mapping.layer, len(part.slab.rows), len(part.columns), walk.lane_pointers.size - 1
    windows = part.windows(layer)
    counts = np.stack([counter.count(*one).events.T.astype(np.int64) for one in windows], axis=1)  # (rounds, rows, lanes)
    shape = rounds, rows, mapping.t, lanes
    events = np.broadcast_to(counts[:, :, None], shape).reshape(-1)
    edges = np.arange(mapping.t + 1) * layer.filters // mapping.t
    filters = tuple(slice(int(begin), int(end)) for begin, end in pairwise(edges))
    share = np.broadcast_to(np.arange(mapping.t)[None, None, :, None], shape).reshape(-1)
    filters_of_job = np.diff(edges)[share]
    operands = np.broadcast_to(walk.operands_per_lane, shape).reshape(-1)
    of_window = np.stack([np.arange(*one) for one in windows], axis=1)  # (rounds, rows)
    output_block = np.broadcast_to(of_window[:, :, None, None], shape).reshape(-1)
    multiplied = events * filters_of_job
    return Block(
        round_pointers=np.arange(rounds + 1) * (rows * mapping.t * lanes),
        copy=np.tile(elements[:rows].reshape(-1), rounds),
        ticks=np.full(events.size, mapping.ticks_per_output),
        useful_ticks=multiplied,
        actions={"pe.multiply": multiplied, "pe.gate": operands * filters_of_job - multiplied},
        events=lambda: _events(task, walk, windows, shape, output_block, filters, share),
        shares=lambda: Shares(events, output_block, filters, share),
    )


def _events(
    task: Task,
    walk: Walk,
    windows: list[tuple[int, int]],
    shape: tuple[int, int, int, int],
    output_block: NDArray[np.int64],
    filters: tuple[slice, ...],
    share: NDArray[np.int64],
) -> Events:
    """Compress the events of each window and lane once, and give them to the job of each set of filters."""
    rounds, _, _, lanes = shape
    found = [lane_events(task, walk, *one) for one in windows]
    sizes = np.stack([np.diff(one.pointers).reshape(rounds, lanes) for one in found], axis=1)
    before = np.cumsum([0, *(one.positions.size for one in found[:-1])])
    starts = np.stack([one.pointers[:-1].reshape(rounds, lanes) for one in found], axis=1) + before[None, :, None]
    size, start = (np.broadcast_to(one[:, :, None], shape).reshape(-1) for one in (sizes, starts))
    pointers = np.concatenate([[0], np.cumsum(size)])
    taken = np.arange(pointers[-1]) + np.repeat(start - pointers[:-1], size)
    positions, operands = (np.concatenate([getattr(one, name) for one in found])[taken] for name in ("positions", "operands"))
    return Events(pointers, positions, operands, output_block, filters, share)


def _spread(words: int, rounds: int) -> NDArray[np.int64]:
    """Divide words over rounds so that they differ by one at most: (rounds,)."""
    each, rest = divmod(words, rounds)
    return each + np.diff(np.arange(rounds + 1) * rest // rounds)


def _buses(ticks: NDArray[np.int64], round_actions: dict[str, NDArray[np.int64]]) -> Block:
    """Make rounds of a job for each bus, none of whose ticks is spent on an operand: ticks (rounds, buses)."""
    rounds, buses = ticks.shape
    return Block(
        round_pointers=np.arange(rounds + 1) * buses,
        copy=np.tile(np.arange(buses), rounds),
        ticks=ticks.reshape(-1),
        useful_ticks=np.zeros(ticks.size, dtype=np.int64),
        round_actions=round_actions,
    )
