"""A chip in hostile company: jobs that cancel themselves, code that will not end, events that nobody wants any more."""

import pytest
import simpy

import hwmodel
import scheduler
from hwmodel.errors import ParameterError, UnknownNameError
from scheduler import Chip, JobError, PowerGating, Profile

MACHINE = hwmodel.load("cnvlutin", clock_hz=1e9)


def work(*ticks):
    """Make vector tasks of so many ticks each."""
    return [hwmodel.VectorTask("pool", elements=256 * one, results=one) for one in ticks]


@pytest.fixture
def env():
    return simpy.Environment()


@pytest.fixture
def chip(env):
    chip = Chip(env, MACHINE, 1e-9)
    yield chip
    chip.check()


def at(env, time, do):
    def process():
        yield env.timeout(time - env.now)
        do()

    env.process(process())


# Events that nobody wants any more


def test_a_cancelled_job_does_not_prolong_the_simulation(env, chip):
    request = chip.submit(work(10**9))
    at(env, 40, request.cancel)
    env.run()
    assert env.now == 40


def test_what_was_planned_by_others_still_comes_in_its_order(env, chip):
    log = []
    for time in (50, 30, 70, 30, 60):
        at(env, time, lambda time=time: log.append((env.now, time)))
    request = chip.submit(work(45))
    at(env, 20, request.cancel)
    env.run()
    assert log == [(30, 30), (30, 30), (50, 50), (60, 60), (70, 70)]


def test_a_job_without_units_does_not_prolong_the_simulation(env, chip):
    request = chip.submit(work(10**9))
    at(env, 40, lambda: chip.fail("lane"))
    env.run()
    assert (request.value.status, env.now) == ("failed", 40)


def test_a_wake_up_that_is_for_nothing_does_not_prolong_the_simulation(env):
    chip = Chip(env, MACHINE, 1e-9, power_gating=PowerGating(wake=1000))
    request = chip.submit(work(5))
    at(env, 10, request.cancel)
    env.run()
    assert (env.now, request.value.started) == (10, None)


# Cancelled from everywhere


def test_a_process_that_waits_with_a_time_limit_takes_its_job_back(env, chip):
    log = []

    def process():
        request = chip.submit(work(100))
        done = yield request | env.timeout(5)
        log.append(request in done)
        request.cancel()
        log.append((yield request).status)

    env.process(process())
    env.run()
    assert (log, env.now) == ([False, "cancelled"], 5)


def test_an_interrupted_process_may_cancel_and_wait_again(env, chip):
    log = []

    def process():
        request = chip.submit(work(100))
        try:
            yield request
        except simpy.Interrupt:
            request.cancel()
            log.append((yield request).status)

    waiting = env.process(process())
    at(env, 10, waiting.interrupt)
    env.run()
    assert (log, env.now) == (["cancelled"], 10)


def test_others_are_cancelled_when_one_is_done(env, chip):
    first, second, third = (chip.submit(work(5)) for _ in range(3))
    first.callbacks.append(lambda _event: (second.cancel(), third.cancel()))
    env.run()
    assert (second.value.status, third.value.status, env.now) == ("cancelled", "cancelled", 5)


@pytest.mark.parametrize("tasks_after", [0, 1])
def test_a_job_that_cancels_itself_is_cancelled_where_it_next_gives_a_task_or_ends(env, chip, tasks_after):
    def job():
        yield work(3)[0]
        requests[0].cancel()
        yield from work(3) * tasks_after

    requests = [chip.submit(job())]
    after = chip.submit(work(4))
    env.run()
    result = requests[0].value
    assert (result.status, result.reason, result.finished) == ("cancelled", "it was cancelled by its own code", 3)
    assert after.value.finished == 7


def test_a_job_may_cancel_itself_again_and_submit_another_when_it_is_closed(env, chip):
    more = []

    def job():
        try:
            yield work(50)[0]
        finally:
            requests[0].cancel()
            more.append(chip.submit(work(3)))

    requests = [chip.submit(job())]
    waiting = chip.submit(work(2))
    at(env, 10, requests[0].cancel)
    env.run()
    assert (requests[0].value.status, waiting.value.finished, more[0].value.finished) == ("cancelled", 12, 15)


def test_what_is_no_job_of_this_chip_is_not_cancelled(env, chip):
    other = Chip(env, MACHINE, 1e-9)
    for request, found in ((other.submit(work(4)), "another chip's request"), (3, "a int")):
        with pytest.raises(ParameterError) as caught:
            chip.cancel(request)
        assert str(caught.value) == (f"scheduler.Chip.cancel: request is {found}, expected what this chip's submit returned.")
    env.run()


# Code that raises


def test_an_interrupt_from_the_keyboard_goes_to_who_runs_and_the_chip_goes_on(env, chip):
    def job():
        yield work(3)[0]
        raise KeyboardInterrupt

    stopped, after = chip.submit(job()), chip.submit(work(4))
    with pytest.raises(KeyboardInterrupt):
        env.run()
    assert (stopped.value.status, stopped.value.reason) == ("failed", "KeyboardInterrupt was raised in it")
    env.run()
    assert after.value.finished == 7


def test_who_comes_right_after_an_interrupt_comes_after_those_who_wait(env, chip):
    def job():
        yield work(3)[0]
        raise KeyboardInterrupt

    chip.submit(job())
    waits = chip.submit(work(4))
    with pytest.raises(KeyboardInterrupt):
        env.run()
    chip.check()
    later = chip.submit(work(4))
    env.run()
    assert (waits.value.finished, later.value.finished) == (7, 11)


def test_an_interrupt_as_a_job_leaves_the_queue_does_not_stop_the_queue(env, chip):
    def job():
        raise KeyboardInterrupt
        yield

    chip.submit(work(4))
    chip.submit(job())
    after = chip.submit(work(4))
    with pytest.raises(KeyboardInterrupt):
        env.run()
    env.run()
    assert after.value.finished == 8


def test_a_generator_is_one_job_only(env, chip):
    def job():
        yield from work(3, 4)

    begun = job()
    chip.submit(begun)
    with pytest.raises(ParameterError) as caught:
        Chip(env, MACHINE, 1e-9).submit(begun)
    assert str(caught.value) == (
        "scheduler.Chip.submit: job is a generator that runs already, expected one of its own. Call its function again."
    )
    waits = job()
    chip.submit(waits)
    twice = chip.submit(waits)
    with pytest.raises(
        JobError, match=r"its generator was submitted twice, expected one of its own\. Call its function again\.$"
    ):
        env.run(twice)


def test_a_generator_may_yield_from_a_list(env, chip):
    def inner():
        outcome = yield work(5)[0]
        yield from work(outcome.ticks)

    def job():
        yield from work(3, 4)
        yield from inner()
        outcome = yield work(2)[0]
        return outcome.ticks

    result = env.run(chip.submit(job()))
    assert (result.outputs, result.ticks) == (2, 19)


@pytest.mark.parametrize("returned", [None, 3, (1, 2, 3)])
def test_steps_that_return_no_pair_fail_and_the_chip_goes_on(env, chip, returned):
    class Steps:
        def steps(self, machine, clock):
            yield work(3)[0]
            return returned

    request, after = chip.submit(Steps()), chip.submit(work(4))
    with pytest.raises(JobError) as caught:
        env.run(request)
    assert str(caught.value) == (
        f"scheduler.Chip: a job's steps returned a {type(returned).__name__}, expected a pair, its outputs and its report. "
        "Return None for what there is none of."
    )
    assert env.run(after).finished == 7


# What the timeline has forgotten


def test_a_history_bounds_the_timeline_and_keeps_every_sum(env):
    chip = Chip(env, MACHINE, 1e-9, history=100)
    profile = Profile("cnvlutin", [3], [5 << 64], [0])

    def user():
        for _ in range(5000):
            yield chip.submit(profile)

    env.process(user())
    env.run()
    chip.check()
    static = MACHINE.static_w() * 1e3
    assert chip.timeline.dynamic.breakpoints < 3000
    assert chip.energy_pj(0, env.now) == pytest.approx(5000 * 5 + static * env.now, rel=1e-12)
    assert chip.energy_pj(env.now - 99, env.now) == pytest.approx(33 * 5 + static * 99, rel=1e-12)
    for ask in (lambda: chip.energy_pj(5, env.now), lambda: chip.energy_pj(0, 5), lambda: chip.power(5)):
        with pytest.raises(ParameterError, match=r"5 lies in what the timeline has forgotten, expected \d+\.0 or later\."):
            ask()


@pytest.mark.parametrize("history", [-1, float("nan"), float("inf"), "long"])
def test_a_history_is_a_number(env, history):
    with pytest.raises(ParameterError) as caught:
        Chip(env, MACHINE, history=history)
    assert str(caught.value) == (
        f"scheduler.Chip: history is {history!r}, expected a number of at least 0, in the environment's units, or None."
    )


# Numbers


def test_numbers_of_numpy_are_numbers(env, chip):
    import numpy as np

    def process():
        yield env.timeout(np.int64(5))
        result = yield chip.submit(work(3), priority=np.int64(1), deadline=np.float32(7))
        chip.fail("lane", at=env.now + np.float64(1), until=np.int64(100), copy=np.int64(2))
        return result

    result = env.run(env.process(process()))
    assert (result.finished, result.late) == (8, True)
    assert chip.power(np.int64(4)) == MACHINE.static_w()


@pytest.mark.parametrize(
    "times",
    [{"at": -5}, {"at": 5, "until": 3}, {"at": float("nan")}, {"until": float("nan")}, {"at": float("inf")}, {"at": "soon"}],
)
def test_faults_have_times_in_order(chip, times):
    with pytest.raises(ParameterError) as caught:
        chip.fail("lane", **times)
    assert str(caught.value) == (
        f"scheduler.Chip.fail: 'lane' fails at {times.get('at', 0)} until {times.get('until')}, expected times in order and not "
        "before now, 0."
    )


@pytest.mark.parametrize("detail", ["operator", "job"])
@pytest.mark.parametrize("until", [5.4, 6])
def test_a_fault_that_is_over_within_its_tick_is_none(env, detail, until):
    chip = Chip(env, hwmodel.load("cnvlutin", lanes=1, clock_hz=1e9), 1e-9, detail=detail)
    chip.fail("lane", at=5.2, until=until)
    result = env.run(chip.submit(work(1, 4, 3, 10)))
    alone = env.run(Chip(env, chip.machine, 1e-9).submit(work(1, 4, 3, 10)))
    assert (result.status, result.ticks) == ("done", alone.ticks)
    chip.check()


def test_jobs_that_wait_for_a_recovery_go_to_the_copies_that_the_plan_names(env, chip):
    layer = hwmodel.Task.convolution((16, 8, 8), (16, 16, 3, 3))
    alone = scheduler.run(MACHINE, layer).ticks
    chip.fail("lane", at=20, until=50)
    result = env.run(chip.submit([layer]))
    assert alone + 30 <= result.ticks <= 50 + alone


@pytest.mark.parametrize("unit", ["lanes", 3, ["lane"]])
def test_a_unit_is_one_that_the_machine_declares(chip, unit):
    with pytest.raises(UnknownNameError, match="machine 'cnvlutin' has no unit"):
        chip.fail(unit)


def test_a_fault_without_an_end_may_say_so(env, chip):
    chip.fail("lane", until=float("inf"))
    assert env.run(chip.submit(work(5))).status == "failed"


def test_a_machine_that_does_not_declare_its_units_has_none_that_fail(env, chip, monkeypatch):
    monkeypatch.setattr(type(MACHINE), "plan_units", ())
    with pytest.raises(ParameterError) as caught:
        chip.fail("lane")
    assert str(caught.value) == (
        "scheduler.Chip.fail: machine 'cnvlutin' does not declare its units, expected those of its plans. "
        "Give it the property plan_units."
    )


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda chip: chip.power(float("nan")), "power: the time is nan, expected a number, as env.now is."),
        (lambda chip: chip.energy_pj(0, float("inf")), "energy_pj: the time is inf, expected a number, as env.now is."),
        (lambda chip: chip.energy_pj("a", 3), "energy_pj: the time is 'a', expected a number, as env.now is."),
        (lambda chip: chip.when_used(None), "when_used: pj is None, expected a number of picojoules."),
        (lambda chip: chip.when_used(-float("inf")), "when_used: pj is -inf, expected a number of picojoules."),
    ],
)
def test_questions_that_mean_nothing_are_refused(chip, ask, message):
    with pytest.raises(ParameterError) as caught:
        ask(chip)
    assert str(caught.value) == f"scheduler.Chip.{message}"
