"""The event engine beside bare SimPy: jobs for each bare timeout.

Bare SimPy runs as many processes as the machine has lanes, each waiting for timeout after timeout. A job is one lane's share
of a window. A bare barrier is the least that lanes with a barrier can be: after its timeout each waits for the last of them; its
jobs a timeout are what the engine could reach without inboxes, depth, stages or books. `planning` is the share of the engine's
time in which the machine counts nonzeros and makes rounds.
"""

import cProfile
import pstats

import numpy as np
import simpy
from timing import median_of, median_ratio, pairs, seconds

import hwmodel
import scheduler
from eventnet.validation.layers import layers

TIMEOUTS = 200_000
PARTS = {
    "SimPy: its heap, timeouts and processes": ("simpy",),
    "lanes (`lane.py`): take a job, book it": ("scheduler/lane.py",),
    "rounds and dispatcher (`dispatch.py`, `ready.py`): issue, deliver, retire": ("scheduler/",),
    "the machine's plan, its ledger and the rest": ("",),
}


def bare(processes: int, timeouts: int) -> None:
    env = simpy.Environment()

    def process():
        for _ in range(timeouts // processes):
            yield env.timeout(1)

    for _ in range(processes):
        env.process(process())
    env.run()


def barrier(lanes: int, rounds: int) -> None:
    """Lanes that wait for the last of them, round after round."""
    env = simpy.Environment()
    bell, left = [env.event()], [lanes]

    def process(ticks):
        for _ in range(rounds):
            yield env.timeout(ticks)
            left[0] -= 1
            if left[0]:
                yield bell[0]
            else:
                rung, bell[0], left[0] = bell[0], env.event(), lanes
                rung.succeed()

    for lane in range(lanes):
        env.process(process(1 + lane % 3))
    env.run()


def measure() -> list[str]:
    generator = np.random.default_rng(0)
    tasks = [layer.task(None if layer.first else 0.44, generator) for layer in layers("alexnet")]
    tasks = [task for task in tasks if task.kind == "convolution"]
    rows = [
        "| machine | layers | jobs | us a job | us a bare timeout | jobs a timeout | a bare barrier's | planning |",
        "|---|---|---|---|---|---|---|---|",
    ]
    profiles: dict[str, dict[str, float]] = {}
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
        loops = pairs(lambda: bare(16, TIMEOUTS), lambda: barrier(16, TIMEOUTS // 16), repeats=9)
        rows.append(
            f"| {name} | alexnet's convolutions, 44 % zeros | {jobs:,} | {played / jobs * 1e6:.2f} | "
            f"{timeout / TIMEOUTS * 1e6:.2f} | {ratios[len(ratios) // 2]:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) | "
            f"{median_ratio(loops):.3f} | {share:.0%} |"
        )
        profiles[name] = profile(engine)
    rows += ["", "| where, by cProfile | " + " | ".join(profiles) + " |", "|---" * (1 + len(profiles)) + "|"]
    for part in PARTS:
        rows.append(f"| {part} | " + " | ".join(f"{shares[part]:.0%}" for shares in profiles.values()) + " |")
    return rows


def profile(engine) -> dict[str, float]:
    """Share out the time of the engine's functions among the parts of it; built-in ones belong to whoever called them."""
    profiler = cProfile.Profile(builtins=False)
    profiler.runcall(engine)
    spent = dict.fromkeys(PARTS, 0.0)
    for (file, _, _), (_, _, seconds_here, _, _) in pstats.Stats(profiler).stats.items():
        spent[next(part for part, paths in PARTS.items() if any(path in file for path in paths))] += seconds_here
    return {part: here / sum(spent.values()) for part, here in spent.items()}
