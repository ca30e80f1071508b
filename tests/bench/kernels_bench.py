"""The event-driven values beside PyTorch's dense operators, both on one thread.

Times are processor time of that thread. `events` is compress and accumulate, from activations with channels innermost and
static weights in tiles, both laid out before, to sums with filters innermost; every call gets other events than the call before. `dense` is PyTorch's operator. `events G/s` counts the products of events in a
second, `dense G/s` all products of the dense operator. Goals: fully connected 0.6 / density times faster than dense at density
0.2 and below; convolutions faster than dense at 0.1; AlexNet's products within 4 times PyTorch's forward.
"""

from collections.abc import Callable
from functools import partial
from itertools import cycle
from time import thread_time

import numpy as np
import torch
from timing import median_of, median_ratio, pairs
from torch import nn
from torch.nn import functional as F

from eventnet import models
from hwmodel import Task
from hwmodel.given import convolution_weights, matmul_weights
from hwmodel.kernels import multiply, worth_cutting
from hwmodel.products import multiply_all

DENSITIES = (1, 0.5, 0.2, 0.1, 0.02)
INPUTS = 5  # so that no branch or cache can know the events before
REPEATS = 15
NOTE = (
    "Both sides had one thread (`torch.set_num_threads(1)`), and times are its processor time, medians of pairs; geometry and the "
    "tiles of static weights were made before."
)


def measure() -> list[str]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            return [NOTE, "", *operators(), "", *alexnet()]
    finally:
        torch.set_num_threads(threads)


def operators() -> list[str]:
    generator = torch.Generator().manual_seed(0)
    rows = [
        "| operator | density | dense ms | events ms | times faster | goal | events G/s | dense G/s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for inputs, outputs in ((4096, 4096), (9216, 4096)):
        weight = torch.randn(outputs, inputs, generator=generator)
        laid_out = matmul_weights(np.ascontiguousarray(weight.numpy().T))
        for density in DENSITIES:
            given = sparse((inputs,), density, generator)
            tasks = [Task.matmul(one.numpy(), laid_out) for one in given]
            goal = 0.6 / density if density <= 0.2 else None
            rows.append(
                line(f"fully connected {inputs} to {outputs}", density, tasks, given, goal, lambda x, w=weight: F.linear(x, w))
            )
    for channels, size in ((256, 28), (512, 14), (128, 56)):
        weight = torch.randn(channels, channels, 3, 3, generator=generator)
        laid_out = convolution_weights(weight.numpy(), groups=1)
        for density in DENSITIES:
            given = sparse((1, channels, size, size), density, generator)
            tasks = [Task.convolution(one.numpy(), laid_out, padding=1) for one in given]
            goal = 1 if density == 0.1 else None
            name = f"convolution {channels} to {channels}, 3x3 on {size}x{size}"
            rows.append(line(name, density, tasks, given, goal, lambda x, w=weight: F.conv2d(x, w, padding=1)))
    return rows


def sparse(shape: tuple[int, ...], density: float, generator: torch.Generator) -> list[torch.Tensor]:
    return [torch.randn(shape, generator=generator) * (torch.rand(shape, generator=generator) < density) for _ in range(INPUTS)]


def line(
    name: str,
    density: float,
    tasks: list[Task],
    given: list[torch.Tensor],
    goal: float | None,
    dense: Callable[[torch.Tensor], torch.Tensor],
) -> str:
    products = np.mean([multiply_all(task).added.sum() for task in tasks])
    runs, inputs = cycle([adder(task) for task in tasks]), cycle(given)
    measured = pairs(lambda: next(runs)(), lambda: dense(next(inputs)), repeats=REPEATS, clock=thread_time)
    events, reference = median_of(measured, 0), median_of(measured, 1)
    return (
        f"| {name} | {density} | {reference * 1e3:.2f} | {events * 1e3:.2f} | {1 / median_ratio(measured):.2f} | "
        f"{'' if goal is None else f'{goal:g}'} | {products / events / 1e9:.1f} | {tasks[0].macs / reference / 1e9:.1f} |"
    )


def adder(task: Task) -> Callable[[], object]:
    """Compress and accumulate; the tiles of static weights and the geometry are known before."""
    values, nonzero = task.activations.values, task.activations.nonzero
    tiles = task.weights.tiles(values.dtype, worth_cutting(task.windows, task.filters))
    return partial(multiply, values, nonzero, task.groups, tiles, task.reach)


def alexnet() -> list[str]:
    """Measure AlexNet at its published share of zeros (44 % of the operands of each layer but the first).

    `products` is compress and accumulate of all tasks of a forward; `values` takes PyTorch's tensors and gives PyTorch's
    layout, so it lays activations out and transposes sums as well.
    """
    photograph = models.photo("astronaut", size=227)
    network = models.calibrate(models.load("alexnet"), photograph, zero_fraction=0.44)
    calls: list[Callable[[], Task]] = []

    def note(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        calls.append(task_maker(module, given[0]))

    hooks = [one.register_forward_pre_hook(note) for one in network.modules() if isinstance(one, nn.Conv2d | nn.Linear)]
    network(photograph)
    for hook in hooks:
        hook.remove()

    adders = [adder(make()) for make in calls]

    def products() -> None:
        for run in adders:
            run()

    def values() -> None:
        for make in calls:
            _ = multiply_all(make()).outputs

    rows = [
        "| AlexNet, 44 % zeros in each layer but the first | dense ms | events ms | times dense | goal |",
        "|---|---|---|---|---|",
    ]
    for name, run in (("products", products), ("values", values)):
        measured = pairs(run, lambda: network(photograph), repeats=REPEATS, clock=thread_time)
        rows.append(
            f"| {name} | {median_of(measured, 1) * 1e3:.1f} | {median_of(measured, 0) * 1e3:.1f} | {median_ratio(measured):.2f} | 4 |"
        )
    return rows


def task_maker(module: nn.Module, given: torch.Tensor) -> Callable[[], Task]:
    weight, values = module.weight.detach().numpy(), given.numpy()
    if isinstance(module, nn.Linear):
        laid_out = matmul_weights(np.ascontiguousarray(weight.T))
        return lambda: Task.matmul(values, laid_out)
    assert isinstance(module, nn.Conv2d)
    laid_out = convolution_weights(weight, module.groups)
    geometry = {name: getattr(module, name) for name in ("stride", "padding", "dilation", "groups")}
    return lambda: Task.convolution(values, laid_out, **geometry)
