"""What a trace of every job costs the event engine, and what writing it for Perfetto takes, in processor time.

The ratio is the engine's time with a trace over that without, pair by pair.
"""

import tempfile
from pathlib import Path
from time import process_time

import numpy as np
from timing import median_of, median_ratio, pairs, seconds

import hwmodel
import scheduler
from eventnet.record import Record
from eventnet.run import Run
from eventnet.validation.layers import layers


def measure() -> list[str]:
    generator = np.random.default_rng(0)
    tasks = [layer.task(None if layer.first else 0.44, generator) for layer in layers("alexnet")]
    tasks = [task for task in tasks if task.kind == "convolution"]
    rows = [
        "| machine | layers | jobs | us a job | traced over untraced | us to write a job | bytes written of a job |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in ("cnvlutin", "dadiannao"):
        machine = hwmodel.load(name)

        def engine(trace: scheduler.Trace | None, machine=machine) -> None:
            for task in tasks:
                scheduler.run(machine, task, engine="event", values="reference", trace=trace)

        measured = pairs(lambda: engine(scheduler.Trace()), lambda: engine(None), repeats=9, clock=process_time)
        run = traced(machine, tasks)
        jobs = sum(span.jobs for span in run.spans.values())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            written = seconds(lambda run=run, path=path: run.to_perfetto(path), process_time)
            size = path.stat().st_size
        rows.append(
            f"| {name} | alexnet's convolutions, 44 % zeros | {jobs:,} | {median_of(measured, 1) / jobs * 1e6:.2f} | "
            f"{median_ratio(measured):.3f} | {written / jobs * 1e6:.2f} | {size / jobs:.0f} |"
        )
    return rows


def traced(machine: hwmodel.Machine, tasks: list[hwmodel.Task]) -> Run:
    run = Run(machine, None, {"progress": False}, trace=scheduler.Trace())
    for number, task in enumerate(tasks):
        outcome = scheduler.run(machine, task, values="reference", trace=run.trace)
        run.add(
            Record(f"{number}", "convolution", ticks=outcome.ticks, busy_ticks=int(outcome.busy_ticks.sum())),
            run.trace.spans[-1],
        )
    return run
