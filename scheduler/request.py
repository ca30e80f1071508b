"""A job at a chip: the event that its submitter waits for, and what comes back."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from simpy.events import Event

from hwmodel.errors import ParameterError
from scheduler.clock import is_number
from scheduler.job import Tasks
from scheduler.outcome import Outcome

if TYPE_CHECKING:
    from scheduler.chip import Chip

Status = Literal["done", "refused", "cancelled", "failed"]
Rank = tuple[float, float, int]  # what a policy goes by, the priority, the order of arrival


@dataclass(frozen=True, eq=False)
class Result:
    """What became of a job.

    Attributes
    ----------
    status
        ``"done"``; ``"refused"`` if the queue was full; ``"cancelled"``; ``"failed"`` if no unit was left to do it, or if
        it is a profile that does not know what it takes with the units that are left.
    reason
        Why it was not done; if it was, which of its work the machine could not do, empty if it did all.
    outputs, run
        What the job returned, and its report: an `eventnet.Run`, or the outcomes of plain tasks. None if it was not done.
    ticks
        How long the chip worked on it.
    submitted, started, finished
        In the environment's time; ``started`` is None if it never was.
    waited
        How long it was in the queue, after preemptions too, and waited for its units to be switched on, in the environment's
        units.
    energy_pj
        Dynamic and off-chip energy of its tasks, and static energy while the chip worked on it; switching its units on is the
        chip's (`Chip.energy_pj`).
    profiled
        Whether time and energy were drawn from a `scheduler.Profile` instead of being worked out.
    deadline
        As it was submitted.
    """

    status: Status
    reason: str
    outputs: Any
    run: Any
    ticks: int
    submitted: float
    started: float | None
    finished: float
    waited: float
    energy_pj: float
    profiled: bool
    deadline: float | None

    @property
    def accepted(self) -> bool:
        """Tell whether the chip took it into its queue."""
        return self.status != "refused"

    @property
    def done(self) -> bool:
        """Tell whether it was done."""
        return self.status == "done"

    @property
    def late(self) -> bool:
        """Tell whether it was over after its deadline."""
        return self.deadline is not None and bool(self.finished > self.deadline)


class Request(Event):
    """The event of a submitted job; its value is a `Result`.

    As a context manager it cancels the job if the block is left before it is done, by an interrupt for instance.
    """

    priority: float
    deadline: float | None
    expected: float

    def __init__(
        self, chip: "Chip", job: Any, priority: float, deadline: float | None, expected: float, submitted: float
    ) -> None:
        super().__init__(chip.env)
        self.chip = chip
        self.job = job
        self.priority = priority
        self.deadline = deadline
        self.expected = expected
        self.submitted = submitted
        self.rank: Rank = (0.0, 0.0, 0)
        self.tasks: Tasks | None = None
        self.reply: Outcome | None = None  # what its generator is sent next
        self.first_tick: int | None = None  # of its first service
        self.since_tick = 0  # of its last departure from the chip
        self.preempted_ticks = 0
        self.ticks = 0
        self.energy = 0  # quanta, dynamic and off-chip
        self.outputs: Any = None
        self.run: Any = None
        self.sample = 0  # which of a profile's it is
        self.unwanted = False  # was cancelled by its own code

    def cancel(self) -> None:
        """Take the job back, wherever it is; nothing happens if it is over."""
        self.chip.cancel(self)

    def __enter__(self) -> "Request":
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()


POLICIES: dict[str, Callable[[Request], float]] = {
    "first_come": lambda request: 0.0,
    "priority": lambda request: request.priority,
    "deadline": lambda request: inf if request.deadline is None else request.deadline,
    "shortest": lambda request: request.expected,
}


def check_submission(priority: Any, deadline: Any, expected: Any, where: str) -> None:
    """Raise ParameterError for a number that is none."""
    if type(priority) is int and deadline is None and expected is None:
        return  # the usual case
    for name, value, may_be_none in (("priority", priority, False), ("deadline", deadline, True), ("expected", expected, True)):
        if not is_number(value) and not (may_be_none and value is None):
            raise ParameterError(f"{where}: {name} is {value!r}, expected a number{' or None' if may_be_none else ''}.")
    if expected is not None and expected < 0:
        raise ParameterError(f"{where}: expected is {expected!r}, expected a time of at least 0.")
