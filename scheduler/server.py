"""How a chip serves its jobs: one at a time, task by task, with one event in the environment at any moment.

From a job's submission to its result:

    Server._take          a job is served now, or waits in the queue, in the order of the policy
      Server._begin       it has the chip, after a wake-up if the units are gated
        Server._go_on     its generator gives the next task
          serve           what that takes                                  (scheduler/service.py)
        Server._end       the task's end: the outcome goes back into the generator, or another job is more urgent
      Server._leave       the job's event gets its `Result`
"""

import weakref
from collections.abc import Callable
from dataclasses import replace

from simpy import Environment
from sortedcontainers import SortedList

from hwmodel.errors import EventNetError
from hwmodel.machine import Machine
from scheduler.books import Books
from scheduler.clock import Alarm, Clock
from scheduler.gating import PowerGating, Supply
from scheduler.job import JobError, Step, explained, step_of
from scheduler.metered import Metered
from scheduler.outages import Outages
from scheduler.power import PowerTimeline, Prices, picojoules
from scheduler.profile import Profile
from scheduler.request import POLICIES, Request, Result, Status
from scheduler.service import Service, serve


class Server(Metered):
    """The part of a `scheduler.Chip` that works; the chip has the parameters, and what may be asked of it."""

    def __init__(
        self,
        env: Environment,
        machine: Machine,
        clock: Clock,
        power_gating: PowerGating | None,
        policy: str,
        preemptive: bool,
        by_jobs: bool,
        history: int | None,
    ) -> None:
        self.env = env
        self.machine = machine
        self.preemptive = preemptive
        self.clock = clock
        self.timeline = PowerTimeline(history)
        self._prices = Prices(machine)
        self._books = Books(self._prices)
        self._supply = Supply(clock, self._prices, self.timeline, power_gating)
        self._outages = Outages(machine, clock, self.where)
        self._alarm = Alarm(env)
        self._rank = POLICIES[policy]
        self._by_jobs = by_jobs
        self._queue: SortedList = SortedList()  # (rank, request); no two ranks are equal
        self._serving: Request | None = None
        self._step: Step | None = None
        self._service: Service | None = None
        self._tick = 0  # of the last border: work up to it is booked
        self._choosing = False  # which job is next
        self._running = False  # the code of the job that is served
        reference = weakref.ref(self)  # a job must not keep its chip alive
        self._now = lambda: _time_of(reference)
        self._supply.sleep(0)

    # Which job

    def _take(self, request: Request) -> None:
        """Serve a job now if nothing is served, else let it wait."""
        if self._serving is not None or self._choosing or self._queue:  # they wait for nobody only behind an interrupt
            self._queue.add((request.rank, request))
        else:
            self._next(max(self._tick, self._reached), request)

    def _next(self, tick: int, request: Request | None = None) -> None:
        """Serve a job that has just come, or what waits, from a tick on; sleep if there is nothing."""
        self._tick = tick
        if self._choosing:  # a job of no ticks ended within the loop below
            return
        self._choosing = True
        try:
            if request is not None:
                self._begin(request)
            while self._serving is None and self._queue:
                self._begin(self._queue.pop(0)[1])
        finally:
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
            request.sample = request.job.draw()
            self._start(self._served())
        elif self.clock.time_of(self._tick) > self.env.now:
            self._at(self._tick, self._go_on)
        else:
            self._go_on()

    # Task by task

    def _go_on(self) -> None:
        """Let the job that is served give its next task, until one takes time."""
        request = self._serving
        assert request is not None
        problem: EventNetError | None = None
        while True:
            try:
                given = self._given(request, problem)
            except StopIteration as stop:
                if not (isinstance(stop.value, tuple) and len(stop.value) == 2):
                    found = type(stop.value).__name__
                    self._leave(request, "failed", "", JobError(f"{self.where}: a job's steps returned a {found}, {A_PAIR}"))
                    return
                request.outputs, request.run = stop.value
                if request.unwanted:
                    self._leave(request, "cancelled", BY_ITSELF)
                else:
                    self._leave(request, "done", getattr(request.run, "lacks", ""))
                return
            except Exception as error:
                self._leave(request, "failed", "", explained(error, self.where))
                return
            if request.unwanted:
                self._leave(request, "cancelled", BY_ITSELF)
                return
            try:
                problem = None
                self._step = step_of(given, self.where)
                service = self._served()
            except EventNetError as error:
                problem = error
                continue
            self._books.begin(self._step)
            self._start(service)
            if service.ticks:
                return
            self._book(request, service)
            if service.outcome is None:
                self._leave(request, "failed", service.reason)
                return

    def _given(self, request: Request, problem: EventNetError | None) -> object:
        """Run the job's code up to its next task."""
        assert request.tasks is not None
        self._running = True
        try:
            return request.tasks.throw(problem) if problem is not None else request.tasks.send(request.reply)  # type: ignore[arg-type]
        except Exception:
            raise
        except BaseException as error:  # it is for who runs the environment; if that goes on, so does the chip
            self._serving = None
            self._close(request, "failed", f"{type(error).__name__} was raised in it", self.clock.time_of(self._tick))
            self._at(self._tick, lambda: self._next(self._tick))
            raise
        finally:
            self._running = False

    def _served(self) -> Service:
        """Work out the service of what begins at the last border."""
        faults = self._outages.after(self._tick)
        if self._step is not None:
            return serve(self._prices, self._step, self._by_jobs, faults)
        assert self._serving is not None
        profile: Profile = self._serving.job
        return profile.serve(self._serving.sample, faults)

    def _start(self, service: Service) -> None:
        self._service = service
        service.book(self.timeline, self._tick, self._tick, (0, 0))
        if service.ticks or self._step is None:
            self._at(self._tick + service.ticks, self._end)
        self._announce()

    def _end(self) -> None:
        """Come to the border of an operator."""
        request, service = self._serving, self._service
        assert request is not None
        assert service is not None
        self._book(request, service)
        if service.reason:
            self._leave(request, "failed", service.reason)
        elif request.tasks is None:
            self._leave(request, "done", "")
        elif self.preemptive and self._queue and self._queue[0][0][:2] < request.rank[:2]:
            request.since_tick = self._tick
            self._queue.add((request.rank, request))
            self._serving = None
            self._next(self._tick)
        else:
            self._go_on()

    def _book(self, request: Request, service: Service) -> None:
        """Book a service that has had its time."""
        self._books.end(request, self._step, service)
        self._tick += service.ticks
        request.reply = service.outcome
        self._service = self._step = None
        self.timeline.trim(self._tick)

    def _cut(self, request: Request) -> None:
        """Stop what is served at the next tick; what it has drawn by then is booked."""
        service, step = self._service, self._step
        if self._reached < self._tick and not request.ticks:  # it waits for the next tick, or for its units to be switched on
            request.first_tick = None
        if service is None:
            return
        stop = self._tick_of_service(service)
        self._books.cut(request, step, stop - self._tick, *self._drawn(service, stop))
        self._tick = stop
        self._service = self._step = None

    def _work_out_again(self) -> None:
        """Let what is served take another course from now on, since a unit fails before it would have ended."""
        service = self._service
        assert service is not None
        now = self._tick_of_service(service)
        drawn = self._drawn(service, now)
        changed = self._served()
        self._service = replace(changed, dynamic=max(changed.dynamic, drawn[0]), offchip=max(changed.offchip, drawn[1]))
        self._service.book(self.timeline, self._tick, now, drawn)
        self._at(self._tick + self._service.ticks, self._end)
        self._announce()

    def _tick_of_service(self, service: Service) -> int:
        """Return the tick that a service has come to."""
        return min(max(self._reached, self._tick), self._tick + service.ticks)

    def _drawn(self, service: Service, tick: int) -> tuple[int, int]:
        """Take back what a service was to draw behind a tick; return what it has drawn."""
        dynamic = service.dynamic - self.timeline.dynamic.cut(tick)
        return dynamic, service.offchip - (self.timeline.offchip.cut(tick) if service.offchip else 0)

    # Its end

    def _leave(
        self, request: Request, status: Status, reason: str, error: Exception | None = None, by: int | None = None
    ) -> None:
        """Let a job go that was served, by a tick if it had to wait for its units until then, and serve the next."""
        choosing, self._choosing = self._choosing, True  # its code may submit others when it is closed
        try:
            self._serving = None
            self._close(request, status, reason, self.clock.time_of(self._tick if by is None else min(by, self._tick)), error)
        finally:
            self._choosing = choosing
        self._next(self._tick)

    def _close(self, request: Request, status: Status, reason: str, finished: float, error: Exception | None = None) -> None:
        """Trigger a job's event: with its result, or an error of its own code."""
        started = None if request.first_tick is None else self.clock.time_of(request.first_tick)
        waited = (finished if started is None else started) - request.submitted
        if started is not None and request.preempted_ticks:
            waited += self.clock.units(request.preempted_ticks)
        if request.tasks is not None and status != "done":
            try:
                request.tasks.close()
            except Exception as raised:
                error = error or explained(raised, self.where)
        self._books.counts["error" if error is not None else status] += 1
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
                profiled=request.tasks is None,
                deadline=request.deadline,
            )
        )

    def _at(self, tick: int, do: Callable[[], None]) -> None:
        """Do something at a tick, and not what was to be done."""
        self._alarm.set(self.clock.time_of(tick), do)

    # Accounts

    @property
    def _reached(self) -> int:
        """Return the tick that it is now: the last border if that is now, since an environment's times may lie ticks apart."""
        now, border = self.env.now, self._tick
        tick = self.clock.tick_at(now)
        return border if tick != border and self.clock.time_of(border) == now else tick

    @property
    def busy_ticks(self) -> int:
        """Count the ticks that it has worked on jobs."""
        service = self._service
        return self._books.busy_ticks + (self._tick_of_service(service) - self._tick if service is not None else 0)

    @property
    def wake_ticks(self) -> int:
        """Count the ticks that jobs have waited for its units to be switched on."""
        return self._supply.wake_ticks - max(0, self._tick - self._reached)

    def check(self) -> None:
        """Assert that jobs, products, time and energy are all accounted for."""
        self.timeline.check()
        assert self.busy_ticks + self.idle_ticks + self.wake_ticks == self._reached
        unfinished = len(self._queue) + (self._serving is not None)
        self._books.check(self.timeline, unfinished, self._step, self._service)
        assert self._serving is not None or not self._queue or self._alarm.is_set


BY_ITSELF = "it was cancelled by its own code"
A_PAIR = "expected a pair, its outputs and its report. Return None for what there is none of."


def _time_of(reference: "weakref.ref[Server]") -> float:
    server = reference()
    assert server is not None, "a job whose chip is gone has ended"
    return server.clock.time_of(server._tick)
