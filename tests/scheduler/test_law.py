"""The bulk engine against the event engine and against the recurrence, on generated plans with every parameter of the law."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scheduler
from hwmodel import EARLIEST, Block, CountError, Counts, Lockstep, ParameterError, Plan, Stage, Unit
from scheduler.law import solve

generated = settings(max_examples=1000, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large])
LARGEST = np.iinfo(np.int64).max


def one_copy(*ticks):
    """Make rounds of one job each, on copy 0."""
    return [[(0, one)] for one in ticks]


def assert_equal(bulk, event) -> None:
    """Every number of two outcomes is the same."""
    assert bulk.ticks == event.ticks
    assert bulk.busy_ticks.tolist() == event.busy_ticks.tolist()
    assert bulk.stall_ticks.tolist() == event.stall_ticks.tolist()
    assert bulk.idle_ticks.tolist() == event.idle_ticks.tolist()
    assert bulk.useful_ticks == event.useful_ticks
    assert bulk.jobs == event.jobs
    assert bulk.ledger == event.ledger
    assert bulk.units == event.units
    bulk.check()
    event.check()


@generated
@given(rng=st.randoms(use_true_random=False))
def test_both_engines_and_the_recurrence_agree_on_any_plan(random_plan, law, rng):
    plan = random_plan(rng)
    bulk, expected = solve(plan.plan()), law(plan)
    assert_equal(bulk, scheduler.play(plan.plan()))
    assert bulk.ticks == expected.ticks
    assert bulk.busy_ticks.tolist() == expected.busy_ticks
    assert [ticks > 0 for ticks in bulk.idle_ticks] == [not worked and bulk.ticks > 0 for worked in expected.worked]


@generated
@given(rng=st.randoms(use_true_random=False), cuts=st.lists(st.integers(0, 8), max_size=4))
def test_how_rounds_are_cut_into_blocks_changes_nothing(random_plan, rng, cuts):
    plan = random_plan(rng)
    recut = [type(one)(**vars(one) | {"cuts": tuple(sorted(min(cut, len(one.rounds)) for cut in cuts))}) for one in plan.stages]
    assert_equal(solve(type(plan)(recut, plan.drain).plan()), solve(plan.plan()))


@pytest.mark.parametrize("depth", [1, 2, 5, 10**30])
@pytest.mark.parametrize("slots", [None, 1, 3, 10**30])
def test_thousands_of_rounds_in_two_stages_keep_to_the_law(stage, plain_plan, law, depth, slots):
    """What nobody will ask for again is forgotten on the way, and what somebody may ask for is not."""
    rounds = [[(0, number * 7 % 4), (1, number * 5 % 3)] if number % 11 else [] for number in range(1, 2500)]
    behind = [[(EARLIEST, number * 3 % 5)] * (number % 3) for number in range(2499)]
    gaps = [number % 2 for number in range(2499)]
    need = [number if number % 7 else max(-1, number - 1500) for number in range(2499)]
    first = stage(rounds, copies=2, depth=depth, release=1, gaps=gaps, cuts=(7, 7, 8, 1000, 1001))
    second = stage(behind, copies=3, depth=depth, hop=2, need=need, slots=slots, earliest=True, cuts=(500, 1700))
    plan = plain_plan([first, second], drain=3)
    bulk = solve(plan.plan())
    assert_equal(bulk, scheduler.play(plan.plan()))
    if depth < 10**30:
        assert bulk.ticks == law(plan).ticks


def lockstep(random, copies: int) -> Lockstep:
    """Make rounds in which some of the copies have a job each."""
    rounds, lanes = random.randrange(6), sorted(random.sample(range(copies), random.randint(0, copies)))
    columns = random.choice([1, rounds])
    ticks = np.array([[random.randrange(5) for _ in range(columns)] for _ in lanes], dtype=np.int64).reshape(
        len(lanes), columns
    )
    every = Counts(lambda: np.broadcast_to(ticks, (len(lanes), rounds)).T.reshape(-1))
    return Lockstep(
        copies=np.array(lanes, dtype=np.int64),
        rounds=rounds,
        lane_ticks=ticks,
        useful_ticks=every.times(1),
        actions=[(Counts.ones(rounds * len(lanes)), {"job.count": 2, "job.one": 1}), (every, {"job.tick": 1})],
        round_actions=[(Counts.ones(rounds), {"round.count": 3})],
        gaps=np.array([random.randrange(9) for _ in range(rounds)], dtype=np.int64) if random.random() < 0.3 else None,
    )


@generated
@given(random=st.randoms(use_true_random=False))
def test_lanes_in_lockstep_take_what_the_same_jobs_take_one_by_one(random):
    """Between ragged blocks, at any depth, and when the same copies had no job before."""
    copies = random.randint(1, 4)
    some = [lockstep(random, copies) for _ in range(random.randint(1, 4))]
    mixed = [one.block if random.random() < 0.3 else one for one in some]
    parameters = {"first_issue": random.randrange(4), "latency": random.randrange(3), "release": random.randrange(3)}
    depth, unit = random.choice([1, 1, 1, 3]), Unit("lane", copies)

    def plan(rounds) -> Plan:
        return Plan((Stage(unit, lambda: rounds, depth=depth, **parameters),), drain=random.choice([0, 2]))

    inlined = plan(mixed)
    flat = replace(plan([one.block for one in some]), drain=inlined.drain)
    assert_equal(solve(inlined), solve(flat))
    assert_equal(solve(inlined), scheduler.play(inlined))


def test_lockstep_that_may_not_fit_64_bits_is_looked_at_job_by_job():
    ticks = np.array([[LARGEST // 2]])
    rounds = Lockstep(np.array([0]), 2, ticks, Counts(np.array([0, 0])).times(1))
    assert solve(Plan((Stage(Unit("lane", 1), lambda: [rounds]),))).ticks == LARGEST - 1
    with pytest.raises(CountError):
        solve(Plan((Stage(Unit("lane", 1), lambda: [rounds], release=2),)))


def test_blocks_are_made_only_when_the_one_before_is_used_up():
    made = []

    def blocks():
        for number in range(3):
            made.append(number)
            yield Block(np.array([0, 1]), np.array([0]), np.array([2]), np.array([1]))

    plan = Plan((Stage(Unit("lane", 1), blocks),))
    assert solve(plan).ticks == 6
    assert made == [0, 1, 2]
    assert solve(plan).ticks == 6  # a plan may be solved again


def test_copies_stall_between_their_jobs_and_idle_without_any(stage, plan_of):
    outcome = solve(plan_of(stage([[(0, 3), (1, 5)], [(0, 1)]], copies=3), drain=2))
    assert outcome.ticks == 8
    assert outcome.busy_ticks.tolist() == [4, 5, 0]
    assert outcome.stall_ticks.tolist() == [4, 3, 0]
    assert outcome.idle_ticks.tolist() == [0, 0, 8]


def test_arrays_of_any_integer_type_and_layout_are_taken():
    block = Block(
        round_pointers=np.array([0, 2, 4], dtype=np.int32),
        copy=np.array([0, 9, 1, 9, 0, 9, 1, 9])[::2],
        ticks=np.broadcast_to(3, 4),
        useful_ticks=np.zeros(4, dtype=np.uint8),
        gaps=np.array([0, 7], dtype=np.int16),
    )
    assert solve(Plan((Stage(Unit("lane", 2), lambda: [block]),))).ticks == 10


@pytest.mark.parametrize("play", [solve, scheduler.play])
@pytest.mark.parametrize(
    "broken",
    [
        lambda stage: [stage(one_copy(LARGEST, 1))],
        lambda stage: [stage(one_copy(1, 1), gaps=[0, LARGEST])],
        lambda stage: [stage(one_copy(1), first_issue=LARGEST)],
        lambda stage: [stage(one_copy(LARGEST - 1, 0), release=2)],
        lambda stage: [stage(one_copy(1, 1), latency=LARGEST)],
        lambda stage: [stage(one_copy(LARGEST)), stage(one_copy(0), hop=1)],
    ],
    ids=["ticks", "gaps", "first issue", "release", "latency", "hop"],
)
def test_a_tick_that_does_not_fit_64_bits_is_refused(stage, plan_of, play, broken):
    with pytest.raises(CountError) as error:
        play(plan_of(*broken(stage)))
    assert str(error.value) == ("scheduler.run: a task takes more than 2^63 ticks, expected fewer. Cut it into smaller ones.")


@pytest.mark.parametrize("play", [solve, scheduler.play])
def test_a_drain_counts_too(stage, plan_of, play):
    with pytest.raises(CountError):
        play(plan_of(stage(one_copy(LARGEST)), drain=1))
    assert play(plan_of(stage(one_copy(LARGEST - 1)), drain=1)).ticks == LARGEST


@pytest.mark.parametrize(
    "broken",
    [
        lambda stage: [stage([[(0, 1)], [(3, 1)]], copies=3)],
        lambda stage: [stage([[(EARLIEST, 1)]])],
        lambda stage: [stage(one_copy(5)), stage(one_copy(1, 1))],
        lambda stage: [stage(one_copy(5)), stage(one_copy(1, 1), need=[0, 1])],
        lambda stage: [stage([]), stage(one_copy(1, 1))],
        lambda stage: [stage(one_copy(1, 1, 1)), stage(one_copy(1), slots=1)],
        lambda stage: [stage(one_copy(1, 1, 1)), stage(one_copy(1, 1, 1), need=[2, 2, 2], slots=1)],
    ],
    ids=["copy", "undeclared", "missing", "needed", "nothing before", "slots of an ended stage", "slots"],
)
def test_both_engines_refuse_a_plan_in_the_same_words(stage, plan_of, broken):
    errors = []
    for play in (solve, scheduler.play):
        with pytest.raises(ParameterError) as error:
            play(plan_of(*broken(stage)))
        errors.append(str(error.value))
    assert errors[0] == errors[1]


IN_ANOTHER_PROCESS = """
import hashlib, numpy, hwmodel, scheduler
random = numpy.random.default_rng(7)
digest = hashlib.sha256()
for name in sorted(hwmodel.machines()):
    machine = hwmodel.load(name)
    values = random.standard_normal((20, 9, 9)) * (random.random((20, 9, 9)) < 0.5)
    task = hwmodel.Task.convolution(values, random.standard_normal((30, 20, 3, 3)), padding=1)
    if machine.cannot_map(task) is None:
        outcome = scheduler.run(machine, task, engine="bulk", integers=True)
        told = outcome.ticks, outcome.busy_ticks.tolist(), outcome.stall_ticks.tolist(), list(outcome.ledger.as_dict().items())
        digest.update(repr(told).encode() + outcome.outputs.tobytes() + outcome.products.integer_outputs.tobytes())
print(digest.hexdigest())
"""


def test_fresh_processes_with_other_hash_seeds_give_the_same_bits():
    root = str(Path(__file__).parents[2])
    digests = set()
    for seed in ("0", "1", "4711"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": root}
        digests.add(subprocess.check_output([sys.executable, "-c", IN_ANOTHER_PROCESS], env=environment, text=True))
    assert len(digests) == 1
