"""The event engine against the law of time: hand-computed plans first, then generated ones against the recurrence."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import scheduler
from hwmodel import EARLIEST, ParameterError, Plan, Stage, Unit
from scheduler.ticks import TickEnvironment

generated = settings(max_examples=400, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large])


def one_copy(*ticks):
    """Make rounds of one job each, on copy 0."""
    return [[(0, one)] for one in ticks]


def test_a_barrier_makes_every_round_as_long_as_its_slowest_copy(stage, finishes_of):
    two = stage([[(0, 3), (1, 5)], [(0, 4), (1, 2)]], copies=2)
    assert finishes_of(two) == [[3, 5, 9, 7]]


def test_a_depth_of_two_lets_a_copy_go_one_round_ahead(stage, finishes_of):
    """Copy 0 is in round 1 from tick 3 on; round 2 is issued when round 0 is finished everywhere, at 5."""
    two = stage([[(0, 3), (1, 5)], [(0, 1), (1, 1)], [(0, 1), (1, 1)]], copies=2, depth=2)
    assert finishes_of(two) == [[3, 5, 4, 6, 6, 7]]


def test_gaps_pass_between_the_issues_of_rounds(stage, finishes_of):
    assert finishes_of(stage(one_copy(1, 1, 1), depth=9, gaps=[100, 4, 2])) == [[1, 5, 7]]  # none before the first


def test_a_gap_and_the_work_before_pass_at_the_same_time(stage, finishes_of):
    assert finishes_of(stage(one_copy(6, 1), gaps=[0, 4])) == [[6, 7]]


def test_the_first_round_waits_for_the_first_issue(stage, finishes_of):
    assert finishes_of(stage(one_copy(2, 2), first_issue=5)) == [[7, 9]]


def test_jobs_start_a_latency_after_their_issue(stage, finishes_of):
    assert finishes_of(stage(one_copy(2, 2), latency=3)) == [[5, 10]]
    assert finishes_of(stage(one_copy(2, 2), latency=3, depth=2)) == [[5, 7]]


def test_a_slot_is_free_a_release_after_its_round_is_finished(stage, finishes_of):
    assert finishes_of(stage(one_copy(2, 2), release=3)) == [[2, 7]]
    assert finishes_of(stage(one_copy(2, 2, 2), release=3, depth=2)) == [[2, 4, 7]]


def test_the_drain_comes_after_the_last_job(stage, ticks_of):
    assert ticks_of(stage(one_copy(2, 2)), drain=7) == 11


def test_a_copy_without_a_job_takes_no_part_in_a_round(stage, finishes_of):
    """Depth 2: copy 1 has nothing in round 1, so its job of round 2 starts when that is issued, at tick 5."""
    two = stage([[(0, 5), (1, 1)], [(0, 9)], [(1, 1)]], copies=2, depth=2)
    assert finishes_of(two) == [[5, 1, 14, 6]]


def test_a_stage_waits_for_the_same_round_of_the_stage_before_and_a_hop(stage, finishes_of):
    assert finishes_of(stage(one_copy(3, 3)), stage(one_copy(1, 1), hop=2)) == [[3, 6], [6, 9]]


def test_a_round_waits_for_the_round_that_it_needs(stage, finishes_of):
    first = stage(one_copy(3, 3, 3))
    assert finishes_of(first, stage(one_copy(1, 1), need=[2, 0])) == [[3, 6, 9], [10, 11]]
    assert finishes_of(first, stage(one_copy(1, 1), need=[0, 2])) == [[3, 6, 9], [4, 10]]


def test_a_round_that_needs_none_of_the_stage_before_does_not_wait(stage, finishes_of):
    """Terms with a negative index are absent."""
    assert finishes_of(stage(one_copy(5, 5)), stage(one_copy(1, 1), need=[-1, 0])) == [[5, 10], [1, 6]]


def test_slots_hold_the_stage_before_back(stage, finishes_of):
    """With one slot a round is issued when the one before it has started in the stage behind, at 1, 11 and 21."""
    assert finishes_of(stage(one_copy(1, 1, 1)), stage(one_copy(10, 10, 10))) == [[1, 2, 3], [11, 21, 31]]
    assert finishes_of(stage(one_copy(1, 1, 1)), stage(one_copy(10, 10, 10), slots=1)) == [[1, 2, 12], [11, 21, 31]]


def test_a_slot_is_free_when_every_job_of_its_round_has_started(stage, finishes_of):
    """Copy 1 of the stage behind starts its share of round 1 at 9 only, and frees the slot then."""
    before = stage(one_copy(1, 1, 1, 1))
    behind = stage([[(1, 8)], [(0, 1), (1, 1)], [(0, 1)], [(0, 1)]], copies=2, depth=9, slots=1)
    assert finishes_of(before, behind) == [[1, 2, 10, 11], [9, 3, 10, 11, 12]]


def test_three_stages_pass_rounds_on_like_a_pipeline(stage, finishes_of):
    steps = finishes_of(stage(one_copy(2, 2, 2)), stage(one_copy(3, 3, 3)), stage(one_copy(1, 1, 1)))
    assert steps == [[2, 4, 6], [5, 8, 11], [6, 9, 12]]


def test_the_earliest_copy_takes_a_job(stage, finishes_of):
    any_copy = stage([[(EARLIEST, 4), (EARLIEST, 2), (EARLIEST, 3), (EARLIEST, 1)]], copies=2, earliest=True)
    assert finishes_of(any_copy) == [[4, 2, 5, 5]]


def test_a_job_of_no_ticks_finishes_when_it_starts(stage, finishes_of):
    assert finishes_of(stage(one_copy(0, 0, 3, 0), latency=1)) == [[1, 2, 6, 7]]


def test_a_round_without_jobs_takes_a_place_in_the_order_and_no_time(stage, finishes_of):
    assert finishes_of(stage([[(0, 3)], [], [(0, 1)]])) == [[3, 4]]
    assert finishes_of(stage([[(0, 3)], [], [(0, 1)]], gaps=[0, 4, 2])) == [[3, 7]]


def test_a_round_without_jobs_before_all_jobs_holds_no_slot(stage, finishes_of):
    """Nothing has finished, so there is nothing to release: finish[-1, u] is absent."""
    assert finishes_of(stage([[], [(0, 1)]], release=3)) == [[1]]
    assert finishes_of(stage([[], [(0, 1)]]), stage([[(0, 1)]], hop=3)) == [[1], [1]]


def test_a_round_without_jobs_is_not_over_before_it_is_issued(stage, finishes_of, ticks_of):
    """The page gives no finish to such a round; a stage behind it and the run's end wait for its issue."""
    assert finishes_of(stage([[(0, 1)], []], gaps=[0, 6]), stage(one_copy(1, 1))) == [[1], [2, 7]]
    assert ticks_of(stage([[(0, 1)], []], gaps=[0, 6])) == 6


def test_a_first_round_without_jobs_does_not_end_the_stage_behind_it(stage, finishes_of):
    assert finishes_of(stage([[], [(0, 2)]]), stage(one_copy(1, 1))) == [[2], [1, 3]]


def test_a_plan_without_jobs_takes_no_ticks_and_no_drain(stage, ticks_of):
    assert ticks_of(stage([]), drain=7) == 0
    assert ticks_of(stage([[], []]), drain=7) == 0
    assert ticks_of(stage([[], []]), stage([[]]), drain=7) == 0


def test_copies_stall_between_their_jobs_and_idle_without_any(stage, plan_of):
    outcome = scheduler.play(plan_of(stage([[(0, 3), (1, 5)], [(0, 1)]], copies=3), drain=2))
    assert outcome.ticks == 8
    assert outcome.busy_ticks.tolist() == [4, 5, 0]
    assert outcome.stall_ticks.tolist() == [4, 3, 0]
    assert outcome.idle_ticks.tolist() == [0, 0, 8]
    outcome.check()


def test_every_action_is_booked_as_often_as_its_job_and_its_round_were_done(stage, plan_of):
    outcome = scheduler.play(plan_of(stage([[(0, 3), (1, 5)], [], [(0, 1)]], copies=2, cuts=(0, 1, 1))))
    assert outcome.ledger.as_dict() == {"job.count": 3, "job.tick": 9, "round.count": 3}
    assert outcome.useful_ticks == 1 + 2 + 0
    assert outcome.jobs == 3
    assert outcome.units == (Unit("unit 0", 2),)
    assert outcome.products is None
    assert outcome.outputs is None


@generated
@given(rng=st.randoms(use_true_random=False))
def test_every_job_finishes_when_the_law_says(random_plan, law, logged, rng):
    plan = random_plan(rng)
    _, finishes = logged(plan)
    assert finishes == law(plan).finishes


@generated
@given(rng=st.randoms(use_true_random=False))
def test_ticks_and_the_time_of_every_copy_are_those_of_the_law(random_plan, law, rng):
    plan = random_plan(rng)
    outcome, expected = scheduler.play(plan.plan()), law(plan)
    assert outcome.ticks == expected.ticks
    assert outcome.busy_ticks.tolist() == expected.busy_ticks
    assert (outcome.busy_ticks + outcome.stall_ticks + outcome.idle_ticks).tolist() == [expected.ticks] * len(expected.worked)
    assert [stall for stall, worked in zip(outcome.stall_ticks, expected.worked, strict=True) if not worked and stall] == []
    assert [idle for idle, worked in zip(outcome.idle_ticks, expected.worked, strict=True) if worked and idle] == []
    outcome.check()
    jobs = [ticks for stage in plan.stages for round_ in stage.rounds for _, ticks in round_]
    assert outcome.jobs == outcome.ledger["job.count"] == len(jobs)
    assert outcome.ledger["job.tick"] == sum(jobs)
    assert outcome.ledger["round.count"] == sum(len(stage.rounds) for stage in plan.stages)
    assert outcome.useful_ticks == sum(ticks // 2 for ticks in jobs)


@generated
@given(rng=st.randoms(use_true_random=False))
def test_a_plan_takes_the_same_time_whenever_it_starts(random_plan, logged, rng):
    """As inside a larger simulation: tick 0 of the plan is the tick at which its process starts."""
    plan = random_plan(rng)
    outcome, finishes = logged(plan)
    later, later_finishes = logged(plan, start=1000)
    assert later.ticks == outcome.ticks
    assert later.busy_ticks.tolist() == outcome.busy_ticks.tolist()
    assert later_finishes == [[None if tick is None else tick + 1000 for tick in stage] for stage in finishes]


def test_the_first_issue_counts_from_the_start_of_the_plan(stage, plan_of):
    env = TickEnvironment(100)
    process = env.process(scheduler.play_process(env, plan_of(stage(one_copy(2), first_issue=5)), None))
    env.run()
    assert process.value.ticks == 7
    assert env.now == 107


@generated
@given(rng=st.randoms(use_true_random=False), cuts=st.lists(st.integers(0, 8), max_size=4))
def test_how_rounds_are_cut_into_blocks_changes_nothing(random_plan, logged, rng, cuts):
    plan = random_plan(rng)
    outcome, finishes = logged(plan)
    recut = [type(one)(**vars(one) | {"cuts": tuple(sorted(min(cut, len(one.rounds)) for cut in cuts))}) for one in plan.stages]
    again, finishes_again = logged(type(plan)(recut, plan.drain))
    assert finishes_again == finishes
    assert again.ticks == outcome.ticks
    assert again.ledger == outcome.ledger


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_thousands_of_rounds_keep_to_the_law(stage, law, plain_plan, logged, depth):
    """Finish ticks that nobody will ask for again are forgotten on the way."""
    rounds = [[(0, number * 7 % 4), (1, number * 5 % 3)] if number % 11 else [] for number in range(1, 2500)]
    gaps = [number % 2 for number in range(2499)]
    plan = plain_plan([stage(rounds, copies=2, depth=depth, release=1, gaps=gaps, cuts=(1000, 1001))])
    outcome, finishes = logged(plan)
    assert finishes == law(plan).finishes
    assert outcome.ticks == law(plan).ticks


@pytest.fixture(scope="module")
def eie_layer() -> tuple[np.ndarray, list[int]]:
    """Return the eighth layer of AlexNet on EIE: entries (columns, PEs) to work on, and the scan's gap before each column."""
    path = Path(__file__).parents[3] / "shared" / "golden" / "eie_alex8.npz"
    if not path.exists():
        pytest.skip(f"the EIE authors' layer is not at {path}")
    with np.load(path) as layer:
        active = np.flatnonzero(np.append(layer["activations"], 1.0))  # the bias is one more column
        entries = np.diff(layer["column_pointers"].astype(np.int64), axis=1).T[active]
    gaps, gap = [], 0
    for row in np.split(active, np.searchsorted(active, range(64, 4097, 64))):  # the scan takes 64 columns at a time
        gaps += [gap, *(0 for _ in row[1:])] if row.size else []
        if not row.size:
            gap += 1
        else:
            gap = int(row[-1] % 64 != 63)  # leaving a row costs a tick, unless its last event is in its last lane
    return entries, gaps


def eie_recurrence(entries, gaps, ring):
    """Give the cycles of the authors' simulator by their own recurrence, of broadcasts and pops of a ring of queues."""
    broadcast, pops, work = -1, [], np.maximum(1, entries)
    for number, gap in enumerate(gaps):
        broadcast += 1 + gap
        if number >= ring - 1:
            broadcast = max(broadcast, int(pops[number - ring + 1].max()) + 1)
        before = pops[-1] + work[number - 1] if pops else 0
        pops.append(np.maximum(broadcast + 1, np.broadcast_to(before, entries.shape[1:])))
    return int((pops[-1] + work[-1]).max()) + 7


@pytest.mark.parametrize(("depth", "cycles"), [(8, 7926), (2, None), (3, None), (30, None)])
def test_eies_real_layer_takes_its_cycles_at_every_depth(eie_layer, stage, plan_of, depth, cycles):
    """Depth 8, a gap of 1 plus the scan's (at depth 2 at least 2), latency 1, release 1, drain 7: 7,926 cycles."""
    entries, gaps = eie_layer
    queues = stage(
        [list(enumerate(row)) for row in np.maximum(1, entries).tolist()],
        copies=64,
        depth=depth,
        first_issue=gaps[0],
        latency=1,
        release=1,
        gaps=[max(1 + gap, 2 if depth == 2 else 1) for gap in gaps],
    )
    outcome = scheduler.play(plan_of(queues, drain=7))
    assert outcome.ticks == eie_recurrence(entries, gaps, depth)
    assert cycles in (None, outcome.ticks)
    assert outcome.jobs == 64 * 1760


def test_a_plan_may_be_played_again(stage, plan_of):
    plan = plan_of(stage(one_copy(1, 2, 3)))
    assert [scheduler.play(plan).ticks for _ in range(3)] == [6, 6, 6]


def test_a_copy_that_does_not_exist_is_refused(stage, plan_of):
    with pytest.raises(ParameterError) as error:
        scheduler.play(plan_of(stage([[(0, 1)], [(3, 1)]], copies=3)))
    assert str(error.value) == "hwmodel.Block: a job names a copy outside 0 to 2, and it is not EARLIEST."


def test_a_job_takes_the_earliest_copy_only_if_its_stage_says_so(stage, plan_of):
    with pytest.raises(ParameterError) as error:
        scheduler.play(plan_of(stage([[(EARLIEST, 1)]])))
    assert str(error.value) == (
        "stage 'unit 0': a job takes the earliest copy, expected a named one. Declare the stage with earliest=True."
    )


@pytest.mark.parametrize("need", [None, [0, 1]])
def test_a_round_that_needs_one_that_never_comes_is_refused(stage, plan_of, need):
    with pytest.raises(ParameterError) as error:
        scheduler.play(plan_of(stage(one_copy(5)), stage(one_copy(1, 1), need=need)))
    assert str(error.value) == ("stage 'unit 1': round 1 needs round 1 of the stage before, expected at most 0, its last.")


@pytest.mark.parametrize(
    ("rounds_behind", "need"),
    [([1], None), ([1, 1, 1], [2, 2, 2])],
    ids=["the stage behind has ended", "the stage behind waits for the one before"],
)
def test_a_round_whose_slot_is_never_free_is_refused(stage, plan_of, rounds_behind, need):
    with pytest.raises(ParameterError) as error:
        scheduler.play(plan_of(stage(one_copy(1, 1, 1)), stage(one_copy(*rounds_behind), need=need, slots=1)))
    assert str(error.value) == (
        "scheduler.play: nothing more can happen, and a stage still waits to issue a round, expected every round to become "
        "ready. Check what the rounds of its stages need, and their slots."
    )


def test_an_error_in_making_a_block_reaches_the_caller():
    def blocks():
        yield from ()
        raise ZeroDivisionError("in the machine")

    with pytest.raises(ZeroDivisionError) as error:
        scheduler.play(Plan((Stage(Unit("lane", 1), blocks),)))
    assert str(error.value) == "in the machine"


def test_blocks_are_made_only_when_the_one_before_has_been_issued(stage):
    plain = stage(one_copy(4, 4, 4, 4), cuts=(1, 2))
    env = TickEnvironment()
    made: list[tuple[int, int]] = []

    def blocks():
        for block in plain.stage("lane").blocks():
            made.append((env.now, block.rounds))
            yield block

    env.process(scheduler.play_process(env, Plan((Stage(Unit("lane", 1), blocks),)), None))
    env.run()
    assert made == [(0, 1), (0, 1), (4, 2)]
