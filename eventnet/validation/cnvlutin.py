"""Cnvlutin (Albericio et al., ISCA 2016): the toy example of Figures 3 and 4, and the speed-ups of Figure 9."""

from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import numpy as np

from eventnet.progress import Bar
from eventnet.validation.layers import layers, vector_tasks
from eventnet.validation.row import MachineNamed, Row
from hwmodel.machine import Machine
from hwmodel.machines.cnvlutin import Cnvlutin
from hwmodel.machines.dadiannao import DaDianNao
from hwmodel.task import Task
from scheduler import run

SPEEDUPS = {"alexnet": (0.44, 1.366), "nin": (0.37, 1.282), "cnns": (0.50, 1.551)}  # share of zeros, Figure 9
NEURONS = np.array([[[1, 0, 3]], [[0, 2, 4]]])
SYNAPSES = np.array([[[[1, 3, 5]], [[2, 4, 6]]], [[[-1, -3, -5]], [[-2, -4, -6]]]])


def rows(named: MachineNamed) -> Iterator[Row]:
    """Yield the figures of Cnvlutin."""
    machine, baseline = cast("Cnvlutin", named("cnvlutin")), cast("DaDianNao", named("dadiannao"))
    toy = Task.convolution(NEURONS, SYNAPSES)
    dense = run(replace(baseline, lanes=2, filters_per_unit=2), toy)
    skipping = run(replace(machine, lanes=2, filters_per_unit=2, brick=3), toy)
    assert skipping.outputs is not None
    first, second = (float(output) for output in skipping.outputs.ravel())
    yield Row("cnvlutin", "toy example: ticks of the baseline", 3, dense.ticks, 0.0, "ISCA 2016, Figure 3", "read")
    yield Row("cnvlutin", "toy example: ticks", 2, skipping.ticks, 0.0, "ISCA 2016, Figure 4", "read")
    yield Row("cnvlutin", "toy example: output of filter 0", 48, first, 0.0, "ISCA 2016, Figure 4", "read")
    yield Row("cnvlutin", "toy example: output of filter 1", -48, second, 0.0, "ISCA 2016, Figure 4", "read")
    for network, (zero_fraction, published) in SPEEDUPS.items():
        ours = independent_speedup(machine, baseline, network, zero_fraction)
        figure = f"{network}: speed-up, {zero_fraction:.0%} zeros placed independently"
        yield Row("cnvlutin", figure, published, ours, 0.03, "ISCA 2016, Figure 9", "digitised")


def independent_speedup(
    machine: Machine, baseline: Machine, network: str, zero_fraction: float, all_layers: bool = False, seed: int = 2016
) -> float:
    """Return the speed-up on a network whose operands are zero independently, its first layer dense.

    Parameters
    ----------
    zero_fraction
        Share of the operands of each layer's multiplications that are zero, padding included.
    all_layers
        Whether fully connected layers, pooling and normalisation count too.
    """
    generator = np.random.default_rng(seed)
    ticks = baseline_ticks = 0
    for layer in Bar(list(layers(network)), desc=network, unit=" layers"):
        task = layer.task() if layer.first else layer.task(zero_fraction, generator)
        if task.kind == "convolution" or all_layers:
            ticks += run(machine, task).ticks
            baseline_ticks += run(baseline, task).ticks
    for vector in vector_tasks(network) if all_layers else ():
        ticks += run(machine, vector).ticks
        baseline_ticks += run(baseline, vector).ticks
    return (baseline_ticks / baseline.clock_hz) / (ticks / machine.clock_hz)
