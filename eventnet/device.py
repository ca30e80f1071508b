"""A machine during one run: it does tasks one after the other and keeps what outlasts a task, its weight memory."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from hwmodel.frozen import frozen
from hwmodel.machine import Machine
from hwmodel.offchip import NO_PARAMETER, Parameter, WeightMemory
from hwmodel.task import Task
from hwmodel.vector import VectorTask
from scheduler.engines import Engine, plays_jobs, run
from scheduler.job import Step
from scheduler.outcome import Outcome
from scheduler.trace import Trace

Offchip = Literal["energy", "time"]
Host = Callable[[Step], Outcome]


@frozen
class Work:
    """What one task took on one machine, priced."""

    outcome: Outcome
    ticks: int
    busy_ticks: int
    stall_ticks: int
    idle_ticks: int
    dynamic_pj: float
    static_pj: float
    offchip_pj: float
    onchip_bytes: int
    offchip_bytes: int
    offchip_seconds: float
    bound: str


@dataclass(eq=False)
class Device:
    """One machine that does a run's tasks in order.

    ``offchip="time"`` makes a task last at least as long as the transfer of what is not on the chip, which overlaps with it;
    ``"energy"`` only charges it. A trace, if there is one, is told of every task. A host, if there is one, lets the time of
    a task pass instead of this device.
    """

    machine: Machine
    engine: Engine = "auto"
    offchip: Offchip = "energy"
    trace: Trace | None = None
    host: Host | None = None
    memory: WeightMemory = field(init=False)
    has_vector_unit: bool = field(init=False)
    static_w: float = field(init=False)

    def __post_init__(self) -> None:
        self.memory = WeightMemory(self.machine)
        self.static_w = self.machine.static_w()
        self.has_vector_unit = self.machine.vector_plan(VectorTask("copy", 1)) is not None

    def cannot_map(self, task: Task | VectorTask) -> str | None:
        """Say why the machine cannot run a task, or None."""
        if isinstance(task, VectorTask):
            return None if self.has_vector_unit else "the machine has no unit for vector work"
        return self.machine.cannot_map(task)

    @property
    def repeats_itself(self) -> bool:
        """Tell whether a vector task takes what the last one of its size took, so that it need not be done again.

        It has no parameter; but the event engine plays every job, and a host lets the time of each task pass.
        """
        return self.host is None and not plays_jobs(self.engine, self.trace)

    def _stored(self, task: Task, parameter: Parameter) -> Parameter:
        if not parameter.bytes:
            return parameter
        stored = self.machine.stored_bytes
        return replace(parameter, bytes=stored(task, parameter.bytes), read_bytes=stored(task, parameter.read_bytes))

    def _offchip_bytes(self, task: Task | VectorTask, parameter: Parameter) -> int:
        if isinstance(task, VectorTask):
            return self.memory.use(parameter)
        parameters = self.memory.use(self._stored(task, parameter))
        return parameters * self.machine.weight_reads(task) + self.machine.feature_map_bytes(task)

    def do(self, task: Task | VectorTask, parameter: Parameter = NO_PARAMETER, multiply: bool = False) -> Work:
        """Do one task.

        Parameters
        ----------
        task
            What is to be done.
        parameter
            The task's static operand.
        multiply
            Whether to add the products up, those of small integers too.
        """
        offchip_bytes = self._offchip_bytes(task, parameter)
        offchip_seconds = self.memory.seconds(offchip_bytes)
        offchip_ticks = math.ceil(offchip_seconds * self.machine.clock_hz)
        offchip_pj = self.memory.pj(offchip_bytes) if offchip_bytes else 0.0
        step = Step(
            task,
            values="events" if multiply else "reference",
            integers=multiply,
            least_ticks=offchip_ticks if self.offchip == "time" else 0,
            offchip_pj=offchip_pj,
        )
        outcome = self._outcome(step)
        return self._priced(outcome, offchip_bytes, offchip_seconds, offchip_ticks, offchip_pj)

    def _priced(
        self, outcome: Outcome, offchip_bytes: int, offchip_seconds: float, offchip_ticks: int, offchip_pj: float
    ) -> Work:
        machine = self.machine
        dynamic_pj, onchip_bytes = machine.prices.total(outcome.ledger, machine.name)
        waited = max(0, offchip_ticks - outcome.ticks) if self.offchip == "time" else 0
        copies_with_work = int(np.count_nonzero(outcome.idle_ticks < outcome.ticks)) if waited and outcome.ticks else 0
        ticks = outcome.ticks + waited
        busy, stall, idle = outcome.total_ticks
        return Work(
            outcome=outcome,
            ticks=ticks,
            busy_ticks=busy,
            stall_ticks=stall + waited * copies_with_work,
            idle_ticks=idle + waited * (outcome.idle_ticks.size - copies_with_work),
            dynamic_pj=dynamic_pj,
            static_pj=self.static_w * ticks / machine.clock_hz * 1e12,
            offchip_pj=offchip_pj,
            onchip_bytes=onchip_bytes,
            offchip_bytes=offchip_bytes,
            offchip_seconds=offchip_seconds,
            bound="offchip" if offchip_ticks > outcome.ticks else "compute",
        )

    def _outcome(self, step: Step) -> Outcome:
        if self.host is None:
            return run(self.machine, step.task, self.engine, step.values, step.integers, self.trace)
        outcome = self.host(step)
        if self.trace is not None:
            self.trace.begin()
            self.trace.add(outcome)
        return outcome
