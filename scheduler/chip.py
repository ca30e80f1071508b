"""A modelled machine inside anyone's SimPy environment: it takes jobs, lets their time pass, and says what it draws.

A chip counts its own ticks. Between two borders of operators nothing of it is in the environment but one event, at the absolute
time of the tick at which the operator ends.

    Chip.submit             a job waits in the queue, in the order of the policy
      Chip._begin           the first of it is served, after a wake-up if the units are gated
        Chip._go_on         its generator gives the next task
          serve             what that takes                                  (scheduler/service.py)
          Chip._end         the task's end: the outcome goes back into the generator, or another job is more urgent
        Chip._leave         the job's event gets its `Result`
    Chip.power, .energy_pj, .when_used                                        (scheduler/power.py)
"""

import weakref
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import inf
from typing import Any

from simpy import Environment
from simpy.events import Event
from sortedcontainers import SortedList

from hwmodel.catalogue import expected_one_of
from hwmodel.errors import EventNetError, ParameterError, UnknownNameError
from hwmodel.ledger import Ledger
from hwmodel.machine import Machine
from scheduler.clock import Clock, Time, call_at
from scheduler.faults import Fault
from scheduler.gating import PowerGating, Supply
from scheduler.job import Step, explained, step_of, tasks_of
from scheduler.power import PJ, PowerTimeline, Prices, picojoules, quanta
from scheduler.profile import Profile
from scheduler.request import POLICIES, Request, Result, Status, check_submission
from scheduler.service import Service, serve
from scheduler.units import units_of

DETAILS = ("operator", "job")


class Chip:
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

    Attributes
    ----------
    timeline
        What it draws, exactly, in quanta a tick.
    ledger
        What its units did in all tasks that were finished.
    counts
        How many jobs were ``"submitted"``, and of them ``"done"``, ``"refused"``, ``"cancelled"``, ``"failed"`` or ended with
        an ``"error"``.

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
    ) -> None:
        self._check(env, machine, queue_limit, power_gating, policy, detail)
        self.env = env
        self.machine = machine
        self.seconds_per_unit = seconds_per_unit
        self.queue_limit = queue_limit
        self.policy = policy
        self.preemptive = preemptive
        self.detail = detail
        self.clock = Clock(env.now, seconds_per_unit, machine.clock_hz, self.where)
        self.timeline = PowerTimeline()
        self.ledger = Ledger()
        self.counts: Counter[str] = Counter()
        self._prices = Prices(machine)
        self._supply = Supply(self.clock, self._prices, self.timeline, power_gating)
        self._rank = POLICIES[policy]
        self._queue: SortedList = SortedList()  # (rank, request); no two ranks are equal
        self._accounts: Counter[str] = Counter()  # quanta that no ledger has
        self._faults: list[Fault] = []
        self._changed: Event | None = None
        self._busy_ticks = 0
        self._serving: Request | None = None
        self._step: Step | None = None
        self._service: Service | None = None
        self._tick = 0  # of the last border: work up to it is booked
        self._turn = 0  # counts what was scheduled, so that what was overtaken is known
        self._choosing = False
        reference = weakref.ref(self)  # a job must not keep its chip alive
        self._now = lambda: _time_of(reference)
        self._supply.sleep(0)

    def _check(self, env: Any, machine: Any, queue_limit: Any, power_gating: Any, policy: Any, detail: Any) -> None:
        if not isinstance(env, Environment) or not isinstance(machine, Machine):
            raise ParameterError(
                f"{self.where}: env is a {type(env).__name__} and machine a {type(machine).__name__}, expected a "
                "simpy.Environment and a hwmodel.Machine. Make the machine with hwmodel.load."
            )
        integer = isinstance(queue_limit, int) and not isinstance(queue_limit, bool)
        if queue_limit is not None and not (integer and queue_limit >= 0):
            raise ParameterError(
                f"{self.where}: queue_limit is {queue_limit!r}, expected an integer of at least 0 or None for no limit."
            )
        for name, value, known in (("policy", policy, POLICIES), ("detail", detail, DETAILS)):
            if value not in known:
                raise UnknownNameError(f"{self.where}: {name} is {value!r}, {expected_one_of(str(value), known)}")
        if power_gating is not None:
            if not isinstance(power_gating, PowerGating):
                raise ParameterError(
                    f"{self.where}: power_gating is {power_gating!r}, expected a scheduler.PowerGating or None."
                )
            power_gating.check(machine, self.where)

    # Jobs

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
        if profile is not None and profile.machine != self.machine.name:
            raise ParameterError(
                f"{where}: the profile was measured on machine {profile.machine!r}, expected {self.machine.name!r}, the "
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
        self.counts["submitted"] += 1
        request.rank = (self._rank(request), 0 if self.policy == "first_come" else priority, self.counts["submitted"])
        busy = self._serving is not None
        if busy and self.queue_limit is not None and len(self._queue) >= self.queue_limit:
            self._refuse(request)
            return request
        if busy or self._choosing:
            self._queue.add((request.rank, request))
        else:
            self._next(max(self._tick, self.clock.tick_at(self.env.now)), request)
        return request

    def cancel(self, request: Request) -> None:
        """Take a job back, wherever it is: its units are free at the next tick. Nothing happens if it is over."""
        if request.triggered:
            return
        if request is not self._serving:
            self._queue.remove((request.rank, request))
            if request.first_tick is not None:
                request.preempted_ticks += max(0, self.clock.tick_at(self.env.now) - request.since_tick)
            self._close(request, "cancelled", "it was cancelled while it waited", self.env.now)
            return
        self._turn += 1
        self._interrupt_service(request)
        finished = self.clock.time_of(min(self._tick, self.clock.tick_at(self.env.now)))
        self._serving = None
        self._close(request, "cancelled", "it was cancelled while it was served", finished)
        self._next(self._tick)

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
        ticks, dynamic, offchip = [], [], []
        for job in jobs:
            env = Environment()
            alone = Chip(env, self.machine, self.seconds_per_unit)
            result = env.run(alone.submit(job))
            assert isinstance(result, Result)
            end = alone._tick
            ticks.append(result.ticks)
            dynamic.append(int(alone.timeline.dynamic.total(end)))
            offchip.append(int(alone.timeline.offchip.total(end)))
        return Profile(self.machine.name, ticks, dynamic, offchip, seed)

    # Service

    def _next(self, tick: int, request: Request | None = None) -> None:
        """Serve a job that has just come, or what waits, from a tick on; sleep if there is nothing."""
        self._tick = tick
        if self._choosing:  # a job of no ticks ended within the loop below
            return
        self._choosing = True
        if request is not None:
            self._begin(request)
        while self._serving is None and self._queue:
            self._begin(self._queue.pop(0)[1])
        self._choosing = False
        if self._serving is None and self._supply.asleep_since is None:
            self._supply.sleep(self._tick)
        self._announce()

    def _begin(self, request: Request) -> None:
        self._serving = request
        if self._supply.asleep_since is not None:
            self._tick = self._supply.wake(self._tick)
        if request.first_tick is None:
            request.first_tick = self._tick
        else:
            request.preempted_ticks += self._tick - request.since_tick
        if request.tasks is None:
            ticks, dynamic, offchip = request.job.draw()
            self._start(Service(None, "", ticks, dynamic, offchip, None))
            return
        if self.clock.time_of(self._tick) > self.env.now:
            self._at(self._tick, self._go_on)
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Let the job that is served give its next task, until one takes time."""
        request = self._serving
        assert request is not None
        assert request.tasks is not None
        problem: EventNetError | None = None
        while True:
            try:
                given = request.tasks.throw(problem) if problem is not None else request.tasks.send(request.reply)  # type: ignore[arg-type]
            except StopIteration as stop:
                request.outputs, request.run = stop.value
                self._leave(request, "done", "")
                return
            except Exception as error:
                self._leave(request, "failed", "", explained(error, self.where))
                return
            try:
                problem = None
                self._step = step_of(given, self.where)
                service = self._served(self._step)
            except EventNetError as error:
                problem = error
                continue
            self._start(service)
            if service.ticks:
                return
            self._book(request, service)
            if service.outcome is None:
                self._leave(request, "failed", service.reason)
                return

    def _served(self, step: Step) -> Service:
        """Work out the service of a task that begins now."""
        faults = [
            replace(fault, at=fault.at - self._tick, until=None if fault.until is None else fault.until - self._tick)
            for fault in self._faults
            if fault.until is None or fault.until > self._tick
        ]
        return serve(self._prices, step, self.detail == "job", faults)

    def _start(self, service: Service) -> None:
        self._service = service
        service.book(self.timeline, self._tick, self._tick, (0, 0))
        if service.ticks or self._step is None:
            self._at(self._tick + service.ticks, self._end)

    def _end(self) -> None:
        """Come to the border of an operator."""
        request, service = self._serving, self._service
        assert request is not None
        assert service is not None
        self._book(request, service)
        if request.tasks is None:
            self._leave(request, "done", "")
        elif service.outcome is None:
            self._leave(request, "failed", service.reason)
        elif self.preemptive and self._queue and self._queue[0][0][:2] < request.rank[:2]:
            request.since_tick = self._tick
            self._queue.add((request.rank, request))
            self._serving = None
            self._next(self._tick)
        else:
            self._go_on()

    def _book(self, request: Request, service: Service) -> None:
        """Book a task that has had its time."""
        self._pass(request, service.ticks, service.dynamic, service.offchip)
        request.reply = service.outcome
        if service.outcome is not None:
            self.ledger.add(service.outcome.ledger)
        else:
            self._accounts["profiled" if request.tasks is None else "unfinished"] += service.dynamic
        self._service = self._step = None

    def _pass(self, request: Request, ticks: int, dynamic: int, offchip: int) -> None:
        self._tick += ticks
        self._busy_ticks += ticks
        request.ticks += ticks
        request.energy += dynamic + offchip
        self._accounts["offchip"] += offchip

    def _interrupt_service(self, request: Request) -> None:
        """Stop the task that is served at the next tick; what it has drawn by then is booked."""
        service = self._service
        if service is None:  # it waits for its units to be switched on
            if not request.ticks:
                request.first_tick = None
            return
        self._service = self._step = None
        stop = self._tick_of_service(service)
        dynamic, offchip = self._drawn(service, stop)
        self._accounts["unfinished"] += dynamic
        self._pass(request, stop - self._tick, dynamic, offchip)

    def _tick_of_service(self, service: Service) -> int:
        return min(max(self.clock.tick_at(self.env.now), self._tick), self._tick + service.ticks)

    def _drawn(self, service: Service, tick: int) -> tuple[int, int]:
        """Take back what a service was to draw behind a tick; return what it has drawn."""
        dynamic = service.dynamic - self.timeline.dynamic.cut(tick)
        return dynamic, service.offchip - (self.timeline.offchip.cut(tick) if service.offchip else 0)

    def _leave(self, request: Request, status: Status, reason: str, error: Exception | None = None) -> None:
        """Let a job go that was served, and serve the next."""
        self._serving = None
        self._close(request, status, reason, self.clock.time_of(self._tick), error)
        self._next(self._tick)

    def _refuse(self, request: Request) -> None:
        reason = f"the queue is full: {len(self._queue)} jobs wait, and queue_limit is {self.queue_limit}"
        self._close(request, "refused", reason, self.env.now)

    def _close(self, request: Request, status: Status, reason: str, finished: float, error: Exception | None = None) -> None:
        """Trigger a job's event: with its result, or an error of its own code."""
        started = None if request.first_tick is None else self.clock.time_of(request.first_tick)
        if started is None:
            waited = finished - request.submitted
        else:
            waited = started - request.submitted
            if request.preempted_ticks:
                waited += self.clock.units(request.preempted_ticks)
        if request.tasks is not None and status != "done":
            try:
                request.tasks.close()
            except Exception as raised:
                error = error or explained(raised, self.where)
        self.counts["error" if error is not None else status] += 1
        if error is not None:
            request.fail(error)
            return
        energy = request.energy + self._supply.level * request.ticks
        request.succeed(
            Result(
                status=status,
                reason=reason,
                outputs=request.outputs,
                run=request.run,
                ticks=request.ticks,
                submitted=request.submitted,
                started=started,
                finished=finished,
                waited=waited,
                energy_pj=picojoules(energy),
                profiled=isinstance(request.job, Profile),
                deadline=request.deadline,
            )
        )

    def _at(self, tick: int, do: Callable[[], None]) -> None:
        """Do something at a tick; whatever was to be done before is overtaken."""
        self._turn += 1
        call_at(self.env, self.clock.time_of(tick), partial(self._do, self._turn, do))

    def _do(self, turn: int, do: Callable[[], None], _event: Event) -> None:
        if turn == self._turn:
            do()
            self._announce()

    # Faults

    def fail(self, unit: str, at: Time | None = None, until: Time | None = None, copy: int | None = None) -> None:
        """Let a unit fail.

        Its jobs go to the copies that are left. A job of the chip fails if there are none and none will recover. What is served
        from a profile takes no notice.

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
            If it has no such copy, or the times are not in order.
        """
        where = f"{self.where}.fail"
        units = units_of(self.machine)
        if unit not in units:
            raise UnknownNameError(
                f"{where}: machine {self.machine.name!r} has no unit {unit!r}, {expected_one_of(str(unit), units)}"
            )
        copies = units[unit]
        if copy is not None and copy not in range(copies):
            raise ParameterError(f"{where}: copy is {copy!r}, expected 0 to {copies - 1}, or None for every copy of {unit!r}.")
        begin = self.env.now if at is None else at
        if begin < self.env.now or (until is not None and until <= begin):
            raise ParameterError(
                f"{where}: {unit!r} fails at {begin} until {until}, expected times in order and not before now, {self.env.now}."
            )
        first, last = self.clock.tick_at(begin), None if until is None else self.clock.tick_at(until)
        self._faults = [fault for fault in self._faults if fault.until is None or fault.until > self._tick]
        self._faults += [Fault(unit, one, first, last) for one in (range(copies) if copy is None else (copy,))]
        service = self._service
        if service is not None and self._step is not None and first < self._tick + service.ticks:
            now = self._tick_of_service(service)
            drawn = self._drawn(service, now)
            changed = self._served(self._step)
            self._service = replace(changed, dynamic=max(changed.dynamic, drawn[0]))
            self._service.book(self.timeline, self._tick, now, drawn)
            self._at(self._tick + self._service.ticks, self._end)
            self._announce()

    # Power

    @property
    def changed(self) -> Event:
        """Return an event that happens when the chip draws something else than it would have: look at `when_used` again."""
        if self._changed is None:
            self._changed = Event(self.env)
        return self._changed

    def _announce(self) -> None:
        event, self._changed = self._changed, None
        if event is not None:
            event.succeed()

    def power(self, time: Time) -> float:
        """Return what the chip draws at a time, in watts; in the future, if nothing else happens."""
        level = self.timeline.level(self.clock.position(time))
        return picojoules(level) * self.machine.clock_hz / PJ

    def energy_pj(self, first: Time, last: Time) -> float:
        """Return the energy of a span of time, exactly; in the future, if nothing else happens. See `PowerTimeline.energy`."""
        if first > last:
            raise ParameterError(f"{self.where}.energy_pj: the span is from {first} to {last}, expected times in order.")
        return picojoules(self.timeline.energy(self.clock.position(first), self.clock.position(last)))

    def when_used(self, pj: float) -> float:
        """Return when the chip will have drawn an energy in all, if nothing else happens; infinite if never."""
        tick = self.timeline.reaches(quanta(float(pj)), self.clock.tick_at(self.env.now))
        return inf if tick is None else self.clock.time_of(tick)

    # Time

    @property
    def busy_ticks(self) -> int:
        """Count the ticks that it has worked on jobs."""
        service = self._service
        return self._busy_ticks + (self._tick_of_service(service) - self._tick if service is not None else 0)

    @property
    def idle_ticks(self) -> int:
        """Count the ticks that it has had no work."""
        return self._supply.idle_until(self.clock.tick_at(self.env.now))

    @property
    def wake_ticks(self) -> int:
        """Count the ticks that jobs have waited for its units to be switched on."""
        return self._supply.wake_ticks - max(0, self._tick - self.clock.tick_at(self.env.now))

    @property
    def utilisation(self) -> float:
        """Return the share of its time that it has worked; 0 if no time has passed."""
        passed = self.busy_ticks + self.idle_ticks + self.wake_ticks
        return self.busy_ticks / passed if passed else 0.0

    def check(self) -> None:
        """Assert that time, energy and jobs are all accounted for."""
        self.timeline.check()
        now = self.clock.tick_at(self.env.now)
        assert self.busy_ticks + self.idle_ticks + self.wake_ticks == now
        over = sum(self.counts[one] for one in ("done", "refused", "cancelled", "failed", "error"))
        assert self.counts["submitted"] == over + self.waiting + (self._serving is not None)
        end = max(part.end for part in self.timeline.parts.values())
        service = self._service
        dynamic = self._prices.dynamic(self.ledger) + self._accounts["profiled"] + self._accounts["unfinished"]
        assert self.timeline.dynamic.total(end) == dynamic + (service.dynamic if service is not None else 0)
        assert self.timeline.offchip.total(end) == self._accounts["offchip"] + (service.offchip if service is not None else 0)
        assert self._serving is not None or not self._queue


def _time_of(reference: "weakref.ref[Chip]") -> float:
    chip = reference()
    assert chip is not None, "a job whose chip is gone has ended"
    return chip.clock.time_of(chip._tick)
