"""Unit copies as SimPy processes: each sleeps until it gets a job, serves it, adds its products and books its time."""

from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from simpy.events import Event, Process, Timeout

from scheduler.ticks import TickEnvironment

if TYPE_CHECKING:
    from scheduler.dispatch import Round

Job = tuple[int, int, "Round"]  # its number in the block, its service ticks, its round


class Bell:
    """What sleeping lanes wait for: one ring wakes all who sleep on it. Ringing for nobody costs nothing."""

    __slots__ = ("env", "event", "sleepers")

    def __init__(self, env: TickEnvironment) -> None:
        self.env = env
        self.event = Event(env)
        self.sleepers = 0

    def ring(self) -> None:
        """Wake everyone who sleeps on the bell."""
        if self.sleepers:
            event, self.event, self.sleepers = self.event, Event(self.env), 0
            event.succeed()


class Lane:
    """One copy of a unit.

    Attributes
    ----------
    inbox
        Jobs that may start, in the order of their rounds.
    parked
        Jobs that name this copy, which was busy when the pool took them in hand; the pool takes them back when it is free.
    busy_ticks, waited_ticks, jobs
        Booked as they happen: service, sleep, and jobs done.
    """

    __slots__ = (
        "_process", "_started", "bell", "busy_ticks", "closed", "env", "freed", "inbox", "index", "jobs", "parked",
        "waited_ticks",
    )  # fmt: skip

    def __init__(self, env: TickEnvironment, index: int, bell: Bell, freed: Callable[["Lane"], None] | None) -> None:
        self.env = env
        self.index = index
        self.bell = bell
        self.freed = freed
        self.inbox: deque[Job] = deque()
        self.parked: deque[tuple[int, int, Job]] = deque()
        self.busy_ticks = 0
        self.waited_ticks = 0
        self.jobs = 0
        self.closed = False
        self._started = env.now
        self._process: Process | None = None

    def begin(self) -> None:
        """Let the lane run."""
        self._started = self.env.now
        self._process = self.env.process(self.lane_process())

    def lane_process(self) -> Generator[Event, None, None]:
        """Serve jobs until the lane is closed and its inbox is empty."""
        env, inbox, bell, freed = self.env, self.inbox, self.bell, self.freed
        take = inbox.popleft
        now = env.now
        while True:
            while not inbox:
                if self.closed:
                    return
                bell.sleepers += 1
                yield bell.event
                asleep_since, now = now, env.now
                self.waited_ticks += now - asleep_since
            job, ticks, round_ = taken = take()
            if round_.to_start:
                round_.job_started()
            yield Timeout(env, ticks, taken)
            now += ticks
            self.busy_ticks += ticks
            self.jobs += 1
            round_.finish(job)
            if freed is not None:
                freed(self)

    @property
    def current(self) -> Job | None:
        """Return the job that the lane is at work on: what its process waits for then is the end of the job."""
        target = self._process.target if self._process is not None else None
        return target.value if isinstance(target, Timeout) and not target.processed else None

    @property
    def serving(self) -> bool:
        """Tell whether the lane is at work on a job."""
        return self.current is not None

    @property
    def since(self) -> int:
        """Return when its present sleep or its present job began: every tick before is booked."""
        return self._started + self.busy_ticks + self.waited_ticks

    @property
    def asleep(self) -> bool:
        """Tell whether the lane sleeps on its bell, which has not been rung since."""
        return self._process is not None and self._process.target is self.bell.event

    @property
    def stall_ticks(self) -> int:
        """Return the time waited while the lane had or awaited work of the task."""
        return self.waited_ticks if self.jobs else 0

    @property
    def idle_ticks(self) -> int:
        """Return the time waited by a lane that got no work of the task."""
        return 0 if self.jobs else self.waited_ticks

    def check(self) -> None:
        """Assert that every tick is booked, that no job waits for a sleeper, and that each job is here once and in order.

        To be called between two SimPy events.
        """
        since, now = self.since, self.env.now
        assert self.busy_ticks >= 0
        assert self.waited_ticks >= 0
        assert since <= now
        assert not self.serving or now <= since + self._process.target._delay  # type: ignore[union-attr]
        assert not (self.asleep and self.inbox)
        assert not self.parked or self.serving or self.inbox
        waiting = [*self.inbox, *(job for _, _, job in self.parked)]
        assert len({(id(round_), job) for job, _, round_ in waiting}) == len(waiting)
        numbers = [round_.number for _, _, round_ in self.inbox]
        assert numbers == sorted(numbers)
        assert all(round_.work.copies[job] == self.index for job, _, round_ in waiting)
