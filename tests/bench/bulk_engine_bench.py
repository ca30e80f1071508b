"""The bulk engine: beside PyTorch's forward, beside the event engine, and with the height of the input.

Cnvlutin against DaDianNao with `values="reference"`: every zero counted, nothing multiplied. `times forward` is `simulate` over
the model's own forward with as many threads; goals: 1.25 for vgg19, 1.5 for alexnet and googlenet. Bulk against event on alexnet:
at least 50 times faster. Doubling the height of an input doubles the time within 20 %. `machines` is what the values of a second
machine cost: the products of a task are added up once for all machines.
"""

from dataclasses import replace

import numpy as np
import torch
from timing import median_of, median_ratio, pairs
from torch import nn

import eventnet
import hwmodel
import scheduler
from eventnet import models
from eventnet.validation.layers import layers

GOALS = {"vgg19": 1.25, "alexnet": 1.5, "googlenet": 1.5}
SIZES = {"alexnet": 227}
ZEROS = 0.44
HEIGHTS = (56, 112, 224, 448)


def measure() -> list[str]:
    with torch.no_grad():
        return [*forwards(), "", *engines(), "", *machines(), "", *heights()]


def network(name: str) -> tuple[nn.Module, torch.Tensor]:
    photograph = models.photo("astronaut", size=SIZES.get(name, 224))
    return models.calibrate(models.load(name), photograph, zero_fraction=ZEROS), photograph


def forwards() -> list[str]:
    rows = ["| network | forward ms | simulate ms | times forward | goal |", "|---|---|---|---|---|"]
    for name, goal in GOALS.items():
        model, photograph = network(name)

        def simulated(model=model, photograph=photograph) -> None:
            eventnet.simulate(model, photograph, baseline="dadiannao", engine="bulk", values="reference", progress=False)

        measured = pairs(simulated, lambda model=model, photograph=photograph: model(photograph), repeats=15)
        rows.append(
            f"| {name} | {median_of(measured, 1) * 1e3:.0f} | {median_of(measured, 0) * 1e3:.0f} | "
            f"{median_ratio(measured):.2f} | {goal} |"
        )
    return rows


def engines() -> list[str]:
    model, photograph = network("alexnet")
    generator = np.random.default_rng(0)
    tasks = [layer.task(None if layer.first else ZEROS, generator) for layer in layers("alexnet")]
    rows = ["| alexnet, values from PyTorch | event ms | bulk ms | times faster | goal |", "|---|---|---|---|---|"]

    def whole(engine: str) -> None:
        eventnet.simulate(model, photograph, baseline="dadiannao", engine=engine, values="reference", progress=False)

    def alone(engine: str) -> None:
        for task in map(replace, tasks):  # as new ones: a task keeps what was counted of it
            for name in ("cnvlutin", "dadiannao"):
                scheduler.run(hwmodel.load(name), task, engine=engine, values="reference")

    for what, run in (("`simulate`, PyTorch's forward included", whole), ("the engines alone, both machines", alone)):
        measured = pairs(lambda run=run: run("event"), lambda run=run: run("bulk"), repeats=5)
        goal = "50" if run is alone else ""
        rows.append(
            f"| {what} | {median_of(measured, 0) * 1e3:.0f} | {median_of(measured, 1) * 1e3:.1f} | {median_ratio(measured):.0f} | {goal} |"
        )
    return rows


def machines() -> list[str]:
    model, photograph = network("alexnet")
    both, one = ["cnvlutin", "dadiannao"], ["cnvlutin"]

    def run(machine: list[str]) -> None:
        eventnet.simulate(model, photograph, machine=machine, engine="bulk", progress=False)

    measured = pairs(lambda: run(both), lambda: run(one), repeats=5)
    return [
        "| alexnet, values from events | one machine ms | two machines ms | times as long |",
        "|---|---|---|---|",
        f"| cnvlutin, and dadiannao | {median_of(measured, 1) * 1e3:.0f} | {median_of(measured, 0) * 1e3:.0f} | "
        f"{median_ratio(measured):.2f} |",
    ]


def heights() -> list[str]:
    """Measure the engine on a network of convolutions, whose cost is that of its windows."""
    rows = ["| height of the input | engine ms | times the height before |", "|---|---|---|"]
    machine = hwmodel.load("cnvlutin")
    tasks = {height: vgg_tasks(height) for height in HEIGHTS}

    def run(height: int) -> None:
        for task in map(replace, tasks[height]):
            scheduler.run(machine, task, engine="bulk", values="reference")

    before: int | None = None
    for height in HEIGHTS:
        measured = pairs(lambda height=height: run(height), lambda before=before or height: run(before), repeats=11)
        ratio = f"{median_ratio(measured):.2f}" if before else ""
        rows.append(f"| {height} | {median_of(measured, 0) * 1e3:.1f} | {ratio} |")
        before = height
    return rows


def vgg_tasks(height: int) -> list[hwmodel.Task]:
    """Make VGG's convolutions on an input of a height and a width of 224, with half of the neurons zero."""
    generator, tasks, channels, rows, columns = np.random.default_rng(0), [], 64, height, 224
    for filters, repeated in ((64, 1), (128, 2), (256, 4), (512, 4)):
        for _ in range(repeated):
            mask = generator.random((channels, rows, columns)) < 0.5
            tasks.append(hwmodel.Task.convolution(mask, (filters, channels, 3, 3), padding=1))
            channels = filters
        rows, columns = rows // 2, columns // 2
    return tasks
