"""The dispatcher: in which order rounds are issued, and that a broken state is noticed (stress.py steps it)."""

import numpy as np
import pytest

import scheduler.engine
from hwmodel import Block, Ledger
from scheduler.dispatch import BlockWork, Dispatcher, StageRun
from scheduler.ticks import TickEnvironment


def noted_stage(env, number, log, then=None):
    """Make a stand-in for a stage that notes when it is issued, and may offer another then."""

    class NotedStage:
        def __init__(self):
            self.number = number

        def issue(self):
            log.append((env.now, number))
            if then is not None:
                then()

    return NotedStage()


def test_rounds_are_issued_by_tick_then_by_stage_then_as_they_came():
    env, log = TickEnvironment(), []
    dispatcher = Dispatcher(env)
    for tick, number in [(5, 2), (5, 1), (3, 7), (5, 2), (4, 0)]:
        dispatcher.offer(tick, noted_stage(env, number, log))
    env.run()
    assert log == [(3, 7), (4, 0), (5, 1), (5, 2), (5, 2)]
    assert len(dispatcher.ready) == 0


def test_a_round_that_is_due_is_issued_at_once():
    env, log = TickEnvironment(10), []
    dispatcher = Dispatcher(env)
    dispatcher.offer(10, noted_stage(env, 0, log))
    dispatcher.offer(3, noted_stage(env, 1, log))
    assert log == [(10, 0), (10, 1)]


def test_what_is_offered_while_another_is_issued_waits_for_its_turn():
    env, log = TickEnvironment(), []
    dispatcher = Dispatcher(env)

    def offer_two():
        dispatcher.offer(0, noted_stage(env, 3, log))
        dispatcher.offer(0, noted_stage(env, 2, log))
        assert log == [(0, 1)]

    dispatcher.offer(0, noted_stage(env, 1, log, then=offer_two))
    assert log == [(0, 1), (0, 2), (0, 3)]


def block_of_three() -> Block:
    return Block(
        round_pointers=np.array([0, 2, 2, 3]),
        copy=np.zeros(3, dtype=np.int64),
        ticks=np.array([4, 5, 6]),
        useful_ticks=np.array([1, 2, 3]),
        actions={"a.read": np.array([1, 10, 100])},
        round_actions={"b.read": np.array([1, 1, 1])},
    )


@pytest.mark.parametrize(
    ("served", "reads", "useful"), [([0, 1, 2], 111, 6), ([0, 2], 101, 4), ([2, 1, 1, 0], 121, 8), ([], 0, 0)]
)
def test_a_job_is_booked_as_often_as_it_was_served(served, reads, useful):
    work, ledger = BlockWork(block_of_three(), None), Ledger()
    work.served += served
    assert work.book(ledger) == (useful, len(served))
    assert ledger.as_dict() == ({"a.read": reads} if reads else {}) | {"b.read": 3}


@pytest.fixture
def stage_runs(monkeypatch) -> list[StageRun]:
    """Return the list in which every stage of every run is noted."""
    made: list[StageRun] = []

    def noted(*arguments):
        made.append(StageRun(*arguments))
        return made[-1]

    monkeypatch.setattr(scheduler.engine, "StageRun", noted)
    return made


def a_stage_in_flight(stage_runs, plan) -> StageRun:
    env = TickEnvironment()
    env.process(scheduler.play_process(env, plan, None))
    env.run(until=1)
    stage_runs[-1].check()
    return stage_runs[-1]


@pytest.mark.parametrize(
    "break_it",
    [
        lambda stage: setattr(stage, "issued", stage.issued + 1),
        lambda stage: setattr(stage, "finished", stage.finished + 1),
        lambda stage: setattr(stage._in_flight[0], "left", -1),
        lambda stage: setattr(stage._in_flight[0], "number", 7),
        lambda stage: stage._in_flight.rotate(1),
        lambda stage: stage._in_flight.pop(),
    ],
)
def test_check_notices_rounds_that_do_not_add_up(stage_runs, stage, plan_of, break_it):
    run = a_stage_in_flight(stage_runs, plan_of(stage([[(0, 5)], [(0, 5)], [(0, 5)]], depth=2)))
    break_it(run)
    with pytest.raises(AssertionError):
        run.check()
