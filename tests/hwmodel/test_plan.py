from dataclasses import replace

import numpy as np
import pytest

from hwmodel import EARLIEST, Block, Counts, Ledger, Lockstep, ParameterError, Plan, Shares, Stage, Unit
from hwmodel.plan import Events, total


def two_rounds() -> Block:
    """Make a round of two jobs and one of one."""
    return Block(
        round_pointers=np.array([0, 2, 3]),
        copy=np.array([0, 1, EARLIEST]),
        ticks=np.array([4, 5, 6]),
        useful_ticks=np.array([0, 5, 1]),
        actions={"a.read": np.array([1, 2, 3])},
        round_actions={"b.read": np.array([1, 2])},
        gaps=np.array([0, 3]),
        need=np.array([0, 0]),
    )


def stage(**changes) -> Stage:
    return Stage(Unit("lane", 2), lambda: [two_rounds()], **changes)


def test_a_block_counts_its_rounds_and_jobs():
    block = two_rounds()
    assert (block.rounds, block.jobs) == (2, 3)
    block.check(copies=2)


def test_a_block_may_be_empty_and_its_rounds_may_be():
    nothing = np.zeros(0, dtype=np.int64)
    for pointers in ([0], [0, 0], [0, 0, 0]):
        block = Block(np.array(pointers), nothing, nothing, nothing)
        block.check(copies=1)
        assert block.rounds == len(pointers) - 1


def test_events_are_made_when_first_asked_for_and_only_then():
    made = []
    nothing = np.zeros(0, dtype=np.int64)

    def events() -> Events:
        made.append("made")
        return Events(np.array([0]), nothing, nothing, nothing)

    block = replace(two_rounds(), events=events)
    assert made == []
    assert block.carried is block.carried
    assert made == ["made"]
    assert two_rounds().carried is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"round_pointers": [1, 2, 3]}, "round_pointers do not divide 3 jobs into rounds."),
        ({"round_pointers": [0, 2, 4]}, "round_pointers do not divide 3 jobs into rounds."),
        ({"round_pointers": [0, 4, 3]}, "round_pointers do not divide 3 jobs into rounds."),
        ({"round_pointers": []}, "round_pointers do not divide 3 jobs into rounds."),
        ({"copy": [0, 1, 2]}, "a job names a copy outside 0 to 1, and it is not EARLIEST."),
        ({"copy": [0, 1, -2]}, "a job names a copy outside 0 to 1, and it is not EARLIEST."),
        ({"ticks": [4, 5, -1], "useful_ticks": [0, 0, -1]}, "a job has negative ticks, or more useful ticks than ticks."),
        ({"useful_ticks": [5, 5, 1]}, "a job has negative ticks, or more useful ticks than ticks."),
        ({"useful_ticks": [-1, 5, 1]}, "a job has negative ticks, or more useful ticks than ticks."),
        ({"copy": [0, 1]}, "copy has shape (2,), expected (3,)."),
        ({"actions": {"a.read": [1, 2]}}, "a.read has shape (2,), expected (3,)."),
        ({"round_actions": {"b.read": [1, 2, 3]}}, "b.read has shape (3,), expected (2,)."),
        ({"gaps": [0]}, "gaps has shape (1,), expected (2,)."),
        ({"need": [0, 1, 2]}, "need has shape (3,), expected (2,)."),
        ({"gaps": [0, -1]}, "a gap is negative, expected ticks to pass forwards."),
    ],
)
def test_a_block_that_contradicts_itself_is_refused(changes, message):
    arrays = {
        name: {action: np.array(counts) for action, counts in value.items()}
        if isinstance(value, dict)
        else np.array(value, dtype=np.int64)
        for name, value in changes.items()
    }
    with pytest.raises(ParameterError) as error:
        replace(two_rounds(), **arrays).check(copies=2)
    assert str(error.value) == f"hwmodel.Block: {message}"


def test_a_unit_has_copies():
    with pytest.raises(ParameterError) as error:
        Unit("lane", 0)
    assert str(error.value) == "hwmodel.Unit 'lane': 0 copies, expected at least 1."


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("depth", 0, 1), ("first_issue", -1, 0), ("latency", -1, 0), ("release", -2, 0), ("hop", -1, 0)],
)
def test_a_stages_numbers_are_checked(name, value, least):
    with pytest.raises(ParameterError) as error:
        stage(**{name: value})
    assert str(error.value) == f"hwmodel.Stage: {name} is {value}, expected at least {least}."


def test_a_stage_has_slots_or_no_limit():
    assert stage(slots=1).slots == 1
    assert stage().slots is None
    with pytest.raises(ParameterError) as error:
        stage(slots=0)
    assert str(error.value) == "hwmodel.Stage: slots is 0, expected at least 1 or None for no limit."


@pytest.mark.parametrize("arguments", [{"stages": ()}, {"stages": (stage(),), "drain": -1}])
def test_a_plan_has_a_stage_and_no_negative_drain(arguments):
    with pytest.raises(ParameterError) as error:
        Plan(**arguments)
    assert str(error.value) == "hwmodel.Plan: expected at least one stage and a drain that is not negative."


def test_a_plan_counts_all_copies_and_yields_all_blocks():
    plan = Plan((stage(), stage()))
    assert plan.copies == 4
    assert [block.jobs for block in plan.blocks()] == [3, 3]
    assert [block.jobs for block in plan.blocks()] == [3, 3]


def test_sums_of_counts_do_not_wrap():
    large = np.full(5, np.iinfo(np.int64).max)
    assert total(large) == 5 * (2**63 - 1)
    assert total(-large) == -5 * (2**63 - 1)
    assert total(np.zeros(0, dtype=np.int64)) == 0
    assert total(Counts(large).times(10**9)) == 5 * (2**63 - 1) * 10**9


def test_actions_may_be_multiples_of_the_same_counts():
    counts = Counts(np.array([1, 2, 3]))
    block = replace(two_rounds(), actions={"a.read": counts.times(2), "a.write": counts.times(5)})
    block.check(copies=2)
    ledger = Ledger()
    block.book(ledger)
    assert ledger.as_dict() == {"a.read": 12, "a.write": 30, "b.read": 3}
    assert total(block.actions["a.write"][[2, 2]]) == 30


def test_a_block_says_how_many_events_its_jobs_carry_or_counts_them():
    three = np.array([0, 1, 1])
    events = Events(np.array([0, 2, 2, 5]), np.zeros(5, dtype=np.int64), np.zeros(5, dtype=np.int64), three, slice(1, 2))
    counted = replace(two_rounds(), events=lambda: events).shared
    assert (counted.events.tolist(), counted.output_block.tolist(), counted.filters) == ([2, 0, 3], [0, 1, 1], slice(1, 2))
    said = Shares(np.array([7, 8, 9]), three)
    assert replace(two_rounds(), events=lambda: events, shares=lambda: said).shared is said
    assert two_rounds().shared is None


def lanes(**changes) -> Lockstep:
    """Make three rounds of copies 0 and 2."""
    found = Counts(np.array([1, 2, 1, 2, 1, 3]))
    given = {
        "copies": np.array([0, 2]),
        "rounds": 3,
        "lane_ticks": np.array([[4, 1, 2], [5, 6, 7]]),
        "useful_ticks": found.times(1),
    }
    return Lockstep(**given | changes)


def test_lockstep_told_job_by_job():
    one = lanes(actions=[(Counts.ones(6), {"a.read": 2})], gaps=np.array([0, 1, 2]))
    block = one.block
    block.check(copies=3)
    assert (one.jobs, block.jobs, block.rounds) == (6, 6, 3)
    assert block.round_pointers.tolist() == [0, 2, 4, 6]
    assert block.copy.tolist() == [0, 2, 0, 2, 0, 2]
    assert block.ticks.tolist() == [4, 5, 1, 6, 2, 7]
    assert block.useful_ticks.tolist() == [1, 2, 1, 2, 1, 3]
    assert block.gaps.tolist() == [0, 1, 2]
    assert (one.useful_total, block.useful_total) == (10, 10)
    assert total(block.actions["a.read"]) == 12


def test_lockstep_of_one_column_repeats_it():
    assert lanes(lane_ticks=np.array([[4], [5]])).block.ticks.tolist() == [4, 5, 4, 5, 4, 5]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"rounds": 2}, "lane_ticks has shape (2, 3), expected (2, 2) or one column for all rounds."),
        ({"copies": np.array([0, 3])}, "copies is [0, 3], expected some of 0 to 2, rising."),
        ({"copies": np.array([2, 0])}, "copies is [2, 0], expected some of 0 to 2, rising."),
        ({"copies": np.array([-1, 0])}, "copies is [-1, 0], expected some of 0 to 2, rising."),
        ({"gaps": np.array([0, 1])}, "gaps has shape (2,) or a negative number, expected (3,)."),
        ({"gaps": np.array([0, 1, -1])}, "gaps has shape (3,) or a negative number, expected (3,)."),
        ({"lane_ticks": np.array([[4], [-1]])}, "a job has negative ticks, expected time to pass forwards."),
    ],
)
def test_lockstep_that_contradicts_itself_is_refused(changes, found):
    with pytest.raises(ParameterError) as error:
        lanes(**changes).check(copies=3)
    assert str(error.value) == f"hwmodel.Lockstep: {found}"


def test_counts_that_are_known_in_total_are_made_only_when_asked_for():
    made = []
    counts = Counts(lambda: made.append(1) or np.array([2, 3]), 5)
    assert counts.times(2).total == 10
    assert not made
    assert counts.counts.tolist() == [2, 3]
