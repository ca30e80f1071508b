"""Stress the ready queue, the dispatcher, lanes and whole plans: seeded steps, ``check()`` after every one, an oracle at the end.

    python tests/scheduler/stress.py                       all five, on 200 seeds
    python tests/scheduler/stress.py plan --seed 7         one of them on one seed, every step printed
    python tests/scheduler/stress.py plan --seed 7 --steps 31    the same up to a step
    python tests/scheduler/stress.py plan --seed 7 --fault drop  with something broken on the way, to see it noticed

A failure prints the command that has it again.
"""

import argparse
import sys
import traceback
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from random import Random
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from plans import Law, begun, random_plan

import scheduler.engine
from scheduler import ReadyQueue
from scheduler.dispatch import Dispatcher, StageRun
from scheduler.faults import Fault, FaultyStage, NoUnitLeftError
from scheduler.lane import Bell, Job, Lane
from scheduler.ticks import TickEnvironment

Steps = Iterator[str]  # does a step at a time, and tells what it has done


def queue(rng: Random, fault: str | None = None) -> Steps:
    """Push, pop and remove, beside a plain sorted list."""
    ready: ReadyQueue[str] = ReadyQueue()
    plain: list[tuple[int, int, int, str]] = []
    for step in range(400):
        choice = rng.random()
        if choice < 0.5 or not plain:
            tick, priority, item = rng.randint(0, 9), rng.randint(-2, 2), f"item {step}"
            ready.push(tick, priority, item)
            plain.append((tick, priority, step, item))
            plain.sort()
            done = f"push {item!r} at {tick} with priority {priority}"
        elif choice < 0.7:
            done = f"pop {plain[0][3]!r}"
            assert ready.pop() == plain.pop(0)[3]
        elif choice < 0.9:
            tick = rng.randint(0, 9)
            due = plain.pop(0)[3] if plain[0][0] <= tick else None
            done = f"pop what is due at {tick}: {due!r}"
            assert ready.pop_due(tick) == due
        else:
            item = plain.pop(rng.randrange(len(plain)))[3]
            ready.remove(item)
            done = f"remove {item!r}"
        ready.check()
        assert ready.items() == [entry[3] for entry in plain]
        assert len(ready) == len(plain)
        assert ready.first_tick == (plain[0][0] if plain else None)
        yield done


class Offered:
    """Stand in for a stage: notes when it is issued, and may offer others then."""

    def __init__(self, env: TickEnvironment, number: int, log: list[tuple[int, int]], then: Callable[[], None]) -> None:
        self.env, self.number, self.log, self.then = env, number, log, then

    def issue(self) -> None:
        self.log.append((self.env.now, self.number))
        self.then()


def dispatcher(rng: Random, fault: str | None = None) -> Steps:
    """Offer rounds for now and for later, some of them while others are issued; each must come, at its tick and in order."""
    env, log, offered = TickEnvironment(), [], []
    dispatcher = Dispatcher(env)

    def offer() -> None:
        tick = max(0, env.now + rng.choice([-2, 0, 0, 1, 2, 5]))
        number = rng.randint(0, 3)
        offered.append((max(tick, env.now), number))
        others = rng.choice([0, 0, 0, 1, 2]) if len(offered) < 200 else 0
        dispatcher.offer(tick, Offered(env, number, log, lambda: [offer() for _ in range(others)]))

    def offering_process() -> Iterator[object]:
        for _ in range(rng.randint(1, 60)):
            offer()
            yield env.timeout(rng.choice([0, 0, 1, 3]))

    env.process(offering_process())
    while env.peek() != float("inf"):
        env.step()
        dispatcher.check()
        yield f"tick {env.now}: {len(offered)} offered, {len(log)} issued"
    assert [tick for tick, _ in log] == sorted(tick for tick, _ in offered)
    assert sorted(log) == sorted(offered)
    assert not dispatcher.ready


class Given:
    """Stand in for a round that is all there is of a lane's work: notes when its jobs end."""

    def __init__(self, env: TickEnvironment, number: int, copies: list[int]) -> None:
        self.env, self.number, self.copies = env, number, copies
        self.work, self.served, self.ends, self.to_start = self, [], {}, 0

    def finish(self, job: int) -> None:
        assert job not in self.ends
        self.ends[job] = self.env.now


def lanes(rng: Random, fault: str | None = None) -> Steps:
    """Give jobs to lanes that sleep on one bell; each must begin when it is there and the job before it has ended."""
    env = TickEnvironment(rng.choice([0, 5]))
    bell, start, busy = Bell(env), env.now, 0
    several = [Lane(env, index, bell, None) for index in range(rng.randint(1, 4))]
    given: list[tuple[int, Given, list[Job]]] = []  # tick, round, its jobs

    def giving_process() -> Iterator[object]:
        for number in range(rng.randint(1, 20)):
            chosen = [lane for lane in several if rng.random() < 0.6]
            round_ = Given(env, number, [lane.index for lane in chosen])
            jobs = [(job, rng.choice([0, 1, 1, 2, 7]), round_) for job in range(len(chosen))]
            given.append((env.now, round_, jobs))
            for lane, job in zip(chosen, jobs, strict=True):
                lane.inbox.append(job)
            bell.ring()
            yield env.timeout(rng.choice([0, 1, 2, 9]))
        for lane in several:
            lane.closed = True
        bell.ring()

    for lane in several:
        lane.begin()
    env.process(giving_process())
    while env.peek() != float("inf"):
        env.step()
        for lane in several:
            lane.check()
        yield f"tick {env.now}: {[('serving' if lane.serving else 'waiting', len(lane.inbox)) for lane in several]}"
    free = [start] * len(several)
    for tick, round_, jobs in given:
        for job, ticks, _ in jobs:
            lane = round_.copies[job]
            free[lane] = max(free[lane], tick) + ticks
            busy += ticks
            assert round_.ends[job] == free[lane]
    assert sum(lane.busy_ticks for lane in several) == busy
    assert sum(lane.jobs for lane in several) == sum(len(jobs) for _, _, jobs in given)
    assert not any(lane.inbox for lane in several)


def plan(rng: Random, fault: str | None = None) -> Steps:
    """Play a random plan with every parameter of the law, one SimPy event at a time, beside the recurrence."""
    made = random_plan(rng)
    env, stages = TickEnvironment(rng.choice([0, 0, 40])), []

    class NotedStage(StageRun):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            stages.append(self)

    start = env.now
    with patch.object(scheduler.engine, "StageRun", NotedStage):
        process, finishes = begun(env, made)
        yield f"{made}"
        while env.peek() != float("inf"):
            env.step()
            done = f"tick {env.now}: {[(stage.issued, stage.finished, len(stage.lanes)) for stage in stages]}"
            if fault is not None and stages and rng.random() < 0.3 and FAULTS[fault](rng, stages):
                done, fault = f"{done}, {fault.upper()}", None
                yield done
            for stage in stages:
                stage.check()
            yield done
    outcome, law = process.value, Law(made)
    outcome.check()
    assert outcome.ticks == law.ticks
    assert outcome.busy_ticks.tolist() == law.busy_ticks
    assert [ticks > 0 for ticks in outcome.idle_ticks] == [not worked and outcome.ticks > 0 for worked in law.worked]
    assert finishes() == [[start + tick for tick in of_stage] for of_stage in law.finishes]
    assert outcome.jobs == sum(len(round_) for stage in made.stages for round_ in stage.rounds)
    counts = outcome.ledger.as_dict()
    assert counts.get("job.count", 0) == outcome.jobs
    assert counts.get("job.tick", 0) == sum(law.busy_ticks)
    assert counts.get("round.count", 0) == sum(len(stage.rounds) for stage in made.stages)
    for stage, plain in zip(stages, made.stages, strict=True):
        assert stage.ended
        assert stage.issued == stage.finished == len(plain.rounds)
        assert not any(lane.inbox or lane.parked for lane in stage.lanes)
        assert not stage.dispatcher.ready


def failing(rng: Random, fault: str | None = None) -> Steps:
    """Play a random plan while copies fail and recover; no job may be lost or done twice, up to the last one that can be done."""
    made = random_plan(rng)
    env, stages = TickEnvironment(), []
    units = [(stage.unit.name, copy) for stage in made.plan().stages for copy in range(stage.unit.copies)]
    faults = []
    for unit, copy in units * 2:
        if rng.random() < 0.4:
            begin = rng.randint(0, 15)
            faults.append(Fault(unit, copy, begin, begin + rng.randint(1, 15) if rng.random() < 0.8 else None))

    def stage_of(*arguments) -> FaultyStage:
        stages.append(FaultyStage(*arguments, faults=faults))
        return stages[-1]

    process, finishes = begun(env, made, stage_of)
    yield f"{made}, {faults}"
    lost = ""
    while not lost and process.callbacks is not None:
        try:
            env.step()
        except NoUnitLeftError as error:
            lost = str(error)
        for stage in stages:
            stage.check()
        yield f"tick {env.now}: {[(stage.issued, stage.finished, stage._down) for stage in stages]} {lost}"
    done = [[tick for tick in of_stage if tick is not None] for of_stage in finishes()]
    if lost:
        assert any(all(stage._down) and stage._waiting() for stage in stages)
        assert not any(fault.until is not None and fault.until > env.now for fault in faults if fault.unit in lost)
        assert sum(len(of_stage) for of_stage in done) < sum(len(round_) for stage in made.stages for round_ in stage.rounds)
        return
    process.value.check()
    assert [len(of_stage) for of_stage in done] == [sum(map(len, stage.rounds)) for stage in made.stages]
    for stage in stages:
        for faulty in stage._faults:  # a lane at work then was interrupted: it served no tick while it was down
            stage_lane = stage.lanes[faulty.copy]
            down = max(0, min(env.now, faulty.until or env.now) - faulty.at)
            assert stage_lane.busy_ticks <= env.now - down


STRESSES = {stress.__name__: stress for stress in (queue, dispatcher, lanes, plan, failing)}


# What may break in a plan that is played. Each is done to a stage in which it can be, and tells whether there was one.


def _inboxes(stages: list[StageRun], jobs: int = 1) -> list[Lane]:
    return [lane for stage in stages for lane in stage.lanes if len(lane.inbox) >= jobs]


def drop(rng: Random, stages: list[StageRun]) -> bool:
    """Lose a job out of a lane's inbox."""
    for lane in (found := _inboxes(stages))[:1]:
        del lane.inbox[rng.randrange(len(lane.inbox))]
    return bool(found)


def double(rng: Random, stages: list[StageRun]) -> bool:
    """Put a job into a lane's inbox twice."""
    for lane in (found := _inboxes(stages))[:1]:
        lane.inbox.append(lane.inbox[-1])
    return bool(found)


def replace(rng: Random, stages: list[StageRun]) -> bool:
    """Put a job into a lane's inbox a second time, in the place of another."""
    for lane in (found := _inboxes(stages, jobs=2))[:1]:
        lane.inbox[-1] = lane.inbox[0]
    return bool(found)


def misdirect(rng: Random, stages: list[StageRun]) -> bool:
    """Give a job to another copy than the one it names."""
    found = [(stage, lane) for stage in stages for lane in stage.lanes if lane.inbox and len(stage.lanes) > 1]
    for stage, lane in found[:1]:
        stage.lanes[lane.index - 1].inbox.append(lane.inbox.pop())
    return bool(found)


def reorder(rng: Random, stages: list[StageRun]) -> bool:
    """Let a later round's job pass an earlier one's."""
    for lane in (found := _inboxes(stages, jobs=2))[:1]:
        lane.inbox.rotate(1)
    return bool(found)


def sleep(rng: Random, stages: list[StageRun]) -> bool:
    """Give a job to a sleeping lane without ringing the bell."""
    found = [lane for stage in stages for lane in stage.lanes if lane.asleep]
    rounds = [round_ for stage in stages for round_ in stage._in_flight if round_.left]
    if found and rounds:
        found[0].inbox.append((0, 1, rounds[0]))
    return bool(found and rounds)


def overbook(rng: Random, stages: list[StageRun]) -> bool:
    """Book a tick of waiting that did not pass."""
    found = [lane for stage in stages for lane in stage.lanes if lane._process is not None and lane._process.is_alive]
    for lane in found[:1]:
        lane.waited_ticks += 1 + lane.env.now
    return bool(found)


def finish_twice(rng: Random, stages: list[StageRun]) -> bool:
    """Count a job of a round as finished that is not."""
    found = [round_ for stage in stages for round_ in stage._in_flight if round_.left]
    for round_ in found[:1]:
        round_.left -= 1
    return bool(found)


def lose_round(rng: Random, stages: list[StageRun]) -> bool:
    """Lose a round out of the ready queue."""
    found = [stage for stage in stages if stage.dispatcher.ready]
    for stage in found[:1]:
        stage.dispatcher.ready.pop()
    return bool(found)


def overdue(rng: Random, stages: list[StageRun]) -> bool:
    """Leave a round in the ready queue beyond its tick."""
    found = [stage for stage in stages if stage.dispatcher.ready and stage.env.now]
    for stage in found[:1]:
        ready = stage.dispatcher.ready
        ready.push(-1, 0, ready.pop())
    return bool(found)


def free_twice(rng: Random, stages: list[StageRun]) -> bool:
    """Call a copy free that is at work."""
    found = [lane for stage in stages if stage.pool is not None for lane in stage.lanes if lane.serving]
    for lane in found[:1]:
        stage = next(stage for stage in stages if lane in stage.lanes)
        stage.pool.free.push(0, lane.index, lane)
    return bool(found)


def too_deep(rng: Random, stages: list[StageRun]) -> bool:
    """Have more rounds in flight than the depth allows."""
    found = [stage for stage in stages if stage._in_flight]
    for stage in found[:1]:
        object.__setattr__(stage.stage, "depth", len(stage._in_flight) - 1)
    return bool(found)


FAULTS = {
    one.__name__: one
    for one in (
        drop, double, replace, misdirect, reorder, sleep, overbook, finish_twice, lose_round, overdue, free_twice, too_deep,
    )
}  # fmt: skip


class StressError(AssertionError):
    """Something does not add up; says where, and how to have it again."""

    def __init__(self, step: int, sentence: str) -> None:
        super().__init__(sentence)
        self.step = step


def run(stress: str, seed: int, steps: int | None = None, fault: str | None = None, verbose: bool = False) -> int:
    """Do a stress's steps for a seed, up to ``steps`` of them; return how many there were.

    Raises
    ------
    StressError
        If a check or the comparison at the end fails, or if anything else is raised.
    """
    doing, last = STRESSES[stress](Random(f"{stress} {seed}"), fault), "nothing yet"
    for step in islice(count(1), steps):
        try:
            last = next(doing)
        except StopIteration:
            return step - 1
        except Exception as error:
            again = f"python tests/scheduler/stress.py {stress} --seed {seed} --steps {step}" + (
                f" --fault {fault}" if fault else ""
            )
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise StressError(step, f"step {step} raises {what}, after: {last}\nAgain: {again}") from error
        if verbose:
            print(f"{step:5}  {last}")
    return steps or 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stress", nargs="?", choices=STRESSES, help="which one; default: all")
    parser.add_argument("--seed", type=int, help="this seed only, every step printed")
    parser.add_argument("--seeds", type=int, default=200, help="without --seed: how many, from 0 on")
    parser.add_argument("--steps", type=int, help="end after so many")
    parser.add_argument("--fault", choices=FAULTS, help="break something on the way (plan only)")
    options = parser.parse_args(arguments)
    seeds = range(options.seeds) if options.seed is None else [options.seed]
    for stress in [options.stress] if options.stress else STRESSES:
        done = 0
        for seed in seeds:
            try:
                done += run(stress, seed, options.steps, options.fault, verbose=options.seed is not None)
            except StressError as noticed:
                traceback.print_exception(noticed.__cause__)
                print(noticed)
                return 1
        print(f"{stress}: {done:,} steps on {len(seeds)} seeds, all of which add up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
