"""One processing element of Eyeriss v2, alone: compressed inputs meet compressed columns of weights.

Source: Y.-H. Chen et al., "Eyeriss v2: A Flexible Accelerator for Emerging Deep Neural Networks on Mobile Devices", JETCAS
2019. Inputs and weights are compressed by column: 12 bits a nonzero one, of which 4 count the zeros before it. A zero input
takes no tick, each other takes a tick for every nonzero weight of its column, and one whose column is empty is hidden behind
the others. So a window takes as many ticks as it has products of two nonzeros, and ``sum over c of inputs(c) * weights(c)``
is the published truth of the layers in Sparseloop's artifact (Y. N. Wu et al., MICRO 2022), which takes one product a tick.
The chip's element multiplies two weights of a column at once: ``macs_per_tick=2`` rounds each column up to pairs.

A round is a window, whose products the one element makes one after the other: a convolution of any kernel, as a matrix
product, is inputs that meet the column of their channel and kernel position.

Simplified: the element is alone, without the 191 others and their network; its scratchpads (16 inputs, 192 weights, 32 sums)
are taken to be filled in time, so that larger layers run tile after tile without a tick between them; the 7 ticks of its
pipeline are left out, as in the published truth; a sum is read and written for each product and read once more when it
leaves, and a count of zeros is read with each input and weight; zero runs of more than 15 get no filler; the prices have
neither clock nor leakage; words are of 8 bits whatever the numerics. The rate at which words come is not in the papers. There
is no unit for vector work.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.machine import Machine, ZeroPolicy
from hwmodel.parameters import parameter
from hwmodel.plan import Block, Counts, Plan, Shares, Stage, Unit
from hwmodel.prices import wu2022
from hwmodel.pricing import PriceTable
from hwmodel.task import Task
from hwmodel.walk import interleaved
from hwmodel.windows import lane_events, window_origins, window_ranges

COMPRESSED_BITS = 12  # a value of 8 bits and a count of 4
OF_AN_EVENT = ("iact.read_word", "iact.read_count")
OF_A_PRODUCT = ("pe.multiply", "weight.read_word", "weight.read_count", "psum.read_word", "psum.write_word")


@dataclass(frozen=True)
class EyerissV2PE(Machine):
    """A processing element of Eyeriss v2."""

    name: ClassVar[str] = "eyeriss_v2_pe"
    paper: ClassVar[str] = "Eyeriss v2, Chen et al., JETCAS 2019: one processing element, zeros of both operands skipped"
    zero_policy: ClassVar[ZeroPolicy] = ZeroPolicy(activations="skip", weights="skip")

    clock_hz: float = parameter(200e6, "clock frequency in hertz", minimum=1.0)
    macs_per_tick: int = parameter(1, "weights of a column that meet an input in a tick; the chip has 2", minimum=1)
    weight_spad_bytes: int = parameter(288, "scratchpad for weights: 96 words of 24 bits", minimum=0)
    input_bytes_per_second: float = parameter(1.6e9, "rate at which weights come, not in the paper", minimum=1.0)

    @property
    def prices(self) -> PriceTable:
        """Return the prices of the element."""
        return wu2022.TABLE

    @property
    def weight_memory_bytes(self) -> int:
        """Give the scratchpad for weights."""
        return self.weight_spad_bytes

    @property
    def offchip_bytes_per_second(self) -> float:
        """Give the rate at which weights come."""
        return self.input_bytes_per_second

    def stored_bytes(self, task: Task, dense_bytes: int) -> int:
        """Give what weights take when compressed, in the proportion of the task's nonzero weights to all."""
        if not task.weight_bytes:
            return dense_bytes
        compressed_bits = int(task.weights.nonzeros_per_operand.sum()) * COMPRESSED_BITS
        return -(-dense_bytes * compressed_bits // (8 * task.weight_bytes))

    @property
    def plan_units(self) -> tuple[Unit, ...]:
        """Declare the one processing element."""
        return (Unit("pe", 1),)

    def plan(self, task: Task) -> Plan:
        """Make one round a window, with one job."""
        self.refuse_uncountable(task)
        walk = interleaved(task, lanes=1, packed=True)

        def blocks() -> Iterator[Block]:
            products_of_operand = task.weights.nonzeros_per_operand
            ticks_of_operand = -(-products_of_operand // self.macs_per_tick)
            for first, stop in window_ranges(task):
                events, products, ticks = np.zeros((3, stop - first), dtype=np.int64)
                group = np.arange(first, stop) // task.windows
                _add_up(
                    task.activations.nonzero.reshape(-1),
                    window_origins(task, first, stop),
                    group,
                    products_of_operand,
                    ticks_of_operand,
                    events,
                    products,
                    ticks,
                )
                every_event, every_product, every_window = Counts(events), Counts(products), Counts(np.ones_like(events))
                row = np.arange(first, stop)
                yield Block(
                    round_pointers=np.arange(stop - first + 1),
                    copy=np.zeros(stop - first, dtype=np.int64),
                    ticks=ticks,
                    useful_ticks=ticks,
                    actions={
                        **{action: every_event.times(1) for action in OF_AN_EVENT},
                        **{action: every_product.times(1) for action in OF_A_PRODUCT},
                    },
                    round_actions={"psum.read_word": every_window.times(task.filters)},
                    events=lambda first=first, stop=stop: lane_events(task, walk, first, stop),  # type: ignore[misc]
                    shares=lambda events=events, row=row: Shares(events, row),  # type: ignore[misc]
                )

        (element,) = self.plan_units
        return Plan((Stage(element, blocks),))


@compiled
def _add_up(
    nonzero: NDArray[np.uint8],
    origins: NDArray[np.int64],
    group: NDArray[np.int64],
    products_of_operand: NDArray[np.int64],
    ticks_of_operand: NDArray[np.int64],
    events: NDArray[np.int64],
    products: NDArray[np.int64],
    ticks: NDArray[np.int64],
) -> None:
    """Add up what the events of each window meet: ``origins`` is (windows, kernel positions)."""
    channels = products_of_operand.shape[1] // origins.shape[1]
    for window in range(origins.shape[0]):
        met, taken = products_of_operand[group[window]], ticks_of_operand[group[window]]
        found = made = spent = np.int64(0)
        for tap in range(origins.shape[1]):
            origin = origins[window, tap]
            if origin < 0:
                continue
            for channel in range(channels):
                here = np.int64(nonzero[origin + channel])
                found += here
                made += here * met[tap * channels + channel]
                spent += here * taken[tap * channels + channel]
        events[window], products[window], ticks[window] = found, made, spent
