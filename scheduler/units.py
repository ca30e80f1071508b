"""The units of a machine, found in its plans."""

from functools import cache

import numpy as np

from hwmodel.machine import Machine
from hwmodel.task import Task
from hwmodel.vector import VectorTask


@cache
def units_of(machine: Machine) -> dict[str, int]:
    """Return the names of the units in a machine's plans of small tasks, with their copies. Cost: some plans, once."""
    ones = np.ones((1, 4, 4), dtype=np.float32)
    tasks = [
        Task.convolution(ones, np.ones((1, 1, 3, 3), dtype=np.float32)),
        Task.convolution(ones, np.ones((1, 1, 3, 3), dtype=np.float32), first_layer=True),
        Task.matmul(np.ones((1, 4), dtype=np.float32), np.ones((4, 4), dtype=np.float32)),
    ]
    plans = [machine.plan(task) for task in tasks if machine.cannot_map(task) is None]
    vector = machine.vector_plan(VectorTask("copy", 1))
    plans += [vector] if vector is not None else []
    return {stage.unit.name: stage.unit.copies for plan in plans for stage in plan.stages}
