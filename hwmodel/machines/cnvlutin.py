"""Cnvlutin: a DaDianNao node whose lanes skip zero neurons.

Source: J. Albericio et al., "Cnvlutin: Ineffectual-Neuron-Free Deep Neural Network Computing", ISCA 2016. The neurons of
a layer are stored in bricks of 16 as pairs of value and offset, nonzero ones first. Each of the 16 neuron lanes takes
bricks of its own and sends one nonzero neuron a tick to all tiles; the offset selects the synapses. Lanes meet at the end
of each window.

Ticks of a lane in a window: ``ceil(F / 256) * (sum over its bricks of max(1, nonzeros))``; of a window: the slowest
lane's. Which neurons a lane owns is not said in the paper; slices of the channels reproduce its speed-ups and the brick
round-robin does not (nin would slow down), so ``assignment="slice"`` is the default. Padding is never read and never
multiplied, but a brick that is padding throughout still takes its slot.

The first layer and, in this paper, fully connected layers run as on DaDianNao; ``skip_fully_connected`` is what
Cnvlutin2 (Judd et al., 2017) added. The encoder of each tile works through one output neuron a tick, beside the lanes;
the paper takes it as hidden. Windows shorter than it needs are counted (``encoder.late_window``), and
``encoder_throttles`` makes each of them as long as its encoding.

Simplified: brick prefetch is hidden, as in the paper; partial sums are read and written in as many ticks as the busiest
lane multiplies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.ledger import Ledger
from hwmodel.machine import ZeroPolicy
from hwmodel.machines.dadiannao import DaDianNao
from hwmodel.parameters import parameter
from hwmodel.plan import Counts, Lockstep, Plan, Shares
from hwmodel.prices import albericio2016
from hwmodel.pricing import PriceTable
from hwmodel.task import Task
from hwmodel.walk import Walk, dealt, sliced
from hwmodel.windows import LaneCounter, LaneCounts, busiest, count_lanes, lane_events, output_blocks, window_ranges


@dataclass(frozen=True)
class Cnvlutin(DaDianNao):
    """A Cnvlutin node."""

    name: ClassVar[str] = "cnvlutin"
    paper: ClassVar[str] = "Cnvlutin, Albericio et al., ISCA 2016: DaDianNao whose lanes skip zero neurons"
    zero_policy: ClassVar[ZeroPolicy] = ZeroPolicy(activations="skip", weights="dense")

    brick: int = parameter(16, "neurons of a brick", minimum=1)
    assignment: str = parameter("slice", "which neurons a lane owns", choices=("slice", "brick"))
    empty_brick_ticks: int = parameter(1, "ticks of a brick without a nonzero neuron", minimum=0)
    skip_fully_connected: bool = parameter(False, "skip zeros in fully connected layers too, as Cnvlutin2 does")
    encoder_throttles: bool = parameter(False, "make windows as long as the encoding of their outputs")

    @property
    def prices(self) -> PriceTable:
        """Return DaDianNao's prices with those of what Cnvlutin adds."""
        return albericio2016.TABLE

    def encoder_ticks(self, task: Task) -> int:
        """Give the ticks that the encoder of the busiest tile needs for the outputs of one window."""
        full_passes = self.passes(task) - 1
        left = task.filters - full_passes * self.units * self.filters_per_unit
        return full_passes * self.filters_per_unit + min(self.filters_per_unit, left)

    def plan(self, task: Task) -> Plan:
        """Make one round a window, with a job for each lane that has operands; lanes wait for each other."""
        if task.first_layer or (task.kind == "matmul" and not self.skip_fully_connected):
            return super().plan(task)
        share = sliced if self.assignment == "slice" else dealt
        walk = share(task, self.lanes, self.brick)

        def blocks() -> Iterator[Lockstep]:
            counter = LaneCounter(task, walk)
            return (self._skipping_rounds(task, walk, counter, first, stop) for first, stop in window_ranges(task))

        return self._plan(blocks, drain=self._last_encoding(task, walk))

    @property
    def vector_actions(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """List what is done for each element and each result; results are encoded again."""
        read = ("nm.read_neuron", "nbin.write_neuron", "nbin.read_neuron", "nfu.operate")
        return read, ("nbout.write_word", "nbout.read_word", "encoder.encode", "nm.write_neuron")

    def remarks(self, ledger: Ledger) -> tuple[str, ...]:
        """Say how often a window is over before its outputs are encoded."""
        late, windows = ledger["encoder.late_window"], ledger["encoder.window"]
        if not windows:
            return ()
        charged = "and last as long as it" if self.encoder_throttles else "which is not charged, as in the paper"
        return (f"{late / windows:.1%} of {windows:,} skipping windows are shorter than their outputs' encoding, {charged}",)

    def _lane_ticks(self, task: Task, counts: LaneCounts) -> NDArray[np.int64]:
        return _weighed(counts.events, counts.empty_bricks, self.empty_brick_ticks, self.passes(task))

    def _last_encoding(self, task: Task, walk: Walk) -> int:
        """Give the ticks by which the last window is shorter than its encoding, if that is charged."""
        if not self.encoder_throttles or not task.windows:
            return 0
        windows = task.groups * task.windows
        last = count_lanes(task, walk, windows - 1, windows)
        return max(0, self.encoder_ticks(task) - int(self._lane_ticks(task, last).max(initial=0)))

    def _skipping_rounds(self, task: Task, walk: Walk, counter: LaneCounter, first: int, stop: int) -> Lockstep:
        passes, tiles, encoding = self.passes(task), self.filter_tiles(task), self.encoder_ticks(task)
        partial_sums = tiles * self.filters_per_unit
        windows, counts = stop - first, counter.count(first, stop)
        ticks = self._lane_ticks(task, counts)
        events = Counts(lambda: counts.events.T.reshape(-1).astype(np.int64), int(counts.events.sum(dtype=np.int64)))
        every_window, busiest_lane = Counts.ones(windows), Counts(busiest(counts.events).astype(np.int64))
        late = Counts((busiest(ticks) < encoding).astype(np.int64))
        actions = [
            (
                events,
                {
                    "nfu.multiply": task.filters,
                    "nfu.add": task.filters,
                    "sb.read_word": tiles * self.filters_per_unit,
                    "lane.register": tiles,
                    "nbin.read_neuron": tiles,
                    "nbin.write_neuron": min(self.units, tiles),
                    "tree.broadcast_neuron": 1,
                    "dispatcher.send": 1,
                },
            ),
            (counts.operands_read, {"nm.read_neuron": 1}),
        ]
        round_actions = [
            (busiest_lane, {"nbout.read_word": partial_sums, "nbout.write_word": partial_sums}),
            (every_window, {"nm.write_neuron": task.filters, "encoder.encode": task.filters, "encoder.window": 1}),
            (late, {"encoder.late_window": 1}),
        ]
        return Lockstep(
            copies=walk.working_lanes,
            rounds=windows,
            lane_ticks=ticks,
            useful_ticks=events.times(passes),
            actions=actions,
            round_actions=round_actions,
            gaps=np.full(windows, encoding) if self.encoder_throttles else None,
            events=lambda: lane_events(task, walk, first, stop),
            shares=lambda: Shares(events.counts, output_blocks(walk, first, stop)),
        )


@compiled
def _weighed(
    events: NDArray[np.int32], empty_bricks: NDArray[np.int32], empty_brick_ticks: int, passes: int
) -> NDArray[np.int64]:
    """Give the ticks of each lane in each window: its events, and its empty bricks, in every pass."""
    ticks = np.empty(events.shape, dtype=np.int64)
    for lane in range(events.shape[0]):
        for window in range(events.shape[1]):
            ticks[lane, window] = (np.int64(events[lane, window]) + empty_bricks[lane, window] * empty_brick_ticks) * passes
    return ticks
