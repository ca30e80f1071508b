"""What a chip is given to do: anything that yields tasks, one at a time.

A job is an iterable of tasks, a generator for instance: each ``yield task`` gives back the `Outcome` once the chip has done it,
so that what comes next may depend on it, and what the generator returns are the outputs. Something that wants to know the time,
or has a report of its own, is an object with a method ``steps`` (`Steps`); `eventnet.job` makes one.
"""

import os
from collections.abc import Callable, Generator, Iterable
from inspect import GEN_CREATED, getgeneratorstate
from linecache import getline
from pathlib import Path
from traceback import walk_tb
from types import TracebackType
from typing import Any, Protocol, runtime_checkable

from hwmodel.errors import EventNetError, ParameterError
from hwmodel.frozen import frozen
from hwmodel.machine import Machine
from hwmodel.task import Task
from hwmodel.vector import VectorTask
from scheduler.engines import Values
from scheduler.outcome import Outcome

AnyTask = Task | VectorTask


class JobError(EventNetError, RuntimeError):
    """A job's own code raised an error; the text has that and its line, and ``__cause__`` is the error itself."""


@frozen
class Step:
    """A task with what a chip has to know of it besides.

    Attributes
    ----------
    task
        What is to be done.
    values, integers
        As in `scheduler.run`.
    least_ticks
        How long it takes at least, whatever the units do (a transfer that it waits for).
    offchip_pj
        The energy of that transfer.
    """

    task: AnyTask
    values: Values = "events"
    integers: bool = False
    least_ticks: int = 0
    offchip_pj: float = 0.0


Tasks = Generator[Step | AnyTask, Outcome, Any]


@runtime_checkable
class Steps(Protocol):
    """A job that is told the time.

    ``steps`` gets the chip's machine and a function that returns the environment's time, and returns a generator of tasks or
    `Step`, into which the outcomes are sent; the generator returns a pair, the outputs and the report that the chip's result
    has as ``run``.
    """

    def steps(self, machine: Machine, clock: Callable[[], float]) -> Tasks:
        """Return the job's tasks, one at a time."""


def tasks_of(job: Any, machine: Machine, clock: Callable[[], float], where: str) -> Tasks:
    """Return a generator of a job's tasks that returns its outputs and its report.

    Raises
    ------
    ParameterError
        If that is no job.
    """
    if isinstance(job, Steps):
        return job.steps(machine, clock)
    if isinstance(job, AnyTask | Step):
        return _plain([job])
    if isinstance(job, Generator) and getgeneratorstate(job) != GEN_CREATED:
        raise ParameterError(
            f"{where}: job is a generator that runs already, expected one of its own. Call its function again."
        )
    if isinstance(job, Iterable) and not isinstance(job, str | bytes | dict):
        return _plain(job)
    raise ParameterError(
        f"{where}: job is a {type(job).__name__}, expected something that yields tasks: a list of hwmodel.Task, a generator, "
        "or what eventnet.job makes of a model."
    )


def _plain(job: Iterable[Any]) -> Tasks:
    """Send outcomes into a generator; collect those of any other iterable, whose outputs are then a list of its tasks'."""
    outcomes: list[Outcome] = []
    if not isinstance(job, Generator):
        for task in job:
            outcomes.append((yield task))
        return [outcome.outputs for outcome in outcomes], outcomes
    if getgeneratorstate(job) != GEN_CREATED:
        raise ParameterError("its generator was submitted twice, expected one of its own. Call its function again.")
    try:
        task = next(job)
        while True:
            try:
                outcomes.append((yield task))
            except Exception as error:  # the task cannot be done: the job hears of it where it yielded it
                task = job.throw(error)
            else:
                task = job.send(outcomes[-1] if _listens(job) else None)
    except StopIteration as stop:
        return stop.value, outcomes
    finally:
        job.close()


def _listens(job: Any) -> bool:
    """Tell whether what yields within a generator can be sent something, which a ``yield from`` a list cannot."""
    while isinstance(job, Generator):
        inner = getattr(job, "gi_yieldfrom", None)
        if inner is None:
            return True
        job = inner
    return hasattr(job, "send")


def step_of(given: Any, where: str) -> Step:
    """Return what a job yielded as a step; ParameterError if it is none."""
    if isinstance(given, Step):
        return given
    if isinstance(given, AnyTask):
        return Step(given)
    raise ParameterError(
        f"{where}: a job yielded a {type(given).__name__}, expected a hwmodel.Task or a hwmodel.VectorTask. To wait for "
        "something else, submit the rest as another job."
    )


def explained(error: Exception, where: str) -> JobError:
    """Return an error of a job's own code as one sentence with the line that raised it."""
    if isinstance(error, JobError):
        return error
    if isinstance(error.__cause__, StopIteration):  # which no generator lets out
        error = error.__cause__
    line = _line_of(error.__traceback__, own_only=isinstance(error, EventNetError))
    told = f" in {line}" if line else ""
    explained = JobError(f"{where}: a job raised {type(error).__name__}{told}: {error}")
    explained.__cause__ = error
    return explained


PACKAGES = Path(__file__).parent.parent
OURS = (*(f"{PACKAGES / name}{os.sep}" for name in ("hwmodel", "scheduler", "eventnet")), "<frozen")


def _line_of(traceback: TracebackType | None, own_only: bool) -> str:
    """Describe the innermost line of a traceback that is the user's, else that of a package's module if it may be."""
    frames = list(walk_tb(traceback))
    own = [one for one in frames if "site-packages" not in (path := one[0].f_code.co_filename) and not path.startswith(OURS)]
    modules = [one for one in frames if one[0].f_code.co_name == "forward"]
    found = own if own_only else own or modules or frames
    if not found:
        return ""
    frame, number = found[-1]
    code = frame.f_code
    source = getline(code.co_filename, number, frame.f_globals).strip()
    return f"{Path(code.co_filename).name}, line {number}, in {code.co_name}" + (f" ({source})" if source else "")
