"""Random plans, and the law of time as a plain recurrence: the judge of the engines.

The recurrence is written from the design page and computes every time from the terms that give it, without an
environment, a queue or a process.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from random import Random

import numpy as np
from simpy.events import Process

from hwmodel import EARLIEST, Block, Plan, Stage, Unit
from scheduler import Outcome, play_process
from scheduler.dispatch import StageRun
from scheduler.ticks import TickEnvironment

Job = tuple[int, int]  # copy, ticks


@dataclass(frozen=True)
class PlainStage:
    """A stage as plain data; ``rounds`` lists the jobs of each round, and ``cuts`` where one block ends and one begins."""

    rounds: list[list[Job]]
    copies: int = 1
    depth: int = 1
    first_issue: int = 0
    latency: int = 0
    release: int = 0
    hop: int = 0
    slots: int | None = None
    earliest: bool = False
    gaps: list[int] | None = None
    need: list[int] | None = None
    cuts: tuple[int, ...] = ()

    def block(self, first: int, stop: int) -> Block:
        jobs = [job for round_ in self.rounds[first:stop] for job in round_]
        copy, ticks = np.array(jobs, dtype=np.int64).reshape(-1, 2).T
        sizes = [len(round_) for round_ in self.rounds[first:stop]]
        return Block(
            round_pointers=np.cumsum([0, *sizes]),
            copy=copy,
            ticks=ticks,
            useful_ticks=ticks // 2,
            actions={"job.count": np.ones_like(ticks), "job.tick": ticks},
            round_actions={"round.count": np.ones(stop - first, dtype=np.int64)},
            gaps=None if self.gaps is None else np.array(self.gaps[first:stop], dtype=np.int64),
            need=None if self.need is None else np.array(self.need[first:stop], dtype=np.int64),
        )

    def stage(self, name: str) -> Stage:
        edges = [0, *self.cuts, len(self.rounds)]
        return Stage(
            Unit(name, self.copies),
            lambda: (self.block(first, stop) for first, stop in pairwise(edges)),
            depth=self.depth,
            first_issue=self.first_issue,
            latency=self.latency,
            release=self.release,
            hop=self.hop,
            slots=self.slots,
            earliest=self.earliest,
        )


@dataclass(frozen=True)
class PlainPlan:
    """Stages in series, and the ticks that pass after the last job."""

    stages: list[PlainStage]
    drain: int = 0

    def plan(self) -> Plan:
        return Plan(tuple(stage.stage(f"unit {number}") for number, stage in enumerate(self.stages)), drain=self.drain)


@dataclass(frozen=True)
class Played:
    """What the jobs of a round did, and until when each copy has worked so far (None: it has not)."""

    copies: list[int]
    starts: list[int]
    finishes: list[int]
    worked_until: tuple[int | None, ...]

    @property
    def finish(self) -> int | None:
        """Give the maximum over the copies of finish[k, u]; None if no copy has worked."""
        return max((tick for tick in self.worked_until if tick is not None), default=None)


class Law:
    """Section 3 of the design page, term by term, for a `PlainPlan`.

    Two things that the page leaves open are read so: a round without jobs is not over before it is issued, neither for
    the stage behind it nor for the end of the run; and a copy that has not worked yet is free before every other.
    """

    def __init__(self, plan: PlainPlan) -> None:
        self.stages = plan.stages
        self.drain = plan.drain
        self._issues: dict[tuple[int, int], int] = {}
        self._played: dict[tuple[int, int], Played] = {}
        for number in range(max(len(stage.rounds) for stage in self.stages)):  # in order, so that recursion stays shallow
            for place, stage in enumerate(self.stages):
                if number < len(stage.rounds):
                    self.played(place, number)

    def issue(self, place: int, number: int) -> int:
        """Give the tick at which a round is issued."""
        if (place, number) not in self._issues:
            self._issues[place, number] = max(self._terms(place, number))
        return self._issues[place, number]

    def _terms(self, place: int, number: int) -> Iterator[int]:
        stage = self.stages[place]
        if number == 0:
            yield stage.first_issue
        else:
            yield self.issue(place, number - 1) + (stage.gaps[number] if stage.gaps else 0)
        if number >= stage.depth and (freed := self.played(place, number - stage.depth).finish) is not None:
            yield freed + stage.release
        if place > 0:
            needed = number if stage.need is None else stage.need[number]
            if needed >= 0:
                yield self.issue(place - 1, needed)
                if (ready := self.played(place - 1, needed).finish) is not None:
                    yield ready + stage.hop
        if place + 1 < len(self.stages):
            slots = self.stages[place + 1].slots
            if slots is not None and number >= slots:
                left = self.played(place + 1, number - slots)
                yield max(left.starts, default=self.issue(place + 1, number - slots))

    def played(self, place: int, number: int) -> Played:
        """Serve the jobs of a round, each on the copy it names or on the one that is free first."""
        if (place, number) not in self._played:
            self._played[place, number] = self._play(place, number)
        return self._played[place, number]

    def _play(self, place: int, number: int) -> Played:
        stage = self.stages[place]
        worked_until = list(self.played(place, number - 1).worked_until) if number else [None] * stage.copies
        arrival = self.issue(place, number) + stage.latency
        copies, starts, finishes = [], [], []
        for named, ticks in stage.rounds[number]:
            copy = named
            if named == EARLIEST:
                copy = min(range(stage.copies), key=lambda one: (-1 if (tick := worked_until[one]) is None else tick, one))
            start = max(arrival, worked_until[copy] or 0)
            worked_until[copy] = start + ticks
            copies.append(copy)
            starts.append(start)
            finishes.append(start + ticks)
        return Played(copies, starts, finishes, tuple(worked_until))

    def rounds(self, place: int) -> list[Played]:
        return [self.played(place, number) for number in range(len(self.stages[place].rounds))]

    @cached_property
    def finishes(self) -> list[list[int]]:
        """List, for each stage, when each of its jobs is finished."""
        return [[tick for round_ in self.rounds(place) for tick in round_.finishes] for place in range(len(self.stages))]

    @cached_property
    def ticks(self) -> int:
        """Give the makespan with the drain; a plan without jobs has nothing to drain."""
        last_issues = [self.issue(place, len(stage.rounds) - 1) for place, stage in enumerate(self.stages) if stage.rounds]
        last_finishes = [tick for finishes in self.finishes for tick in finishes]
        return max(last_issues + last_finishes, default=0) + (self.drain if last_finishes else 0)

    @cached_property
    def busy_ticks(self) -> list[int]:
        """List the ticks that each copy of each stage works."""
        busy = []
        for place, stage in enumerate(self.stages):
            served = [0] * stage.copies
            for round_ in self.rounds(place):
                for copy, start, finish in zip(round_.copies, round_.starts, round_.finishes, strict=True):
                    served[copy] += finish - start
            busy += served
        return busy

    @cached_property
    def worked(self) -> list[bool]:
        """Tell of each copy of each stage whether it had a job."""
        return [tick is not None for place in range(len(self.stages)) for tick in self._end(place)]

    def _end(self, place: int) -> tuple[int | None, ...]:
        rounds = self.rounds(place)
        return rounds[-1].worked_until if rounds else (None,) * self.stages[place].copies


def random_plan(rng: Random) -> PlainPlan:
    """Make a plan of one to three stages with every parameter of the law drawn."""
    stages: list[PlainStage] = []
    for _ in range(rng.randint(1, 3)):
        before = len(stages[-1].rounds) if stages else None
        rounds, need, slots = rng.randint(0, 8), None, None
        if before is not None:
            series = rng.choice(["same round", "any round", "slots"]) if before else "same round"
            if series == "any round":
                need = [rng.randint(-1, before - 1) for _ in range(rounds)]
            elif series == "slots":  # as many rounds as before, and none that waits for a later one, lest all wait for ever
                rounds, slots = before, rng.randint(1, 3)
                need = rng.choice([None, [rng.randint(-1, number) for number in range(rounds)]])
            else:
                rounds = min(rounds, before)
        copies, earliest = rng.randint(1, 3), rng.random() < 0.4
        stages.append(
            PlainStage(
                rounds=[_random_jobs(rng, copies, earliest) for _ in range(rounds)],
                copies=copies,
                depth=rng.randint(1, 3),
                first_issue=rng.choice([0, 0, 3]),
                latency=rng.choice([0, 0, 1, 2]),
                release=rng.choice([0, 0, 1, 2]),
                hop=rng.choice([0, 0, 1, 3]),
                slots=slots,
                earliest=earliest,
                gaps=rng.choice([None, [rng.choice([0, 0, 1, 5]) for _ in range(rounds)]]),
                need=need,
                cuts=tuple(sorted(rng.randint(0, rounds) for _ in range(rng.randint(0, 2)))),
            )
        )
    return PlainPlan(stages, drain=rng.choice([0, 0, 7]))


def _random_jobs(rng: Random, copies: int, earliest: bool) -> list[Job]:
    def ticks() -> int:
        return rng.choice([0, 1, 1, 2, 3, 7])

    if earliest:
        return [(rng.choice([EARLIEST, EARLIEST, *range(copies)]), ticks()) for _ in range(rng.randint(0, copies + 2))]
    return [(copy, ticks()) for copy in range(copies) if rng.random() < 0.7]


class FinishLog:
    """Stand in for a run's products and note when each job of each block is finished."""

    def __init__(self, env: TickEnvironment) -> None:
        self.env = env
        self.blocks: dict[Block, dict[int, int]] = {}

    def adder_of(self, block: Block) -> Callable[[int], None]:
        finishes = self.blocks.setdefault(block, {})

        def note(job: int) -> None:
            assert job not in finishes
            finishes[job] = self.env.now

        return note


Finishes = list[list[int | None]]  # of each job of each stage, None if it was not finished


def begun(
    env: TickEnvironment, plan: PlainPlan, stage_of: Callable[..., StageRun] | None = None
) -> tuple[Process, Callable[[], Finishes]]:
    """Begin to play a plan; return the process, and what tells when each job of each stage was finished."""
    log = FinishLog(env)
    made: list[list[Block]] = [[] for _ in plan.stages]
    stages = []
    for stage, blocks in zip(plan.plan().stages, made, strict=True):
        blocks += stage.blocks()
        stages.append(replace(stage, rounds=lambda blocks=blocks: blocks))
    process = env.process(play_process(env, Plan(tuple(stages), drain=plan.drain), log, stage_of=stage_of))

    def finishes() -> Finishes:
        return [[log.blocks.get(block, {}).get(job) for block in blocks for job in range(block.jobs)] for blocks in made]

    return process, finishes


def logged(plan: PlainPlan, start: int = 0) -> tuple[Outcome, Finishes]:
    """Play a plan from a tick on; return what came of it and when each job of each stage was finished."""
    env = TickEnvironment(start)
    process, finishes = begun(env, plan)
    env.run()
    return process.value, finishes()
