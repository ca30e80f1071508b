"""The event engine beside bare SimPy: jobs for each bare timeout.

Bare SimPy runs as many processes as the machine has lanes, each waiting for timeout after timeout. A job is one lane's share
of a window. `planning` is the share of the engine's time in which the machine counts nonzeros and makes rounds.
"""

import numpy as np
import simpy
from timing import median_of, pairs, seconds

import hwmodel
import scheduler
from eventnet.validation.layers import layers

TIMEOUTS = 200_000


def bare(processes: int, timeouts: int) -> None:
    env = simpy.Environment()

    def process():
        for _ in range(timeouts // processes):
            yield env.timeout(1)

    for _ in range(processes):
        env.process(process())
    env.run()


def measure() -> list[str]:
    generator = np.random.default_rng(0)
    tasks = [layer.task(None if layer.first else 0.44, generator) for layer in layers("alexnet")]
    tasks = [task for task in tasks if task.kind == "convolution"]
    rows = [
        "| machine | layers | jobs | us a job | us a bare timeout | jobs a timeout | planning |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in ("cnvlutin", "dadiannao"):
        machine = hwmodel.load(name)
        jobs = sum(scheduler.run(machine, task, values="reference").jobs for task in tasks)

        def engine(machine=machine) -> None:
            for task in tasks:
                scheduler.run(machine, task, engine="event", values="reference")

        def planning(machine=machine) -> None:
            for task in tasks:
                for _ in machine.plan(task).blocks():
                    pass

        measured = pairs(engine, lambda: bare(16, TIMEOUTS), repeats=9)
        ratios = sorted((timeout / TIMEOUTS) / (played / jobs) for played, timeout in measured)
        played, timeout = median_of(measured, 0), median_of(measured, 1)
        share = seconds(planning) / played
        rows.append(
            f"| {name} | alexnet's convolutions, 44 % zeros | {jobs:,} | {played / jobs * 1e6:.2f} | "
            f"{timeout / TIMEOUTS * 1e6:.2f} | {ratios[len(ratios) // 2]:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) | {share:.0%} |"
        )
    return rows
