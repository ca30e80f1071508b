"""What a machine makes of a task: rounds of jobs, as arrays, streamed a block at a time.

The law of time that gives these rounds their ticks is in ``scheduler``; a plan only says what there is to do. Every
engine takes the same plan.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.errors import ParameterError
from hwmodel.frozen import frozen
from hwmodel.lazy import lazy
from hwmodel.ledger import Ledger

EARLIEST = -1  # a job that takes the copy free first, the lowest index on a tie


@frozen
class Counts:
    """How often something happens in each job, or in each round: int64, of which several actions may be a multiple.

    ``made`` is the array, or makes it for those who need to know of each job; ``known`` is the total where it is known without.
    """

    made: NDArray[np.int64] | Callable[[], NDArray[np.int64]]
    known: int | None = None

    @lazy
    def counts(self) -> NDArray[np.int64]:
        """Return the array, made when first asked for."""
        return self.made if isinstance(self.made, np.ndarray) else self.made()

    @lazy
    def total(self) -> int:
        """Add all up, exactly. Cost: one pass at the first call, unless it is known."""
        if self.known is not None:
            return self.known
        low, high = _add_halves(np.ascontiguousarray(self.counts, dtype=np.int64))
        return int(low) + (int(high) << 32)

    @staticmethod
    def ones(size: int) -> "Counts":
        """Count so many once each."""
        return Counts(lambda: np.ones(size, dtype=np.int64), size)

    def times(self, factor: int) -> "Times":
        """Return the counts of what happens so many times as often."""
        return Times(self, factor)


@frozen
class Times:
    """A multiple of counts that several actions share, so that they are added up once for all of them."""

    base: Counts
    factor: int

    @property
    def counts(self) -> NDArray[np.int64]:
        """Return the multiples themselves."""
        return self.base.counts * self.factor

    @property
    def shape(self) -> tuple[int, ...]:
        """Give the shape of the counts."""
        return self.base.counts.shape

    @property
    def total(self) -> int:
        """Add all up; no product of it is ever made in 64 bits."""
        return self.base.total * self.factor

    def __getitem__(self, jobs: "slice | NDArray[np.int64] | list[int]") -> "Times":
        return Times(Counts(self.base.counts[jobs]), self.factor)


def total(counts: "NDArray[np.int64] | Times") -> int:
    """Add counts up, exactly: no sum of 64-bit integers wraps."""
    return counts.total if isinstance(counts, Times) else Counts(counts).total


Multiples = Sequence[tuple[Counts, Mapping[str, int]]]
"""Counts, and for each the actions that are done a multiple of them."""


def _by_action(multiples: Multiples) -> dict[str, Times]:
    return {action: counts.times(factor) for counts, factors in multiples for action, factor in factors.items()}


@frozen
class Shares:
    """How many events the jobs of a block carry, and to where their products go, without the events themselves.

    Attributes
    ----------
    events
        int64 (jobs,): how many events each job carries.
    output_block
        int64 (jobs,): the row of outputs that a job adds to; see `Events`.
    filters, share
        The filters of the group that a job adds to, as `Events` has them.
    """

    events: NDArray[np.int64]
    output_block: NDArray[np.int64]
    filters: slice | tuple[slice, ...] = field(default_factory=lambda: slice(None))
    share: NDArray[np.int64] | None = None


@frozen
class Events:
    """The events of a block's jobs, and where their products go.

    Attributes
    ----------
    pointers
        int64 (jobs + 1,): job j carries the events from ``pointers[j]`` up to ``pointers[j + 1]``.
    positions
        int64 (events,): where each event's value is in the flat activations.
    operands
        int64 (events,): which operand of its window each event is, hence which weights it meets.
    output_block
        int64 (jobs,): ``group * windows + window``, the row of outputs that a job adds to.
    filters
        The filters of the group that all jobs add to, all of them unless the machine divides them among units; or several
        such slices, of which each job has its own.
    share
        int64 (jobs,): which of several slices of ``filters`` a job adds to; None if there is one for all.
    """

    pointers: NDArray[np.int64]
    positions: NDArray[np.int64]
    operands: NDArray[np.int64]
    output_block: NDArray[np.int64]
    filters: slice | tuple[slice, ...] = field(default_factory=lambda: slice(None))
    share: NDArray[np.int64] | None = None


class _Jobs:
    """What a `Block` and a `Lockstep` tell of their jobs in the same way."""

    events: Callable[[], Events] | None
    shares: Callable[[], Shares] | None

    @lazy
    def carried(self) -> Events | None:
        """Return the events that the jobs carry, made when first asked for."""
        return self.events() if self.events is not None else None

    @lazy
    def shared(self) -> Shares | None:
        """Return how many events each job carries, and to where; None if the jobs carry none."""
        if self.shares is not None:
            return self.shares()
        carried = self.carried
        if carried is None:
            return None
        return Shares(np.diff(carried.pointers), carried.output_block, carried.filters, carried.share)


@frozen
class Block(_Jobs):
    """Consecutive rounds of one stage, and their jobs.

    Attributes
    ----------
    round_pointers
        int64 (rounds + 1,): round k has the jobs from ``round_pointers[k]`` up to ``round_pointers[k + 1]``.
    copy
        int64 (jobs,): the unit copy that does each job, or `EARLIEST`.
    ticks
        int64 (jobs,): service ticks.
    useful_ticks
        int64 (jobs,): those of them spent on nonzero operands.
    actions
        For each action, how often each job does it: int64 (jobs,), or a multiple of such counts.
    round_actions
        For each action, how often each round does it beside its jobs: int64 (rounds,), or a multiple.
    gaps
        int64 (rounds,): ticks that must pass between the issue of the round before and this one's; None for none.
    need
        int64 (rounds,): the round of the stage before that must be finished; None for the round of the same number.
    events
        Makes the events that the jobs carry; None for jobs that carry none (a bus, an encoder).
    shares
        Says how many events each job carries where that is known without making them; None to make them.
    """

    round_pointers: NDArray[np.int64]
    copy: NDArray[np.int64]
    ticks: NDArray[np.int64]
    useful_ticks: NDArray[np.int64]
    actions: Mapping[str, NDArray[np.int64] | Times] = field(default_factory=dict)
    round_actions: Mapping[str, NDArray[np.int64] | Times] = field(default_factory=dict)
    gaps: NDArray[np.int64] | None = None
    need: NDArray[np.int64] | None = None
    events: Callable[[], Events] | None = None
    shares: Callable[[], Shares] | None = None

    @property
    def rounds(self) -> int:
        """Count the rounds."""
        return self.round_pointers.size - 1

    @property
    def jobs(self) -> int:
        """Count the jobs of all rounds."""
        return self.ticks.size

    @property
    def block(self) -> "Block":
        """Return itself."""
        return self

    @property
    def useful_total(self) -> int:
        """Add the useful ticks of all jobs up."""
        return total(self.useful_ticks)

    def book(self, ledger: Ledger) -> None:
        """Book the actions of all rounds, and of all jobs once each."""
        for actions in (self.actions, self.round_actions):
            for action, counts in actions.items():
                ledger.book(action, total(counts))

    def check(self, copies: int) -> None:
        """Raise ParameterError unless the arrays fit each other, times are not negative and copies exist."""
        where = "hwmodel.Block"
        pointers = self.round_pointers
        if not pointers.size or pointers[0] != 0 or pointers[-1] != self.jobs or (np.diff(pointers) < 0).any():
            raise ParameterError(f"{where}: round_pointers do not divide {self.jobs} jobs into rounds.")
        lowest, highest = _extremes(np.ascontiguousarray(self.copy, dtype=np.int64))
        if lowest < EARLIEST or highest >= copies:
            raise ParameterError(f"{where}: a job names a copy outside 0 to {copies - 1}, and it is not EARLIEST.")
        per_job: dict[str, NDArray[np.int64] | Times] = {"copy": self.copy, "useful_ticks": self.useful_ticks, **self.actions}
        per_round: dict[str, NDArray[np.int64] | Times | None] = {"gaps": self.gaps, "need": self.need, **self.round_actions}
        sized = [(name, array, self.jobs) for name, array in per_job.items()]
        sized += [(name, array, self.rounds) for name, array in per_round.items() if array is not None]
        for name, array, size in sized:
            if array.shape != (size,):
                raise ParameterError(f"{where}: {name} has shape {array.shape}, expected ({size},).")
        if not _in_order(*(np.ascontiguousarray(one, dtype=np.int64) for one in (self.useful_ticks, self.ticks))):
            raise ParameterError(f"{where}: a job has negative ticks, or more useful ticks than ticks.")
        if self.gaps is not None and (self.gaps < 0).any():
            raise ParameterError(f"{where}: a gap is negative, expected ticks to pass forwards.")


@frozen
class Lockstep(_Jobs):
    """Rounds in each of which the same copies have one job each, lane by lane.

    Attributes
    ----------
    copies
        int64 (lanes,): the unit copies, in rising order; round k has the jobs from ``k * lanes`` on, one for each.
    rounds
        How many rounds there are.
    lane_ticks
        int64 (lanes, rounds): service ticks; or (lanes, 1) if they are the same in every round.
    useful_ticks
        Of the jobs in that order; counts that are known in total need not be made for each job.
    actions, round_actions
        Counts, of each job in that order or of each round, and which actions are done how many times as often.
    gaps, events, shares
        As in `Block`.
    """

    copies: NDArray[np.int64]
    rounds: int
    lane_ticks: NDArray[np.int64]
    useful_ticks: Times
    actions: Multiples = ()
    round_actions: Multiples = ()
    gaps: NDArray[np.int64] | None = None
    events: Callable[[], Events] | None = None
    shares: Callable[[], Shares] | None = None

    @property
    def jobs(self) -> int:
        """Count the jobs of all rounds."""
        return self.rounds * self.copies.size

    @property
    def useful_total(self) -> int:
        """Add the useful ticks of all jobs up."""
        return self.useful_ticks.total

    @lazy
    def block(self) -> Block:
        """Tell it job by job."""
        every = np.broadcast_to(self.lane_ticks, (self.copies.size, self.rounds))
        return Block(
            round_pointers=np.arange(self.rounds + 1) * self.copies.size,
            copy=np.tile(self.copies, self.rounds),
            ticks=every.T.reshape(-1),
            useful_ticks=self.useful_ticks.counts,
            actions=_by_action(self.actions),
            round_actions=_by_action(self.round_actions),
            gaps=self.gaps,
            events=self.events,
            shares=self.shares,
        )

    def book(self, ledger: Ledger) -> None:
        """Book the actions of all rounds, and of all jobs once each."""
        for counts, factors in (*self.actions, *self.round_actions):
            ledger.book_multiples(counts.total, factors)

    def check(self, copies: int) -> None:
        """Raise ParameterError unless ticks fit, none is negative and copies exist; what is made by job is not looked at."""
        where = "hwmodel.Lockstep"
        if self.lane_ticks.shape not in ((self.copies.size, self.rounds), (self.copies.size, 1)):
            raise ParameterError(
                f"{where}: lane_ticks has shape {self.lane_ticks.shape}, expected ({self.copies.size}, {self.rounds}) or one "
                "column for all rounds."
            )
        if not _rise(self.copies, copies):
            raise ParameterError(f"{where}: copies is {self.copies.tolist()}, expected some of 0 to {copies - 1}, rising.")
        if self.gaps is not None and (self.gaps.shape != (self.rounds,) or (self.gaps < 0).any()):
            raise ParameterError(f"{where}: gaps has shape {self.gaps.shape} or a negative number, expected ({self.rounds},).")
        if _any_negative(self.lane_ticks):
            raise ParameterError(f"{where}: a job has negative ticks, expected time to pass forwards.")


Rounds = Block | Lockstep


@dataclass(frozen=True)
class Unit:
    """A part of a machine that can be busy, with its number of copies."""

    name: str
    copies: int

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise ParameterError(f"hwmodel.Unit {self.name!r}: {self.copies} copies, expected at least 1.")


@frozen
class Stage:
    """Units that work on the same rounds; stages of a plan stand in series.

    Attributes
    ----------
    unit
        The unit whose copies do the jobs.
    rounds
        Makes the rounds from the first on, some at a time; called once for each run.
    depth
        How many rounds may be in flight: 1 is a barrier, more is a broadcast into queues of that depth.
    first_issue
        The tick before which round 0 is not issued.
    latency
        Ticks from a round's issue until its jobs can start.
    release
        Ticks before the slot of a finished round can be used again.
    hop
        Ticks from the end of the stage before to this one.
    slots
        How many rounds may wait between the stage before and this one; None for any number.
    earliest
        Whether jobs may take the earliest copy instead of naming one.
    """

    unit: Unit
    rounds: Callable[[], Iterable[Rounds]]
    depth: int = 1
    first_issue: int = 0
    latency: int = 0
    release: int = 0
    hop: int = 0
    slots: int | None = None
    earliest: bool = False

    def __post_init__(self) -> None:
        numbers = ("depth", 1), ("first_issue", 0), ("latency", 0), ("release", 0), ("hop", 0)
        for name, least in numbers if min(self.depth - 1, self.first_issue, self.latency, self.release, self.hop) < 0 else ():
            if getattr(self, name) < least:
                raise ParameterError(f"hwmodel.Stage: {name} is {getattr(self, name)}, expected at least {least}.")
        if self.slots is not None and self.slots < 1:
            raise ParameterError(f"hwmodel.Stage: slots is {self.slots}, expected at least 1 or None for no limit.")

    def blocks(self) -> Iterator[Block]:
        """Make the rounds job by job, for those who play them."""
        for rounds in self.rounds():
            yield rounds.block


@frozen
class Plan:
    """The stages of a task on a machine, and the ticks that pass after the last job."""

    stages: tuple[Stage, ...]
    drain: int = 0

    def __post_init__(self) -> None:
        if self.drain < 0 or not self.stages:
            raise ParameterError("hwmodel.Plan: expected at least one stage and a drain that is not negative.")

    @property
    def copies(self) -> int:
        """Count the unit copies of all stages."""
        return sum(stage.unit.copies for stage in self.stages)

    def blocks(self) -> Iterator[Block]:
        """Yield every block of every stage, for those who count and do not play."""
        for stage in self.stages:
            yield from stage.blocks()


@compiled
def _add_halves(counts: NDArray[np.int64]) -> tuple[int, int]:
    """Add the lower and the upper 32 bits up apart, which cannot wrap for fewer than 2**31 counts."""
    low = high = 0
    for one in range(counts.size):
        low += counts[one] & 0xFFFFFFFF
        high += counts[one] >> 32
    return low, high


@compiled
def _extremes(numbers: NDArray[np.int64]) -> tuple[int, int]:
    """Return the lowest and the highest number, or -1 and -1 if there are none higher or lower."""
    lowest = highest = -1
    for one in range(numbers.size):
        lowest, highest = min(lowest, numbers[one]), max(highest, numbers[one])
    return lowest, highest


@compiled
def _in_order(lower: NDArray[np.int64], upper: NDArray[np.int64]) -> bool:
    """Tell whether 0 <= lower <= upper everywhere."""
    ordered = True
    for one in range(lower.size):
        ordered &= 0 <= lower[one] <= upper[one]
    return ordered


@compiled
def _rise(copies: NDArray[np.int64], stop: int) -> bool:
    """Tell whether copies rise from one to the next, within 0 and ``stop``."""
    before = -1
    for one in copies:
        if one <= before or one >= stop:
            return False
        before = one
    return True


@compiled
def _any_negative(ticks: NDArray[np.int64]) -> bool:
    every = np.int64(0)
    for lane in range(ticks.shape[0]):
        for one in range(ticks.shape[1]):
            every |= ticks[lane, one]
    return bool(every < 0)
