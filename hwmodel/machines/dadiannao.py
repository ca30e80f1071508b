"""DaDianNao: sixteen tiles in lock-step that multiply every operand, zeros and padding included.

Source: Y. Chen et al., "DaDianNao: A Machine-Learning Supercomputer", MICRO 2014. One node: 16 tiles, each with 16 neuron
lanes and 16 filters (256 multipliers) and 2 MB of eDRAM for synapses; 4 MB of central eDRAM for neurons; 606 MHz; 16-bit
fixed point. In a tick every tile takes the same 16 neurons and multiplies them by the synapses of its own 16 filters.

Ticks: ``groups * windows * ceil(F / 256) * K^2 * ceil(C / 16)`` with C and F those of a group; the first layer packs its
operands without gaps, ``windows * ceil(F / 256) * ceil(C K^2 / 16)``, since the published cycle counts of networks with
three input channels allow nothing else; a fully connected layer is one window.

Simplified: the 8-tick pipeline fill, the eDRAM latency and bank conflicts are hidden, as the Cnvlutin paper takes its
baseline; windows fetch all their neurons anew; a node is as large as asked for in computation, and parameters beyond its
32 MB come over the links (reported apart).

Vector work (pooling, normalisation, softmax, copies, element-wise operators) goes through the lanes 16 elements a tile and
tick, ``vector_lanes`` in all, and is priced by its words and one operation an element; their way over the tree is left out.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwmodel.machine import Machine, ZeroPolicy
from hwmodel.parameters import parameter
from hwmodel.plan import Counts, Lockstep, Plan, Shares, Stage, Unit
from hwmodel.prices import chen2014
from hwmodel.pricing import PriceTable
from hwmodel.task import Task
from hwmodel.vector import VectorTask, vector_plan
from hwmodel.walk import Walk, interleaved
from hwmodel.windows import count_lanes, lane_events, output_blocks, window_ranges


@dataclass(frozen=True)
class DaDianNao(Machine):
    """A DaDianNao node."""

    name: ClassVar[str] = "dadiannao"
    paper: ClassVar[str] = "DaDianNao, Chen et al., MICRO 2014: dense, 16 tiles of 16 lanes by 16 filters"
    zero_policy: ClassVar[ZeroPolicy] = ZeroPolicy(activations="dense", weights="dense")

    clock_hz: float = parameter(chen2014.CLOCK_HZ, "clock frequency in hertz", minimum=1.0)
    units: int = parameter(16, "tiles, each with filters of its own", minimum=1)
    lanes: int = parameter(16, "neuron lanes of a tile; all tiles get the same neurons", minimum=1)
    filters_per_unit: int = parameter(16, "filters that a tile computes at once", minimum=1)
    vector_lanes: int = parameter(256, "elements that vector work takes in a tick, 16 a tile", minimum=1)
    synapse_bytes_per_unit: int = parameter(2 << 20, "eDRAM for synapses in a tile, in bytes", minimum=0)
    link_bytes_per_second: float = parameter(25.6e9, "four HyperTransport 2.0 links of 6.4 GB/s", minimum=1.0)

    @property
    def prices(self) -> PriceTable:
        """Return the prices of the published node."""
        return chen2014.TABLE

    @property
    def static_copies(self) -> Mapping[str, int]:
        """Say that every tile is powered."""
        return {"tile.clock": self.units, "tile.leakage": self.units}

    @property
    def weight_memory_bytes(self) -> int:
        """Give the synapse memory of all tiles, in bytes."""
        return self.units * self.synapse_bytes_per_unit

    @property
    def offchip_bytes_per_second(self) -> float:
        """Give the rate of the links."""
        return self.link_bytes_per_second

    def passes(self, task: Task) -> int:
        """Count how often all tiles go over a window, because they hold so many filters at once."""
        return -(-task.filters // (self.units * self.filters_per_unit))

    def filter_tiles(self, task: Task) -> int:
        """Count the tiles that work on a window, once for each pass that they work in."""
        return -(-task.filters // self.filters_per_unit)

    @property
    def lane(self) -> Unit:
        """Return the unit of all work."""
        return Unit("lane", self.lanes)

    @property
    def plan_units(self) -> tuple[Unit, ...]:
        """Declare the lanes."""
        return (self.lane,)

    def plan(self, task: Task) -> Plan:
        """Make one round a window, with a job for each lane that has operands; lanes wait for each other."""
        walk = interleaved(task, self.lanes, packed=task.first_layer and task.kind == "convolution")
        return self._plan(lambda: (self._dense_rounds(task, walk, first, stop) for first, stop in window_ranges(task)))

    def vector_plan(self, task: VectorTask) -> Plan:
        """Deal the elements to the lanes of all tiles, ``vector_lanes`` a tick."""
        read, written = self.vector_actions
        actions = dict.fromkeys(read, 1), dict.fromkeys(written, 1)
        return vector_plan(task, self.lane, self.vector_lanes, *actions)

    @property
    def vector_actions(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """List what is done once for each element that goes into the lanes, and for each result."""
        read = ("nm.read_word", "nbin.write_word", "nbin.read_word", "nfu.operate")
        return read, ("nbout.write_word", "nbout.read_word", "nm.write_word")

    def _plan(self, blocks: Callable[[], Iterator[Lockstep]], drain: int = 0) -> Plan:
        return Plan((Stage(self.lane, blocks),), drain=drain)

    def _dense_rounds(self, task: Task, walk: Walk, first: int, stop: int) -> Lockstep:
        lanes, windows = walk.working_lanes, stop - first
        steps = walk.most_operands
        passes, tiles = self.passes(task), self.filter_tiles(task)
        active_tiles = min(self.units, tiles)
        operands = Counts(lambda: np.tile(walk.operands_per_lane[lanes], windows), windows * task.operands)
        every_lane, every_window = Counts.ones(windows * lanes.size), Counts.ones(windows)
        found = Counts(
            lambda: count_lanes(task, walk, first, stop).events.T.reshape(-1).astype(np.int64),
            task.events_covered if windows == task.groups * task.windows else int(task.events_of_windows[first:stop].sum()),
        )
        actions = [
            (operands, {"nfu.multiply": task.filters, "nfu.add": task.filters}),
            (
                every_lane,
                {
                    "sb.read_word": steps * tiles * self.filters_per_unit,
                    "lane.register": steps * tiles,
                    "nbin.read_word": steps * tiles,
                    "nbin.write_word": steps * active_tiles,
                },
            ),
        ]
        round_actions = [
            (
                every_window,
                {
                    "nbout.read_word": steps * tiles * self.filters_per_unit,
                    "nbout.write_word": steps * tiles * self.filters_per_unit,
                    "nm.read_word": steps * self.lanes,
                    "tree.broadcast_word": steps * self.lanes,
                    "nm.write_word": task.filters,
                },
            )
        ]
        return Lockstep(
            copies=lanes,
            rounds=windows,
            lane_ticks=np.full((lanes.size, 1), steps * passes),
            useful_ticks=found.times(passes),
            actions=actions,
            round_actions=round_actions,
            events=lambda: lane_events(task, walk, first, stop),
            shares=lambda: Shares(found.counts, output_blocks(walk, first, stop)),
        )
