"""DaDianNao (Chen et al., MICRO 2014): cycles of convolutions, and the power of a fully active node."""

from collections.abc import Iterator

from eventnet.validation.layers import layers
from eventnet.validation.row import MachineNamed, Row
from hwmodel.machine import Machine
from hwmodel.task import Task
from scheduler import run

EQUATION = "the paper's equation on the networks' published geometry"
CONVOLUTION_TICKS = {"alexnet": 300_605, "nin": 349_170, "vgg19": 6_874_112, "cnns": 698_320}
NODE_W = 7.96  # tiles 6.15, central block 1.80, wires 0.01; the HyperTransport links' 8.01 left out


def rows(named: MachineNamed) -> Iterator[Row]:
    """Yield the figures of DaDianNao."""
    machine = named("dadiannao")
    for network, published in CONVOLUTION_TICKS.items():
        tasks = [layer.task() for layer in layers(network)]
        ticks = sum(run(machine, task).ticks for task in tasks if task.kind == "convolution")
        yield Row("dadiannao", f"{network}: ticks of the convolutions", published, ticks, 0.0, EQUATION, "computed")
    yield Row(
        "dadiannao", "power of a fully active node without links, W", NODE_W, active_power_w(machine), 0.02,
        "MICRO 2014, Table VI", "recalled",
    )  # fmt: skip


def active_power_w(machine: Machine, filters: int = 256) -> float:
    """Return the power of a node on a layer that fills every lane, without padding; 256 filters fill every tile."""
    outcome = run(machine, Task.convolution((512, 8, 8), (filters, 512, 3, 3)))
    dynamic_pj = sum(machine.prices.dynamic_pj(outcome.ledger, machine.name).values())
    return dynamic_pj * 1e-12 / (outcome.ticks / machine.clock_hz) + machine.static_w()
