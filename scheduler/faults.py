"""Units that fail and recover while they have work: their jobs are dispatched again, to the copies that are left.

A fault comes at the end of its tick, so a job that ends in it is done; a recovery comes at the beginning of its tick. A job
that a fault interrupts begins again on another copy: the working copy that would be done with it first, the lowest index on a
tie. Its products are added when it ends, hence once. What the lost attempt had done of its actions, rounded up, is booked too.

    play_with_faults
      FaultyStage           a stage whose jobs go around the copies that are down
        FaultyLane          a copy whose service can be interrupted
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simpy.core import EmptySchedule
from simpy.events import URGENT, Event, Timeout

from hwmodel.errors import EventNetError
from hwmodel.ledger import Ledger
from hwmodel.plan import EARLIEST, Plan, Times
from hwmodel.products import Products
from scheduler.dispatch import Round, StageRun
from scheduler.engine import play_process
from scheduler.lane import Job, Lane
from scheduler.outcome import Outcome
from scheduler.pool import EndOfTick
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

    __slots__ = ("lost",)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lost = 0  # attempts

    def lose(self) -> tuple[Job, int, int] | None:
        """Stop at the job in service; return it with the tick at which it was begun and the ticks done, None if there is none.

        The process that waits for its end is left behind, and a new one sleeps until it gets a job.
        """
        job = self.current
        if job is None:
            return None
        assert self._process is not None
        begun, done = self.since, self.env.now - self.since
        self._process.target.callbacks.remove(self._process._resume)  # as SimPy itself does when it interrupts a process
        self._process = self.env.process(self.lane_process())
        self.busy_ticks += done
        self.lost += 1
        return job, begun, done

    @property
    def done_at(self) -> int:
        """Return when the lane will have served everything that it was given."""
        left = [ticks for _, ticks, _ in self.inbox]
        return (self.since + self.current[1] if self.current is not None else self.env.now) + sum(left)

    @property
    def stall_ticks(self) -> int:
        """Return the time waited while the lane had or awaited work of the task, whether or not any of it was done."""
        return self.waited_ticks if self.jobs or self.lost else 0

    @property
    def idle_ticks(self) -> int:
        """Return the time waited by a lane that got no work of the task."""
        return self.waited_ticks - self.stall_ticks


def _round_number(job: Job) -> int:
    return job[2].number


class FaultyStage(StageRun):
    """A stage that dispatches around the copies that are down."""

    lane_type: type[Lane] = FaultyLane

    def __init__(self, *arguments: Any, faults: Sequence[Fault]) -> None:
        super().__init__(*arguments)
        self._faults = [fault for fault in faults if fault.unit == self.stage.unit.name]
        self._down = [0] * len(self.lanes)  # by how many faults
        self._recoveries_left = sum(fault.until is not None for fault in self._faults)
        self._unplaced: list[Job] = []

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

    def _fail_at_end_of_tick(self, copy: int) -> Any:
        return lambda _event: EndOfTick(self.env, partial(self._fail, copy))

    def _fail(self, copy: int, _event: Event) -> None:
        self._down[copy] += 1
        if self._down[copy] > 1:
            return
        lane = self.lanes[copy]
        assert isinstance(lane, FaultyLane)
        jobs = self._take_all(lane)
        if self.pool is not None:
            self.pool.withdraw(lane, jobs)
        for job in jobs if self.pool is None else ():
            self._place(copy, job)
        self._give_up_if_lost()

    def _take_all(self, lane: FaultyLane) -> list[Job]:
        """Let a copy give up the job in service, of which what it has done is booked, and those that wait for it."""
        jobs = list(lane.inbox)
        lane.inbox.clear()
        lost = lane.lose()
        if lost is not None:
            job, begun, done = lost
            jobs.insert(0, job)
            number, ticks, round_ = job
            if round_.to_start:  # it has not started after all, unless the round's slot is free already
                round_.to_start += 1
            self._book_lost(round_, number, begun, done, ticks)
        return jobs

    def _recover(self, copy: int, _event: Event) -> None:
        self._recoveries_left -= 1
        self._down[copy] -= 1
        if self._down[copy]:
            self._give_up_if_lost()
            return
        if self.pool is not None:
            self.pool.freed(self.lanes[copy])
        elif self._unplaced:
            Timeout(self.env, 0).callbacks.append(self._place_waiting)  # when every copy that recovers in this tick has

    def _place_waiting(self, _event: Event) -> None:
        waiting, self._unplaced = self._unplaced, []
        for job in waiting:
            number, _, round_ = job
            self._place(int(round_.work.block.copy[number]), job)  # the copy that the plan names

    def _deliver(self, round_: Round, first: int, stop: int) -> None:
        copies, ticks = round_.work.copies, round_.work.ticks
        for job in range(first, stop):
            copy = copies[job]
            if self.pool is None:
                self._place(copy, (job, ticks[job], round_))
            else:
                self.pool.add(EARLIEST if copy != EARLIEST and self._down[copy] else copy, (job, ticks[job], round_))
        self._give_up_if_lost()

    def _place(self, copy: int, job: Job) -> None:
        """Give a job to the copy that it names, or to the one that would be done with it first."""
        if self._down[copy]:
            working = [lane for lane in self.lanes if not self._down[lane.index]]
            if not working:
                self._unplaced.append(job)
                return
            lane = min(working, key=lambda one: (one.done_at, one.index))  # type: ignore[attr-defined]  # they are FaultyLanes
        else:
            lane = self.lanes[copy]
        number, _, round_ = job
        round_.work.copies[number] = lane.index  # a trace asks who took it
        insort(lane.inbox, job, key=_round_number)
        self.bell.ring()

    @property
    def _is_lost(self) -> bool:
        """Tell whether there are jobs that no copy will ever take."""
        if self._recoveries_left or not all(self._down):
            return False
        return bool(self._unplaced) or (self.pool is not None and bool(self.pool.jobs))

    def _give_up_if_lost(self) -> None:
        if self._is_lost:
            EndOfTick(self.env, self._give_up)

    def _give_up(self, _event: Event) -> None:
        """Stop the play, in which nothing else happens in this event: what there is then adds up."""
        unit = self.stage.unit
        raise NoUnitLeftError(f"no copy of unit {unit.name!r} is left, {unit.copies} have failed and none will recover")

    def _waiting(self) -> list[tuple[Round, int]]:
        return super()._waiting() + [(round_, job) for job, _, round_ in self._unplaced]

    def check(self) -> None:
        """Assert what `StageRun.check` does, and that no copy that is down has work."""
        super().check()
        assert all(down >= 0 for down in self._down)
        for lane, down in zip(self.lanes, self._down, strict=True):
            assert not (down and (lane.inbox or lane.parked or lane.serving))

    def _book_lost(self, round_: Round, job: int, started: int, done: int, ticks: int) -> None:
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
