"""A chip inside a SimPy environment: beside the same inference alone, and profiled service beside a bare SimPy resource.

An operator-level embedded inference may cost 1.3 times `eventnet.watch` of it with the bulk engine (and is compared with `simulate`
as well, which runs the untouched program too); a chip that serves a profile reaches at least 0.3 of the
request rate that a bare `simpy.Resource` does. The fleet is ten thousand chips in one environment, and a million services one after
the other must end at the very time they should. All in processor time, since others may use the machine too.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from time import process_time

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
SERVICES = 1_000_000
ROOT = Path(__file__).parents[2]


def measure() -> list[str]:
    with torch.no_grad():
        return [*inferences(), "", *requests(), "", *fleet(), "", *drift()]


def inferences() -> list[str]:
    """Compare in pairs, in processes whose OpenMP threads sleep while they wait.

    By default they spin; where the system puts two of them on one core, what takes 30 ms takes 190, of processor time too, in
    the main thread or in a job's, whichever comes to be there.
    """
    rows = ["| network | alone ms | embedded ms | times as long | goal |", "|---|---|---|---|---|"]
    for name in NETWORKS:
        for number, alone in enumerate((watched, simulated)):
            took, embedded, ratio = _compared(f"{name!r}, {number}")
            rows.append(f"| {name}, {alone.__doc__} | {took:.1f} | {embedded:.1f} | {ratio:.2f} | 1.3 |")
    return rows


def _compared(arguments: str) -> list[float]:
    variables = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}", "OMP_WAIT_POLICY": "passive"}
    program = f"import chip_bench; chip_bench.compare({arguments})"
    told = subprocess.run([sys.executable, "-c", program], env=variables, check=True, capture_output=True, text=True)
    return [float(one) for one in told.stdout.split()]


def compare(name: str, number: int) -> None:
    """Print processor milliseconds alone and embedded, and their ratio, as medians of pairs."""
    model, x = NETWORKS[name]()
    with torch.no_grad():
        alone = (watched, simulated)[number]
        measured = pairs(lambda: served_alone(model, x), lambda: alone(model, x), repeats=21, clock=process_time)
    print(median_of(measured, 1) * 1e3, median_of(measured, 0) * 1e3, median_ratio(measured))


NETWORKS = {
    "lenet5": lambda: (models.load("lenet5"), torch.rand(1, 1, 32, 32)),
    "alexnet": lambda: (models.load("alexnet"), models.photo("astronaut", size=227)),
}


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


def profile() -> scheduler.Profile:
    return scheduler.Profile("cnvlutin", [900, 1000, 1100], [1 << 70, 1 << 71, 1 << 72], [0, 0, 0])


def requests() -> list[str]:
    gaps = np.random.default_rng(0).exponential(2000, REQUESTS).tolist()

    def arrive(env: simpy.Environment, customer: Callable[[], Generator]) -> None:
        """Let a customer come after each gap, until the last has gone."""

        def source():
            for gap in gaps:
                yield env.timeout(gap)
                env.process(customer())

        env.process(source())
        env.run()

    def bare() -> None:
        env = simpy.Environment()
        server = simpy.Resource(env)

        def customer():
            with server.request() as request:
                yield request
                yield env.timeout(1000)

        arrive(env, customer)

    def served() -> None:
        env = simpy.Environment()
        chip, drawn = scheduler.Chip(env, hwmodel.load("cnvlutin", clock_hz=1e9), 1e-9), profile()

        def customer():
            yield chip.submit(drawn)

        arrive(env, customer)

    measured = pairs(bare, served, repeats=5, clock=process_time)
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
        "| chips in one environment | requests | processor seconds | goal |",
        "|---|---|---|---|",
        f"| {CHIPS:,} | {CHIPS * REQUESTS_EACH:,} | {seconds(run, process_time):.1f} | 60 |",
    ]


def drift() -> list[str]:
    """Serve a million jobs one after the other, whose borders are no floats, and see where the last of them lies."""
    rows = ["| services one after the other | seconds per unit | start | off by | processor seconds |", "|---|---|---|---|---|"]
    for unit, start in ((1e-3, 0), (1 / 3, 1e6)):
        env = simpy.Environment(start)
        chip = scheduler.Chip(env, hwmodel.load("cnvlutin"), unit, history=0)  # 606 MHz
        drawn = scheduler.Profile("cnvlutin", [606, 607], [1 << 70] * 2, [0] * 2)

        def user(chip: scheduler.Chip = chip, drawn: scheduler.Profile = drawn):
            for _ in range(SERVICES):
                yield chip.submit(drawn)

        env.process(user())
        took = seconds(env.run, process_time)
        exact = float(Fraction(start) + chip.busy_ticks / (606_000_000 * Fraction(str(unit))))
        chip.check()
        rows.append(f"| {SERVICES:,} | {unit:.4g} | {start:g} | {env.now - exact:g} | {took:.1f} |")
    return rows
