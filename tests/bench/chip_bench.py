"""A chip inside a SimPy environment: beside the same inference alone, and profiled service beside a bare SimPy resource.

An operator-level embedded inference may cost 1.3 times `eventnet.watch` of it with the bulk engine (and is compared with `simulate`
as well, which runs the untouched program too); a chip that serves a profile reaches at least 0.3 of the request rate that a
bare `simpy.Resource` does. The fleet is ten thousand chips in one environment.
"""

from collections.abc import Callable
from statistics import median

import numpy as np
import simpy
import torch
from timing import median_of, median_ratio, pairs, seconds

import eventnet
import hwmodel
import scheduler
from eventnet import models

REQUESTS = 50_000
CHIPS, REQUESTS_EACH = 10_000, 100


def measure() -> list[str]:
    with torch.no_grad():
        return [*inferences(), "", *requests(), "", *fleet()]


def inferences() -> list[str]:
    """Measure everything alone first, and embedded after that.

    Not in pairs: in a process whose first large loop ran in a job's thread, the main thread's own take up to three times as long
    (1,240 ms for what takes 380 ms), and not with OMP_NUM_THREADS=1; the embedded side would seem to gain by that.
    """
    networks = {
        "lenet5": (models.load("lenet5"), torch.rand(1, 1, 32, 32)),
        "alexnet": (models.load("alexnet"), models.photo("astronaut", size=227)),
    }
    alone = {(name, what): median_seconds(what, *given) for name, given in networks.items() for what in (watched, simulated)}
    embedded = {name: median_seconds(served_alone, *given) for name, given in networks.items()}
    rows = ["| network | alone ms | embedded ms | times as long | goal |", "|---|---|---|---|---|"]
    for (name, what), took in alone.items():
        rows.append(
            f"| {name}, {what.__doc__} | {took * 1e3:.1f} | {embedded[name] * 1e3:.1f} | {embedded[name] / took:.2f} | 1.3 |"
        )
    return rows


def watched(model: torch.nn.Module, x: torch.Tensor) -> None:
    """`watch`"""
    with eventnet.watch(progress=False):
        model(x)


def simulated(model: torch.nn.Module, x: torch.Tensor) -> None:
    """`simulate`"""
    eventnet.simulate(model, x, progress=False)


def served_alone(model: torch.nn.Module, x: torch.Tensor) -> None:
    env = simpy.Environment()
    env.run(eventnet.Chip(env, "cnvlutin").submit(model, x))


def median_seconds(run: Callable[..., None], *given: object, repeats: int = 11) -> float:
    run(*given)
    return median(seconds(lambda: run(*given)) for _ in range(repeats))


def profile() -> scheduler.Profile:
    return scheduler.Profile("cnvlutin", [900, 1000, 1100], [1 << 70, 1 << 71, 1 << 72], [0, 0, 0])


def requests() -> list[str]:
    gaps = np.random.default_rng(0).exponential(2000, REQUESTS).tolist()

    def bare() -> None:
        env = simpy.Environment()
        server = simpy.Resource(env)

        def customer():
            with server.request() as request:
                yield request
                yield env.timeout(1000)

        def source():
            for gap in gaps:
                yield env.timeout(gap)
                env.process(customer())

        env.process(source())
        env.run()

    def served() -> None:
        env = simpy.Environment()
        chip, drawn = scheduler.Chip(env, hwmodel.load("cnvlutin", clock_hz=1e9), 1e-9), profile()

        def customer():
            yield chip.submit(drawn)

        def source():
            for gap in gaps:
                yield env.timeout(gap)
                env.process(customer())

        env.process(source())
        env.run()

    measured = pairs(bare, served, repeats=5)
    return [
        "| requests, one process each | bare resource a second | profiled chip a second | share | goal |",
        "|---|---|---|---|---|",
        f"| {REQUESTS:,} | {REQUESTS / median_of(measured, 0):,.0f} | {REQUESTS / median_of(measured, 1):,.0f} | "
        f"{median_ratio(measured):.2f} | 0.3 |",
    ]


def fleet() -> list[str]:
    def run() -> None:
        env, machine, drawn = simpy.Environment(), hwmodel.load("cnvlutin", clock_hz=1e9), profile()
        random = np.random.default_rng(0)

        def device(chip, gaps):
            for gap in gaps:
                yield env.timeout(gap)
                yield chip.submit(drawn)

        for _ in range(CHIPS):
            gaps = random.exponential(5000, REQUESTS_EACH).tolist()
            env.process(device(scheduler.Chip(env, machine, 1e-9), gaps))
        env.run()

    return [
        "| chips in one environment | requests | seconds | goal |",
        "|---|---|---|---|",
        f"| {CHIPS:,} | {CHIPS * REQUESTS_EACH:,} | {seconds(run):.1f} | 60 |",
    ]
