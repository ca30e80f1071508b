"""Which copy takes a job that names none: the one free first, the lowest index on a tie."""

import pytest

import scheduler
from hwmodel import EARLIEST
from scheduler.lane import Bell, Lane
from scheduler.pool import EndOfTick, Pool
from scheduler.ticks import TickEnvironment

ANY = EARLIEST


def busy(*arguments, **keywords) -> list[int]:
    return scheduler.play(*arguments, **keywords).busy_ticks.tolist()


def test_the_copy_free_first_takes_the_job_even_if_its_index_is_higher(stage, plan_of):
    """Copy 1 is free at 2, copy 0 at 3; the job that comes at 10 goes to copy 1."""
    two = stage([[(0, 3), (1, 2)], [(ANY, 100)]], copies=2, earliest=True, gaps=[0, 10])
    assert busy(plan_of(two)) == [3, 102]


def test_of_copies_free_at_one_tick_the_lowest_index_takes_the_job(stage, plan_of):
    two = stage([[(1, 3), (0, 3)], [(ANY, 100)]], copies=2, earliest=True, gaps=[0, 10])
    assert busy(plan_of(two)) == [103, 3]


def test_which_copy_is_free_first_decides_when_later_jobs_start(stage, finishes_of):
    """Were copy 0 taken first at tick 10, the job named for it would wait until 110 instead of 17."""
    two = stage([[(0, 3), (1, 2)], [(ANY, 100), (0, 7)]], copies=2, earliest=True, gaps=[0, 10])
    assert finishes_of(two) == [[3, 2, 110, 17]]


def test_copies_that_have_not_worked_are_taken_from_the_lowest_index(stage, plan_of):
    assert busy(plan_of(stage([[(ANY, 5), (ANY, 6)]], copies=3, earliest=True))) == [5, 6, 0]


def test_jobs_that_wait_are_taken_in_the_order_of_their_rounds(stage, finishes_of):
    one = stage([[(ANY, 5)], [(ANY, 1)], [(ANY, 2)]], depth=3, earliest=True)
    assert finishes_of(one) == [[5, 6, 8]]


def test_a_job_named_for_a_busy_copy_lets_others_pass_and_keeps_its_place(stage, finishes_of):
    """The second job waits for copy 0 until 9; the third takes copy 1 at once, and the fourth copy 1 at 3."""
    two = stage([[(0, 9), (0, 2), (ANY, 3), (ANY, 9), (ANY, 1)]], copies=2, earliest=True)
    assert finishes_of(two) == [[9, 11, 3, 12, 12]]


def test_a_copy_that_is_freed_at_the_same_tick_counts_as_free(stage, finishes_of):
    """At tick 4 both copies end; the job issued then goes to copy 0, whichever of them SimPy resumed first."""
    for first, second in [(0, 1), (1, 0)]:
        two = stage([[(first, 4), (second, 4)], [(ANY, 1), (1, 1)]], copies=2, earliest=True)
        assert finishes_of(two) == [[4, 4, 5, 5]]


def test_a_job_of_no_ticks_leaves_its_copy_free_for_the_next(stage, plan_of):
    outcome = scheduler.play(plan_of(stage([[(ANY, 0), (0, 5), (ANY, 0), (ANY, 4)]], copies=2, earliest=True)))
    # The first takes copy 0 and leaves it at 0, the third and fourth take copy 1.
    assert outcome.busy_ticks.tolist() == [5, 4]
    assert outcome.ticks == 5


def test_the_end_of_a_tick_comes_after_everything_else_in_it():
    env, log = TickEnvironment(), []

    def ticking_process():
        yield env.timeout(2)
        EndOfTick(env, lambda _event: log.append((env.now, "end")))
        for step in range(3):
            yield env.timeout(0)
            log.append((env.now, step))
        yield env.timeout(1)
        log.append((env.now, "next"))

    env.process(ticking_process())
    env.run()
    assert log == [(2, 0), (2, 1), (2, 2), (2, "end"), (3, "next")]


def test_check_notices_a_copy_that_is_free_twice_or_free_with_work():
    env = TickEnvironment()
    pool = Pool(env)
    lane = Lane(env, 0, Bell(env), pool.freed)
    pool.lanes = [lane]
    pool.free.push(0, 0, lane)
    pool.check()
    lane.inbox.append((0, 1, None))
    with pytest.raises(AssertionError):
        pool.check()
    lane.inbox.clear()
    pool.free.push(1, 0, lane)
    with pytest.raises(AssertionError):
        pool.check()
