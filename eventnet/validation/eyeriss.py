"""Eyeriss (Chen et al., JSSC 2017): time, energy and traffic of AlexNet's and VGG-16's convolutions, in batches of 4 and 3.

The tables of single layers are recalled from the paper, so their rows are provisional; the totals of AlexNet were read. A
published *processing* time is of passes, with what comes from off the chip in time; the *total* latency holds the waits for
it, which follow no published rule, and most of a layer's energy is static power times that. So energy is given twice: with
the published latency, which is what our counts are judged by, and with our own time.

Times are below the published ones because the ramp at the start of a pass is left out. It is not a matter of the pass's shape:
CONV4 and CONV5 have the same one, and 845 and 324 ticks of ramp.

Zeros are placed independently of each other in the published share of each layer's input.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from eventnet.progress import Bar
from eventnet.validation.row import MachineNamed, Row
from hwmodel.machines.eyeriss import Eyeriss
from hwmodel.offchip import READ
from hwmodel.task import Task
from scheduler import run

MB = 1 << 20
BATCH = {"AlexNet": 4, "VGG-16": 3}
PADDED: dict[str, Any] = {"padding": 1}
HALVES: dict[str, Any] = {"padding": 1, "groups": 2}

# Channels, filters and size of the map of each of VGG-16's convolutions, all of 3 x 3 and padded.
VGG_16 = {
    "1-1": (3, 64, 224), "1-2": (64, 64, 224), "2-1": (64, 128, 112), "2-2": (128, 128, 112),
    "3-1": (128, 256, 56), "3-2": (256, 256, 56), "3-3": (256, 256, 56),
    "4-1": (256, 512, 28), "4-2": (512, 512, 28), "4-3": (512, 512, 28),
    "5-1": (512, 512, 14), "5-2": (512, 512, 14), "5-3": (512, 512, 14),
}  # fmt: skip
VGG_16_PROCESSING_MS = 3755.2
ALEXNET_PROCESSING_MS, ALEXNET_TOTAL_MS, ALEXNET_MW, ALEXNET_GLB_MB, ALEXNET_DRAM_MB = 103.5, 115.3, 278, 208.5, 15.4


@dataclass(frozen=True)
class Layer:
    """A layer of a network: its shape, and milliwatts, milliseconds and share of zeros in the published table."""

    network: str
    name: str
    activations: tuple[int, int, int]
    weights: tuple[int, int, int, int]
    geometry: dict[str, Any]
    power_mw: int
    total_ms: float
    processing_ms: float
    zero_fraction: float

    @property
    def energy_mj(self) -> float:
        """Multiply power by total latency."""
        return round(self.power_mw * self.total_ms * 1e-3, 3)


def _vgg(name: str, *published: Any) -> Layer:
    channels, filters, size = VGG_16[name]
    return Layer("VGG-16", name, (channels, size, size), (filters, channels, 3, 3), PADDED, *published)


LAYERS = [
    Layer("AlexNet", "CONV1", (3, 227, 227), (96, 3, 11, 11), {"stride": 4}, 332, 20.9, 16.5, 0.0001),
    Layer("AlexNet", "CONV2", (96, 27, 27), (256, 48, 5, 5), {"padding": 2, "groups": 2}, 288, 41.9, 39.2, 0.387),
    Layer("AlexNet", "CONV3", (256, 13, 13), (384, 256, 3, 3), PADDED, 266, 23.6, 21.8, 0.725),
    Layer("AlexNet", "CONV4", (384, 13, 13), (384, 192, 3, 3), HALVES, 235, 18.4, 16.0, 0.793),
    Layer("AlexNet", "CONV5", (384, 13, 13), (256, 192, 3, 3), HALVES, 236, 10.5, 10.0, 0.776),
    _vgg("1-1", 247, 76.2, 38.0, 0.016),
    _vgg("1-2", 218, 910.3, 810.6, 0.477),
    _vgg("2-1", 242, 470.3, 405.3, 0.248),
    _vgg("3-1", 254, 241.1, 204.0, 0.397),
    _vgg("3-3", 233, 457.7, 408.1, 0.587),
    _vgg("4-1", 278, 135.8, 105.1, 0.643),
    _vgg("4-2", 261, 254.8, 210.0, 0.747),
    _vgg("5-1", 258, 54.3, 48.3, 0.794),
    _vgg("5-3", 230, 53.7, 48.5, 0.885),
]


@dataclass(frozen=True)
class Measured:
    """What a layer takes here: milliseconds, millijoules without static energy, megabytes (2^20) to and from GLB and link."""

    processing_ms: float
    dynamic_mj: float
    static_mw: float
    glb_mb: float
    dram_mb: float

    def energy_mj(self, milliseconds: float) -> float:
        """Add static power for so long a time."""
        return self.dynamic_mj + self.static_mw * milliseconds * 1e-3


def rows(named: MachineNamed) -> Iterator[Row]:
    """Yield the figures of Eyeriss."""
    machine = cast("Eyeriss", named("eyeriss"))
    generator = np.random.default_rng(2017)
    for network in BATCH:
        layers = [layer for layer in LAYERS if layer.network == network]
        found = [measured(machine, layer, generator) for layer in Bar(layers, desc=network, unit=" layers")]
        for layer, ours in zip(layers, found, strict=True):
            yield from _layer_rows(layer, ours)
        yield from _alexnet_totals(found) if network == "AlexNet" else [_vgg_16_total(machine)]
        yield _own_time_total(layers, found)


def measured(machine: Eyeriss, layer: Layer, generator: np.random.Generator) -> Measured:
    """Run a batch of a layer whose zeros are placed independently."""
    batch = BATCH[layer.network]
    machine = replace(machine, batch=batch)
    mask = generator.random((batch, *layer.activations), dtype=np.float32) >= layer.zero_fraction
    task = Task.convolution(mask, layer.weights, **layer.geometry, first_layer=layer.activations[0] == 3, name=layer.name)
    outcome = run(machine, task)
    link_bytes = task.weight_bytes * machine.weight_reads(task) + machine.feature_map_bytes(task)
    dynamic_pj = sum(machine.prices.dynamic_pj(outcome.ledger, machine.name).values())
    return Measured(
        processing_ms=_ms(machine, outcome.ticks),
        dynamic_mj=(dynamic_pj + link_bytes * machine.prices.price(READ, machine.name).pj) * 1e-9,
        static_mw=machine.static_w() * 1e3,
        glb_mb=machine.prices.onchip_bytes(outcome.ledger, machine.name) / MB,
        dram_mb=link_bytes / MB,
    )


def _layer_rows(layer: Layer, ours: Measured) -> Iterator[Row]:
    what = f"{layer.network} {layer.name}"
    band, table = (0.25, "JSSC 2017, Table V") if layer.network == "AlexNet" else (0.20, "JSSC 2017, Table VI")
    processing = f"{what}: processing time of {BATCH[layer.network]} images, ms"
    yield Row("eyeriss", processing, layer.processing_ms, ours.processing_ms, band, table, "recalled")
    energy = f"{what}: energy given the published total latency, mJ"
    yield Row("eyeriss", energy, layer.energy_mj, ours.energy_mj(layer.total_ms), 0.10, table, "recalled")


def _alexnet_totals(found: list[Measured]) -> Iterator[Row]:
    source = "JSSC 2017, Table V, totals"
    processing = sum(ours.processing_ms for ours in found)
    yield Row("eyeriss", "AlexNet: processing time, ms", ALEXNET_PROCESSING_MS, processing, 0.25, source, "read")
    power = sum(ours.dynamic_mj for ours in found) / ALEXNET_TOTAL_MS * 1e3 + found[0].static_mw
    yield Row("eyeriss", "AlexNet: power given the published total latency, mW", ALEXNET_MW, power, 0.10, source, "read")
    glb, dram = sum(ours.glb_mb for ours in found), sum(ours.dram_mb for ours in found)
    yield Row("eyeriss", "AlexNet: traffic of the global buffer, MB", ALEXNET_GLB_MB, glb, 0.15, source, "read")
    yield Row("eyeriss", "AlexNet: traffic of the off-chip link, MB", ALEXNET_DRAM_MB, dram, 0.15, source, "read")


def _vgg_16_total(machine: Eyeriss) -> Row:
    """Give the time of all thirteen layers, which does not depend on zeros."""
    batch = BATCH["VGG-16"]
    ticks = 0
    for channels, filters, size in VGG_16.values():
        task = Task.convolution((batch, channels, size, size), (filters, channels, 3, 3), **PADDED)
        ticks += run(replace(machine, batch=batch), task).ticks
    figure, source = "VGG-16: processing time of all thirteen layers, ms", "JSSC 2017, Table VI, total"
    return Row("eyeriss", figure, VGG_16_PROCESSING_MS, _ms(machine, ticks), 0.20, source, "recalled")


def _own_time_total(layers: list[Layer], found: list[Measured]) -> Row:
    published = round(sum(layer.energy_mj for layer in layers), 2)
    ours = sum(one.energy_mj(one.processing_ms) for one in found)
    figure = f"{layers[0].network}: energy of these {len(layers)} layers with our own time, without waits for the link, mJ"
    return Row("eyeriss", figure, published, ours, 0.20, "JSSC 2017, Tables V and VI", "recalled")


def _ms(machine: Eyeriss, ticks: int) -> float:
    return ticks / machine.clock_hz * 1e3
