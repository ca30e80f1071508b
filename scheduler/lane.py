"""Unit copies as SimPy processes: each sleeps until it gets a job, serves it, adds its products and books its time."""

from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from simpy.events import Event, Timeout

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
    busy_ticks, waited_ticks, jobs
        Booked as they happen: service, sleep, and jobs done.
    """

    __slots__ = ("bell", "busy_ticks", "closed", "env", "freed", "inbox", "index", "jobs", "parked", "waited_ticks")

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
            job, ticks, round_ = take()
            if round_.to_start:
                round_.job_started()
            yield Timeout(env, ticks)
            now += ticks
            self.busy_ticks += ticks
            self.jobs += 1
            round_.finish(job)
            if freed is not None:
                freed(self)

    @property
    def stall_ticks(self) -> int:
        """Return the time waited while the lane had or awaited work of the task."""
        return self.waited_ticks if self.jobs else 0

    @property
    def idle_ticks(self) -> int:
        """Return the time waited by a lane that got no work of the task."""
        return 0 if self.jobs else self.waited_ticks
