"""A chip inside a SimPy environment: beside the same inference alone, and profiled service beside a bare SimPy resource.

An operator-level embedded inference may cost 1.3 times `eventnet.watch` of it with the bulk engine (and is compared with `simulate`
as well, which runs the untouched program too); a chip that serves a profile reaches at least 0.3 of the request rate that a
bare `simpy.Resource` does. The fleet is ten thousand chips in one environment.
"""

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
    rows = ["| network | alone ms | embedded ms | times as long | goal |", "|---|---|---|---|---|"]
    for name, size in (("lenet5", 28), ("alexnet", 227)):
        model = models.load(name)
        x = torch.rand(1, 1, 32, 32) if name == "lenet5" else models.photo("astronaut", size=size)

        def watched(model=model, x=x) -> None:
            with eventnet.watch(progress=False):
                model(x)

        def simulated(model=model, x=x) -> None:
            eventnet.simulate(model, x, progress=False)

        def embedded(model=model, x=x) -> None:
            env = simpy.Environment()
            env.run(eventnet.Chip(env, "cnvlutin").submit(model, x))

        for what, alone in (("watch", watched), ("simulate", simulated)):
            measured = pairs(embedded, alone, repeats=15)
            rows.append(
                f"| {name}, `{what}` | {median_of(measured, 1) * 1e3:.1f} | {median_of(measured, 0) * 1e3:.1f} | "
                f"{median_ratio(measured):.2f} | 1.3 |"
            )
    return rows


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
