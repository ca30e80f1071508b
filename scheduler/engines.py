"""One task on one machine, by the engine asked for."""

from functools import lru_cache
from typing import Literal

from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError, UnknownNameError, UnsupportedError
from hwmodel.machine import Machine
from hwmodel.plan import Plan
from hwmodel.products import Products, multiply_all
from hwmodel.task import Task
from hwmodel.vector import VectorTask
from scheduler.engine import play
from scheduler.law import solve
from scheduler.outcome import Outcome
from scheduler.trace import Trace

Engine = Literal["auto", "event", "bulk"]
ENGINES = ("auto", "event", "bulk")
Values = Literal["events", "reference"]


def run(
    machine: Machine,
    task: Task | VectorTask,
    engine: Engine = "auto",
    values: Values = "events",
    integers: bool = False,
    trace: Trace | None = None,
) -> Outcome:
    """Let time pass over one task on one machine.

    Parameters
    ----------
    machine
        From `hwmodel.load`, or anyone's own.
    task
        From `hwmodel.Task`, whose products are added up if both operands have values; or a `hwmodel.VectorTask`.
    engine
        ``"event"``: SimPy, job by job, each of which adds its own products up. ``"bulk"``: the same law of time over whole
        arrays, the same outcome, and products by the fast kernels. ``"auto"``: the fastest that answers the question, which
        is bulk unless a trace asks for jobs.
    values
        ``"events"`` adds the products, ``"reference"`` multiplies nothing.
    integers
        Also add up small positive integers in the same zero pattern, for an exact comparison.
    trace
        Where to keep what happened when, task after task: ``scheduler.Trace()`` for every job, ``scheduler.Trace(jobs=False)``
        for the times of unit copies only.

    Raises
    ------
    UnknownNameError
        If there is no such engine, or no such kind of values.
    ParameterError
        If the trace asks for jobs and the engine is bulk, which plays none.
    UnsupportedError
        If the machine cannot map the task.
    """
    if not isinstance(machine, Machine) or not isinstance(task, Task | VectorTask):
        raise ParameterError(
            f"scheduler.run: machine is a {type(machine).__name__} and task a {type(task).__name__}, expected a "
            "hwmodel.Machine and a hwmodel.Task. Make them with hwmodel.load and hwmodel.Task.convolution or matmul."
        )
    check_engine(engine, "scheduler.run")
    if values not in ("events", "reference"):
        raise UnknownNameError(f"scheduler.run: values is {values!r}, {expected_one_of(str(values), ('events', 'reference'))}")
    by_jobs = plays_jobs(engine, trace)
    if engine == "bulk" and trace is not None and trace.jobs:
        raise ParameterError(
            "scheduler.run: engine is 'bulk' and the trace asks for jobs, expected engine 'event' or 'auto'. The bulk engine "
            "plays no jobs; scheduler.Trace(jobs=False) asks for the times of unit copies only."
        )
    if trace is None:
        return _run(machine, task, by_jobs, values, integers, None)
    trace.begin()
    outcome = _run(machine, task, by_jobs, values, integers, trace)
    trace.add(outcome)
    return outcome


def _run(
    machine: Machine, task: Task | VectorTask, by_jobs: bool, values: Values, integers: bool, trace: Trace | None
) -> Outcome:
    if isinstance(task, VectorTask):
        return play(plan_of(machine, task), trace=trace) if by_jobs else solve_vector(machine, task)
    plan = plan_of(machine, task)
    with_values = values == "events" and Products.possible(task)
    if by_jobs:
        return play(plan, Products(task, with_values, integers) if with_values or integers else None, trace)
    return solve(plan, multiply_all(task, integers, with_values) if with_values or integers else None)


def plays_jobs(engine: Engine, trace: Trace | None) -> bool:
    """Tell whether a task is played job by job."""
    return engine == "event" or (engine == "auto" and trace is not None and trace.jobs)


def plan_of(machine: Machine, task: Task | VectorTask) -> Plan:
    """Return a machine's plan of a task; UnsupportedError if it cannot map it."""
    if isinstance(task, VectorTask):
        plan, reason = machine.vector_plan(task), "it has no unit for vector work"
        if plan is not None:
            return plan
    else:
        found = machine.cannot_map(task)
        if found is None:
            return machine.plan(task)
        reason = found
    raise UnsupportedError(
        f"scheduler.run: machine {machine.name!r} cannot run task {task.name!r} "
        f"({task.op if isinstance(task, VectorTask) else task.kind}), because {reason}. Choose another machine for it."
    )


def solve_vector(machine: Machine, task: VectorTask) -> Outcome:
    """Solve a vector task; samples and steps of a loop ask for one of the same size again and again."""
    outcome = _vector_outcome(machine, *task.size)
    return outcome if outcome is not None else solve(plan_of(machine, task))  # which says why it cannot


@lru_cache(maxsize=4096)
def _vector_outcome(machine: Machine, op: str, elements: int, results: int) -> Outcome | None:
    plan = machine.vector_plan(VectorTask(op, elements, results))
    return None if plan is None else solve(plan)


def check_engine(engine: str, where: str) -> None:
    """Raise UnknownNameError unless an engine has that name."""
    if engine not in ENGINES:
        raise UnknownNameError(f"{where}: no engine is called {engine!r}, {expected_one_of(str(engine), ENGINES)}")
