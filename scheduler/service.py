"""What a chip's service of one task takes: its ticks, and the energy that it draws while they pass.

At bulk speed the law of time gives the ticks, and the energy is spread evenly over them. Job by job the event engine plays the
task, and each job draws its own energy while it is served. Nothing of this touches the environment of the chip, which is shown
the task's end alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwmodel.ledger import Ledger
from hwmodel.plan import Plan, Times
from hwmodel.products import Products
from hwmodel.task import Task
from scheduler.engines import plan_of, run
from scheduler.faults import Fault, play_with_faults
from scheduler.job import Step
from scheduler.outcome import Outcome
from scheduler.power import PowerTimeline, Prices, quanta
from scheduler.trace import StageLog, Trace

if TYPE_CHECKING:
    from scheduler.dispatch import BlockWork

Draw = tuple[int, int, int]  # a tick, the level from it on in quanta a tick, an impulse at it in quanta


@dataclass(frozen=True, eq=False)
class Service:
    """One task served.

    Attributes
    ----------
    outcome
        What it gave; None if no unit was left to do it.
    reason
        Why there is no outcome.
    ticks
        How long it took, or until it was clear that it cannot be done.
    dynamic, offchip
        Energy, in quanta.
    draws
        Over its ticks, when which dynamic power was drawn; None if evenly.
    """

    outcome: Outcome | None
    reason: str
    ticks: int
    dynamic: int
    offchip: int
    draws: Sequence[Draw] | None

    def book(self, timeline: PowerTimeline, start: int, since: int, drawn: tuple[int, int]) -> None:
        """Write what it draws behind a tick into a timeline, if so much was drawn before (dynamic, off-chip)."""
        stop = start + self.ticks
        if self.draws is None:
            timeline.dynamic.add(since, stop, self.dynamic - drawn[0])
        else:
            _book_draws(timeline, self.draws, start, since, self.dynamic - drawn[0])
        if self.offchip or drawn[1]:
            timeline.offchip.add(since, stop, self.offchip - drawn[1])


def _book_draws(timeline: PowerTimeline, draws: Sequence[Draw], start: int, since: int, left: int) -> None:
    """Write the draws behind a tick, and at the tick itself what else is left."""
    level_at = max((draw for draw in draws if start + draw[0] <= since), default=(0, 0, 0))[1]
    behind = [(start + tick, level, impulse) for tick, level, impulse in draws if start + tick > since]
    last, level, to_come = since, level_at, 0
    for tick, next_level, impulse in behind:
        to_come += level * (tick - last) + impulse
        last, level = tick, next_level
    timeline.dynamic.step(since, level_at, left - to_come)
    for draw in behind:
        timeline.dynamic.step(*draw)


def serve(prices: Prices, step: Step, by_jobs: bool, faults: Sequence[Fault]) -> Service:
    """Work out the service of a task.

    Parameters
    ----------
    prices
        Of the machine that does it.
    step
        The task.
    by_jobs
        Whether to play every job, even if no unit fails.
    faults
        In ticks after the begin of the task.
    """
    offchip = quanta(step.offchip_pj)
    if not by_jobs:
        outcome = run(prices.machine, step.task, "bulk", step.values, step.integers)
        ticks = max(outcome.ticks, step.least_ticks)
        if not any(fault.at < ticks for fault in faults):
            return Service(outcome, "", ticks, prices.dynamic(outcome.ledger), offchip, None)
    trace = PowerTrace(prices)
    played = play_with_faults(*_played(prices, step), faults, trace)
    if played.outcome is None:
        return Service(None, played.reason, played.ticks, trace.energy, offchip, None)
    ticks = max(played.ticks, step.least_ticks)
    draws = trace.draws() if by_jobs else None
    return Service(played.outcome, "", ticks, prices.dynamic(played.outcome.ledger), offchip, draws)


def _played(prices: Prices, step: Step) -> tuple[Plan, Products | None]:
    plan = plan_of(prices.machine, step.task)
    if not isinstance(step.task, Task):
        return plan, None
    with_values = step.values == "events" and Products.possible(step.task)
    return plan, Products(step.task, with_values, step.integers) if with_values or step.integers else None


class PowerTrace(Trace):
    """A trace that keeps what jobs draw, and not the jobs."""

    def __init__(self, prices: Prices) -> None:
        super().__init__(jobs=True)
        self.prices = prices
        self.energy = 0
        self._levels: defaultdict[int, int] = defaultdict(int)  # by how much the level changes at a tick
        self._impulses: defaultdict[int, int] = defaultdict(int)

    def log(self, first_copy: int, started: int) -> StageLog:
        """Return where the blocks of a stage are booked."""
        return PowerLog(self)

    def draw(self, start: int, stop: int, energy: int) -> None:
        """Spread an energy over a span; what does not divide by its ticks comes at its end."""
        self.energy += energy
        if start == stop:
            self._impulses[start] += energy
            return
        level, rest = divmod(energy, stop - start)
        self._levels[start] += level
        self._levels[stop] -= level
        self._impulses[stop] += rest

    def draws(self) -> list[Draw]:
        """List the levels and impulses of everything drawn, by tick."""
        level, draws = 0, []
        for tick in sorted(self._levels.keys() | self._impulses.keys()):
            level += self._levels.get(tick, 0)
            draws.append((tick, level, self._impulses.get(tick, 0)))
        return draws


class PowerLog(StageLog):
    """Prices the jobs of one stage as the event engine retires them."""

    def __init__(self, trace: PowerTrace) -> None:
        self._trace = trace

    def book(self, work: "BlockWork", latency: int) -> None:
        """Let every job of a block draw its energy while it is served, and every round its own when it is issued."""
        block, price = work.block, self._trace.prices.of
        energies, of_rounds = [0] * block.jobs, [0] * block.rounds
        for actions, energy in ((block.actions, energies), (block.round_actions, of_rounds)):
            for action, counts in actions.items():
                pj = price(action)
                for one, count in enumerate((counts.counts if isinstance(counts, Times) else counts).tolist()):
                    energy[one] += count * pj
        for job, end in zip(work.served, work.ends, strict=True):
            self._trace.draw(end - work.ticks[job], end, energies[job])
        for issued, energy_of_round in zip(work.issued, of_rounds, strict=False):  # a block that was lost has more rounds
            self._trace.draw(issued, issued, energy_of_round)

    def book_lost(self, lost: Ledger, start: int, stop: int) -> None:
        """Let an attempt that was lost draw what it did."""
        self._trace.draw(start, stop, self._trace.prices.dynamic(lost))
