"""Jobs that take the copy free first, and the copies that wait for them."""

from collections.abc import Callable

from simpy.events import Event

from hwmodel.plan import EARLIEST
from scheduler.lane import Job, Lane
from scheduler.ready import ReadyQueue
from scheduler.ticks import TickEnvironment


class EndOfTick(Event):
    """An event that comes after everything else of the current tick, as SimPy orders by time and then priority."""

    PRIORITY = 2  # SimPy's own are 0 (urgent) and 1 (normal)

    def __init__(self, env: TickEnvironment, callback: Callable[[Event], None]) -> None:
        super().__init__(env)
        self.callbacks.append(callback)
        self._ok = True  # triggered from the start, as simpy.Timeout is
        self._value = None
        env.schedule(self, priority=self.PRIORITY)  # type: ignore[arg-type]  # any number is a priority


class Pool:
    """Jobs that take the copy free first, the lowest index on a tie, and jobs that name a copy among them.

    Jobs are taken in the order of their rounds. They are matched at the end of a tick, when every copy that becomes free
    in it has, so that the match does not depend on which of them SimPy happened to resume first.
    """

    def __init__(self, env: TickEnvironment) -> None:
        self.env = env
        self.lanes: list[Lane] = []
        self.jobs: ReadyQueue[tuple[int, int, Job]] = ReadyQueue()  # (copy, order, job)
        self.free: ReadyQueue[Lane] = ReadyQueue()
        self.is_down: Callable[[Lane], bool] = lambda lane: False  # has failed, and is neither free nor at work
        self._added = 0
        self._returned = 0
        self._matching = False

    def add(self, copy: int, job: Job) -> None:
        """Take a job that may start now."""
        self.jobs.push(self._added, 0, (copy, self._added, job))
        self._added += 1
        self._match_later()

    def freed(self, lane: Lane) -> None:
        """Take a copy that has just finished its job."""
        self.free.push(self.env.now, lane.index, lane)
        while lane.parked:
            copy, order, job = lane.parked.popleft()
            self.jobs.push(order, 0, (copy, order, job))
        self._match_later()

    def withdraw(self, lane: Lane, jobs: list[Job]) -> None:
        """Do without a copy: the jobs it had go before all others, and any copy may take what was named for it."""
        if lane in self.free.items():
            self.free.remove(lane)
        waiting, self.jobs = [*lane.parked, *self.jobs.items()], ReadyQueue()
        lane.parked.clear()
        for copy, order, job in waiting:
            self.jobs.push(order, 0, (EARLIEST if copy == lane.index else copy, order, job))
        for job in jobs:
            self._returned += 1
            self.jobs.push(-self._returned, 0, (EARLIEST, -self._returned, job))
        self._match_later()

    def _match_later(self) -> None:
        if not self._matching and self.jobs and self.free:
            self._matching = True
            EndOfTick(self.env, self._match)

    def _match(self, _event: Event) -> None:
        while self.jobs and self.free:
            copy, order, job = self.jobs.pop()
            if copy == EARLIEST:
                lane = self.free.pop()
            else:
                lane = self.lanes[copy]
                if lane not in self.free.items():
                    lane.parked.append((copy, order, job))
                    continue
                self.free.remove(lane)
            self._start(lane, job)
        self._matching = False

    def _start(self, lane: Lane, job: Job) -> None:
        number, ticks, round_ = job
        round_.work.copies[number] = lane.index  # a trace asks who took a job that named nobody
        if ticks:
            lane.inbox.append(job)
            lane.bell.ring()
            return
        # A job of no ticks ends in the tick it starts in, so its copy is free again for the very next match.
        if round_.to_start:
            round_.job_started()
        lane.jobs += 1
        round_.finish(number)
        self.free.push(self.env.now, lane.index, lane)

    def check(self) -> None:
        """Assert that each copy is either free, once, or has one job, and that no job waits while a copy could take it.

        To be called between two SimPy events.
        """
        self.jobs.check()
        self.free.check()
        free = self.free.items()
        assert len({lane.index for lane in free}) == len(free)
        assert all(lane is self.lanes[lane.index] for lane in free)
        assert not any(lane.inbox or lane.parked or lane.serving for lane in free)
        at_work = [lane for lane in self.lanes if not self.is_down(lane)]
        assert all(lane in free or len(lane.inbox) + lane.serving == 1 for lane in at_work)
        waiting = bool(self.jobs and self.free)
        assert self._matching == waiting or (self._matching and len(at_work) < len(self.lanes))  # the free one has just failed
        orders = [order for _, order, _ in (*self.jobs.items(), *(one for lane in self.lanes for one in lane.parked))]
        assert len(set(orders)) == len(orders)
        assert all(order < self._added for order in orders)
