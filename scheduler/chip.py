"""A modelled machine inside anyone's SimPy environment: it takes jobs, lets their time pass, and says what it draws.

A chip counts its own ticks. Between two borders of operators nothing of it is in the environment but one event, at the absolute
time of the tick at which the operator ends.

    Chip                  its parameters; jobs submitted, cancelled, profiled; units that fail
      Server              serves jobs, one at a time, task by task             (scheduler/server.py)
        Books             jobs, products, time and energy, in and out          (scheduler/books.py)
        Outages           which units are down when                            (scheduler/outages.py)
      Metered             power, energy and time, as others ask for them       (scheduler/metered.py)
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import inf
from numbers import Integral
from typing import Any

from simpy import Environment

from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError, UnknownNameError
from hwmodel.ledger import Ledger
from hwmodel.machine import Machine
from scheduler.clock import Clock, Time, is_number
from scheduler.faults import NoUnitLeftError
from scheduler.gating import PowerGating
from scheduler.job import JobError, tasks_of
from scheduler.profile import Down, Measured, Profile, UnmeasuredError
from scheduler.request import POLICIES, Request, Result, check_submission
from scheduler.server import Server

DETAILS = ("operator", "job")


class Chip(Server):
    """One machine as a server in an environment.

    Parameters
    ----------
    env
        Any SimPy environment: the user's own.
    machine
        What serves.
    seconds_per_unit
        How many seconds one unit of the environment's time is.
    queue_limit
        How many jobs may wait; one more is refused. None for any number.
    power_gating
        When its units are switched off; None for never.
    policy
        Which job is next: ``"first_come"``, ``"priority"`` (the lowest number), ``"deadline"`` (the earliest), ``"shortest"``
        (the shortest expected time). Equal ones go by priority, then in order of arrival.
    preemptive
        Whether a more urgent job is served at the next border of an operator.
    detail
        ``"operator"``: bulk speed, a task's energy is drawn evenly over its time. ``"job"``: every job is played, and draws its
        own energy. The ticks are the same.
    history
        How long the timeline is kept, in the environment's units, so that memory does not grow with the number of services:
        `energy_pj` knows spans that begin within it, or at the beginning. None for ever.

    Attributes
    ----------
    timeline
        What it draws, exactly, in quanta a tick. It grows with every service, unless there is a ``history``.
    ledger
        What its units did in all tasks that were finished.
    counts
        How many jobs were ``"submitted"``, and of them ``"done"``, ``"refused"``, ``"cancelled"``, ``"failed"`` or ended with
        an ``"error"``.
    macs
        Products of the tasks that were ``"begun"``, and of them of those ``"done"``, ``"cancelled"`` and ``"failed"``.

    Raises
    ------
    EventNetError
        In one sentence, for a parameter that means nothing.

    Examples
    --------
    >>> import hwmodel, simpy
    >>> env = simpy.Environment()
    >>> chip = Chip(env, hwmodel.load("cnvlutin", clock_hz=1e9), seconds_per_unit=1e-9)
    >>> result = env.run(chip.submit([hwmodel.VectorTask("pool", elements=512)]))
    >>> result.ticks, result.started, result.finished, env.now
    (2, 0.0, 2.0, 2.0)
    """

    where = "scheduler.Chip"

    def __init__(
        self,
        env: Environment,
        machine: Machine,
        seconds_per_unit: float = 1.0,
        queue_limit: int | None = None,
        power_gating: PowerGating | None = None,
        policy: str = "priority",
        preemptive: bool = False,
        detail: str = "operator",
        history: float | None = None,
    ) -> None:
        self._check(env, machine, queue_limit, power_gating, policy, preemptive, detail, history)
        clock = Clock(env.now, seconds_per_unit, machine.clock_hz, self.where)
        kept = None if history is None else round(clock.ticks_per_unit * clock.exact(history))
        super().__init__(env, machine, clock, power_gating, policy, preemptive, detail == "job", kept)
        self.seconds_per_unit = seconds_per_unit
        self.queue_limit = queue_limit
        self.policy = policy
        self.detail = detail

    def _check(
        self,
        env: Any,
        machine: Any,
        queue_limit: Any,
        power_gating: Any,
        policy: Any,
        preemptive: Any,
        detail: Any,
        history: Any,
    ) -> None:
        if not isinstance(env, Environment) or not isinstance(machine, Machine):
            raise ParameterError(
                f"{self.where}: env is a {type(env).__name__} and machine a {type(machine).__name__}, expected a "
                "simpy.Environment and a hwmodel.Machine. Make the machine with hwmodel.load."
            )
        integer = isinstance(queue_limit, Integral) and not isinstance(queue_limit, bool)
        if queue_limit is not None and not (integer and queue_limit >= 0):
            raise ParameterError(
                f"{self.where}: queue_limit is {queue_limit!r}, expected an integer of at least 0 or None for no limit."
            )
        if history is not None and not (is_number(history) and 0 <= history < inf):
            raise ParameterError(
                f"{self.where}: history is {history!r}, expected a number of at least 0, in the environment's units, or None."
            )
        if not isinstance(preemptive, bool):
            raise ParameterError(f"{self.where}: preemptive is {preemptive!r}, expected True or False.")
        for name, value, known in (("policy", policy, POLICIES), ("detail", detail, DETAILS)):
            if value not in known:
                raise UnknownNameError(f"{self.where}: {name} is {value!r}, {expected_one_of(str(value), known)}")
        if power_gating is not None:
            if not isinstance(power_gating, PowerGating):
                raise ParameterError(
                    f"{self.where}: power_gating is {power_gating!r}, expected a scheduler.PowerGating or None."
                )
            power_gating.check(machine, self.where)

    def submit(self, job: Any, priority: float = 0, deadline: float | None = None, expected: float | None = None) -> Request:
        """Give the chip a job; return the event to yield, whose value is a `Result`.

        Parameters
        ----------
        job
            Anything that yields tasks (`scheduler.job`), or a `Profile`.
        priority
            The lower, the sooner.
        deadline
            In the environment's time: what the policy ``"deadline"`` goes by, and `Result.late`.
        expected
            How long it is expected to take, in the environment's units, for the policy ``"shortest"``. A profile knows.

        Raises
        ------
        ParameterError
            If that is no job, or a number is none.
        """
        where = f"{self.where}.submit"
        check_submission(priority, deadline, expected, where)
        profile = job if isinstance(job, Profile) else None
        if profile is not None and not profile.fits(self.machine):
            measured_on = profile.machine if isinstance(profile.machine, str) else profile.machine.name
            other = " with other parameters" if measured_on == self.machine.name else ""
            raise ParameterError(
                f"{where}: the profile was measured on machine {measured_on!r}{other}, expected {self.machine.name!r}, the "
                "chip's. Measure one on a chip of this machine."
            )
        if expected is None and self.policy == "shortest":
            if profile is None:
                raise ParameterError(
                    f"{where}: the policy is 'shortest' and expected is None, expected the job's time in units of the "
                    "environment. A profile of such jobs knows it."
                )
            expected = self.clock.units(Fraction(profile.mean_ticks))
        request = Request(self, job, priority, deadline, expected or 0.0, self.env.now)
        if profile is None:
            request.tasks = tasks_of(job, self.machine, self._now, where)
        counts = self._books.counts
        counts["submitted"] += 1
        request.rank = (self._rank(request), 0 if self.policy == "first_come" else priority, counts["submitted"])
        if self.queue_limit is not None and self._serving is not None and len(self._queue) >= self.queue_limit:
            reason = f"the queue is full: {len(self._queue)} jobs wait, and queue_limit is {self.queue_limit}"
            self._close(request, "refused", reason, self.env.now)
        else:
            self._take(request)
        return request

    def cancel(self, request: Request) -> None:
        """Take a job back, wherever it is: its units are free at the next tick. Nothing happens if it is over.

        Raises
        ------
        ParameterError
            If it is no job of this chip.
        """
        if not isinstance(request, Request) or request.chip is not self:
            found = "another chip's request" if isinstance(request, Request) else f"a {type(request).__name__}"
            raise ParameterError(f"{self.where}.cancel: request is {found}, expected what this chip's submit returned.")
        if request.triggered:
            return
        if request is not self._serving:
            waits = (request.rank, request)
            if waits not in self._queue:  # it is on its way out, and its code cancels it again
                return
            self._queue.remove(waits)
            if request.first_tick is not None:
                request.preempted_ticks += max(0, self._reached - request.since_tick)
            self._close(request, "cancelled", "it was cancelled while it waited", self.env.now)
        elif self._running:  # by its own code, which cannot be closed before it gives its next task
            request.unwanted = True
        else:
            self._alarm.cancel()
            self._cut(request)
            self._leave(request, "cancelled", "it was cancelled while it was served", by=self._reached)

    @property
    def waiting(self) -> int:
        """Count the jobs in the queue."""
        return len(self._queue)

    def profile(self, jobs: Iterable[Any], seed: int = 0) -> Profile:
        """Measure what jobs take, each alone on such a machine; return a job that is served by drawing one of them.

        Parameters
        ----------
        jobs
            The samples.
        seed
            Of the draws.

        Raises
        ------
        JobError
            If a job raises an error.
        """
        again, seconds = list(jobs), self.seconds_per_unit
        machine = self.machine

        def remeasure(sample: int, down: Down) -> Measured:
            return measured(again[sample], machine, seconds, down)

        found = [measured(job, machine, seconds) for job in again]
        ticks, dynamic, offchip = ([one[part] for one in found] for part in range(3))
        return Profile(machine, ticks, dynamic, offchip, seed, remeasure)

    # Faults

    def fail(self, unit: str, at: Time | None = None, until: Time | None = None, copy: int | None = None) -> None:
        """Let a unit fail.

        Its jobs go to the copies that are left. A job of the chip fails if there are none and none will recover. What is served
        from a profile takes what its sample takes with the copies that are left, which is measured when it is needed.

        Parameters
        ----------
        unit
            Its name in the machine's plans.
        at, until
            From when to when, in the environment's time: from now, and for ever, if they are not given.
        copy
            Which copy of it; None for all.

        Raises
        ------
        UnknownNameError
            If the machine has no such unit.
        ParameterError
            If it has no such copy, or the times are not in order, or the machine does not declare its units.
        """
        first = self._outages.add(unit, at, until, copy, self.env.now)
        if self._service is not None and first < self._tick + self._service.ticks:
            self._work_out_again()

    # Accounts

    @property
    def ledger(self) -> Ledger:
        """Return what its units did in all tasks that were finished."""
        return self._books.ledger

    @property
    def counts(self) -> Counter[str]:
        """Return how many jobs were ``"submitted"``, and how many are over, in each way."""
        return self._books.counts

    @property
    def macs(self) -> Counter[str]:
        """Return the products of all tasks ``"begun"``, and of those that were ``"done"``, ``"cancelled"`` and ``"failed"``."""
        return self._books.macs


def measured(job: Any, machine: Machine, seconds_per_unit: float, down: Down = frozenset()) -> Measured:
    """Return ticks, dynamic and off-chip energy of a job alone on a machine of which some unit copies are down.

    Raises
    ------
    JobError
        If the job raises an error.
    NoUnitLeftError
        If it cannot be done with the units that are left.
    UnmeasuredError
        If it is measured again, with units that are down, and can only run once.
    """
    if down and isinstance(job, Iterator):
        raise UnmeasuredError("a sample that can run only once, a generator for instance, is not measured again")
    env = Environment()
    alone = Chip(env, machine, seconds_per_unit)
    for unit, copy in sorted(down):
        alone.fail(unit, copy=copy)
    try:
        result = env.run(alone.submit(job))
    except JobError as error:
        if down:
            raise UnmeasuredError(str(error)) from error
        raise
    assert isinstance(result, Result)
    if not result.done:
        raise NoUnitLeftError(result.reason)
    dynamic, offchip = (int(part.total(part.end)) for part in (alone.timeline.dynamic, alone.timeline.offchip))
    return result.ticks, dynamic, offchip
