"""Units that fail and recover while they have work: their jobs are dispatched again, to the copies that are left.

A fault comes at the end of its tick, so a job that ends in it is done; a recovery comes at the beginning of its tick. A job
that a fault interrupts begins again on another copy: the working copy that would be done with it first, the lowest index on a
tie. Its products are added when it ends, hence once. What the lost attempt had done of its actions, rounded up, is booked too.

    play_with_faults
      FaultyStage           a stage whose jobs go around the copies that are down
        FaultyLane          a copy whose service can be interrupted
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simpy.core import EmptySchedule
from simpy.events import URGENT, Event, Process, Timeout
from simpy.exceptions import Interrupt

from hwmodel.errors import EventNetError
from hwmodel.ledger import Ledger
from hwmodel.plan import EARLIEST, Plan, Times
from hwmodel.products import Products
from scheduler.dispatch import Round, StageRun
from scheduler.engine import play_process
from scheduler.lane import Job, Lane
from scheduler.outcome import Outcome
from scheduler.pool import EndOfTick
from scheduler.ready import ReadyQueue
from scheduler.ticks import TickEnvironment
from scheduler.trace import Trace
from scheduler.waiting import nothing_can_happen


@dataclass(frozen=True)
class Fault:
    """A unit copy that is down from the end of one tick to the beginning of another, or for ever."""

    unit: str
    copy: int
    at: int
    until: int | None


class NoUnitLeftError(EventNetError, RuntimeError):
    """A job has no copy to go to, and none will recover."""


class FaultyLane(Lane):
    """A unit copy that can lose the job it serves."""

    __slots__ = ("busy_until", "current", "process", "stage")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.current: Job | None = None
        self.busy_until = 0
        self.stage: FaultyStage
        self.process: Process

    def lane_process(self) -> Generator[Event, None, None]:
        """Serve jobs until the lane is closed and its inbox is empty."""
        env, inbox = self.env, self.inbox
        now = env.now
        while True:
            while not inbox:
                if self.closed:
                    return
                self.bell.sleepers += 1
                yield self.bell.event
                asleep_since, now = now, env.now
                self.waited_ticks += now - asleep_since
            self.current = job, ticks, round_ = inbox.popleft()
            self.jobs += 1
            if round_.to_start:
                round_.job_started()
            self.busy_until = now + ticks
            try:
                yield Timeout(env, ticks)
            except Interrupt:
                started, now = now, env.now
                self.busy_ticks += now - started
                self.stage.book_lost(round_, job, started, now - started, ticks)
                continue
            self.current = None
            now += ticks
            self.busy_ticks += ticks
            round_.work.copies[job] = self.index
            round_.finish(job)
            if self.freed is not None:
                self.freed(self)

    def take_all(self) -> list[Job]:
        """Give up the job in service and those that wait for it."""
        jobs = list(self.inbox)
        self.inbox.clear()
        if self.current is not None:
            jobs.insert(0, self.current)
            self.current = None
            self.process.interrupt()
        return jobs

    @property
    def done_at(self) -> int:
        """Return when the lane will have served everything that it was given."""
        begin = self.busy_until if self.current is not None else self.env.now
        return max(begin, self.env.now) + sum(ticks for _, ticks, _ in self.inbox)


class FaultyStage(StageRun):
    """A stage that dispatches around the copies that are down."""

    lane_type: type[Lane] = FaultyLane

    def __init__(self, *arguments: Any, faults: Sequence[Fault]) -> None:
        super().__init__(*arguments)
        self._faults = [fault for fault in faults if fault.unit == self.stage.unit.name]
        self._down = [0] * len(self.lanes)  # by how many faults
        self._recoveries_left = sum(fault.until is not None for fault in self._faults)
        self._unplaced: list[tuple[int, Job]] = []

    def begin(self) -> None:
        """Start the lanes, and let the faults come in time."""
        for fault in self._faults:
            if fault.at <= self.env.now:
                self._down[fault.copy] += 1
            else:
                Timeout(self.env, fault.at - self.env.now).callbacks.append(self._fail_at_end_of_tick(fault.copy))
            if fault.until is not None:
                recovery = Event(self.env)
                recovery._ok, recovery._value = True, None
                recovery.callbacks.append(partial(self._recover, fault.copy))
                self.env.schedule(recovery, URGENT, fault.until - self.env.now)
        if self.pool is not None:
            self.pool.is_down = lambda lane: bool(self._down[lane.index])
            for lane in self.lanes:
                if self._down[lane.index]:
                    self.pool.free.remove(lane)
        super().begin()

    def _start_lanes(self) -> None:
        for lane in self.lanes:
            assert isinstance(lane, FaultyLane)
            lane.stage = self
            lane.begin()
            assert lane._process is not None
            lane.process = lane._process

    def _fail_at_end_of_tick(self, copy: int) -> Any:
        return lambda _event: EndOfTick(self.env, partial(self._fail, copy))

    def _fail(self, copy: int, _event: Event) -> None:
        self._down[copy] += 1
        if self._down[copy] > 1:
            return
        lane = self.lanes[copy]
        assert isinstance(lane, FaultyLane)
        jobs = lane.take_all()
        if self.pool is not None:
            if lane in self.pool.free.items():
                self.pool.free.remove(lane)
            self._redirect(lane, jobs)
        for job in jobs if self.pool is None else ():
            self._place(copy, job)
        self._refuse_if_lost()

    def _recover(self, copy: int, _event: Event) -> None:
        self._recoveries_left -= 1
        self._down[copy] -= 1
        if self._down[copy]:
            return
        if self.pool is not None:
            self.pool.freed(self.lanes[copy])
        elif self._unplaced:
            Timeout(self.env, 0).callbacks.append(self._place_waiting)  # when every copy that recovers in this tick has

    def _place_waiting(self, _event: Event) -> None:
        waiting, self._unplaced = self._unplaced, []
        for copy, job in waiting:
            self._place(copy, job)

    def _deliver(self, round_: Round, first: int, stop: int) -> None:
        copies, ticks = round_.work.copies, round_.work.ticks
        for job in range(first, stop):
            copy = copies[job]
            if self.pool is None:
                self._place(copy, (job, ticks[job], round_))
            else:
                self.pool.add(EARLIEST if copy != EARLIEST and self._down[copy] else copy, (job, ticks[job], round_))
        self._refuse_if_lost()

    def _place(self, copy: int, job: Job) -> None:
        """Give a job to the copy that it names, or to the one that would be done with it first."""
        if self._down[copy]:
            working = [lane for lane in self.lanes if not self._down[lane.index]]
            if not working:
                self._unplaced.append((copy, job))
                return
            lane = min(working, key=lambda one: (one.done_at, one.index))  # type: ignore[attr-defined]  # they are FaultyLanes
        else:
            lane = self.lanes[copy]
        lane.inbox.append(job)
        self.bell.ring()

    def _redirect(self, lane: Lane, jobs: list[Job]) -> None:
        """Let other copies of a pool take what one had, was to have, or was named by."""
        pool = self.pool
        assert pool is not None
        waiting, pool.jobs = pool.jobs.items(), ReadyQueue()
        for job in jobs:
            pool.jobs.push(-1, 0, (EARLIEST, -1, job))  # before all others: it has been taken before
        parked = list(lane.parked)
        lane.parked.clear()
        for copy, order, job in sorted([*parked, *waiting], key=lambda one: one[1]):
            pool.jobs.push(order, 0, (EARLIEST if copy == lane.index else copy, order, job))
        pool._match_later()

    def _refuse_if_lost(self) -> None:
        if self._recoveries_left or not all(self._down):
            return
        if self._unplaced or (self.pool is not None and self.pool.jobs):
            unit = self.stage.unit
            raise NoUnitLeftError(f"no copy of unit {unit.name!r} is left, {unit.copies} have failed and none will recover")

    def book_lost(self, round_: Round, job: int, started: int, done: int, ticks: int) -> None:
        """Book what an attempt had done of its actions when it was lost."""
        lost = Ledger()
        for action, counts in round_.work.block.actions.items():
            lost.book(action, -(-int((counts.counts if isinstance(counts, Times) else counts)[job]) * done // ticks))
        self.ledger.add(lost)
        if self._log is not None:
            self._log.book_lost(lost, started, started + done)

    def book_unfinished(self) -> None:
        """Book the jobs that were done of the blocks that are not."""
        unfinished = [round_.work for round_ in self._in_flight] + ([self._work] if self._work is not None else [])
        for work in dict.fromkeys(unfinished):
            work.book(self.ledger)
            if self._log is not None:
                self._log.book(work, self.stage.latency)


@dataclass(frozen=True, eq=False)
class Played:
    """What came of a plan whose units fail: an outcome, or the reason why there is none, and when that was known."""

    outcome: Outcome | None
    reason: str
    ticks: int
    stages: tuple[FaultyStage, ...]


def play_with_faults(
    plan: Plan, products: Products | None = None, faults: Sequence[Fault] = (), trace: Trace | None = None
) -> Played:
    """Play a plan from tick 0 in an environment of its own, while units fail and recover.

    Parameters
    ----------
    plan, products, trace
        As in `scheduler.play`.
    faults
        In ticks of this plan; one that is not after tick 0 is there from the beginning.

    Raises
    ------
    ParameterError
        If the plan contradicts itself.

    Cost: that of `scheduler.play`, and a look at the waiting jobs of each copy for every job that is dispatched again.
    """
    env = TickEnvironment()
    stages: list[FaultyStage] = []

    def stage_of(*arguments: Any) -> FaultyStage:
        stages.append(FaultyStage(*arguments, faults=faults))
        return stages[-1]

    process = env.process(play_process(env, plan, products, trace, stage_of))
    try:
        while process.callbacks is not None:
            env.step()
    except EmptySchedule:
        raise nothing_can_happen() from None
    except NoUnitLeftError as error:
        for stage in stages:
            stage.book_unfinished()
        return Played(None, str(error), env.now, tuple(stages))
    return Played(process.value, "", process.value.ticks, tuple(stages))
