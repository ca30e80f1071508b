"""A chip in somebody's environment: its queue, its time, its energy, and units that fail."""

from math import inf
from random import Random

import numpy as np
import pytest
import simpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hwmodel
import scheduler
from hwmodel.errors import ParameterError, UnknownNameError
from scheduler import Chip, JobError, PowerGating, Profile
from scheduler.power import QUANTA, picojoules

MACHINE = hwmodel.load("cnvlutin", clock_hz=1e9)
SECONDS_PER_UNIT = 1e-9  # so that a tick is a unit
RANDOM = np.random.default_rng(0)
LAYER = hwmodel.Task.convolution(
    np.maximum(RANDOM.integers(-3, 4, (32, 8, 8)), 0).astype(np.float32),
    RANDOM.integers(-3, 4, (64, 32, 3, 3)).astype(np.float32),
    padding=1,
)


def work(*ticks):
    """Make vector tasks of so many ticks each."""
    return [hwmodel.VectorTask("pool", elements=256 * one, results=one) for one in ticks]


def new_chip(env, **parameters):
    return Chip(env, MACHINE, SECONDS_PER_UNIT, **parameters)


def at(env, time, do):
    """Do something at a time."""

    def process():
        yield env.timeout(time - env.now)
        do()

    env.process(process())


def submit_at(env, chip, submissions, log):
    """Submit jobs at their times, and log what became of each: (name, status, started, finished)."""

    def one(name, time, job, arguments):
        yield env.timeout(time)
        result = yield chip.submit(job, **arguments)
        log.append((name, result.status, result.started, result.finished))

    for name, time, job, arguments in submissions:
        env.process(one(name, time, job, arguments))


def served(submissions, until=None, **parameters):
    env, log = simpy.Environment(), []
    chip = new_chip(env, **parameters)
    submit_at(env, chip, submissions, log)
    env.run(until)
    chip.check()
    return log, chip


def test_jobs_are_served_one_after_the_other_in_order_of_arrival():
    log, _ = served([("a", 0, work(3, 2), {}), ("b", 1, work(4), {}), ("c", 20, work(1), {})])
    assert log == [("a", "done", 0, 5), ("b", "done", 5, 9), ("c", "done", 20, 21)]


def test_a_lower_priority_number_is_served_first():
    log, _ = served([("a", 0, work(5), {}), ("b", 1, work(1), {"priority": 2}), ("c", 2, work(1), {"priority": 1})])
    assert [entry[0] for entry in log] == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("policy", "order"), [("first_come", "abcd"), ("priority", "adbc"), ("deadline", "acdb"), ("shortest", "abdc")]
)
def test_every_policy_has_its_order(policy, order):
    log, _ = served(
        [
            ("a", 0, work(5), {"expected": 5}),
            ("b", 1, work(1), {"priority": 1, "expected": 1}),
            ("c", 2, work(3), {"priority": 2, "deadline": 10, "expected": 3}),
            ("d", 3, work(2), {"priority": 0, "deadline": 20, "expected": 2}),
        ],
        policy=policy,
    )
    assert "".join(entry[0] for entry in log) == order


def test_a_more_urgent_job_is_served_at_the_next_border_of_an_operator():
    jobs = [("a", 0, work(5, 5), {"priority": 1}), ("b", 2, work(3), {"priority": 0})]
    log, _ = served(jobs, preemptive=True)
    assert log == [("b", "done", 5, 8), ("a", "done", 0, 13)]
    log, _ = served(jobs)
    assert log == [("a", "done", 0, 10), ("b", "done", 10, 13)]


def test_a_preempted_job_waits_again():
    env = simpy.Environment()
    chip = new_chip(env, preemptive=True)
    first = chip.submit(work(5, 5), priority=1)
    at(env, 2, lambda: chip.submit(work(3)))
    result = env.run(first)
    assert (result.started, result.finished, result.ticks, result.waited) == (0, 13, 10, 3)


def test_a_full_queue_refuses_with_a_value():
    env = simpy.Environment()
    chip = new_chip(env, queue_limit=1)
    chip.submit(work(5))
    chip.submit(work(5))
    result = env.run(chip.submit(work(5)))
    assert not result.accepted
    assert result.reason == "the queue is full: 1 jobs wait, and queue_limit is 1"
    assert (result.finished, result.ticks, result.energy_pj, result.started) == (0, 0, 0.0, None)
    env.run()
    chip.check()
    assert chip.counts == {"submitted": 3, "refused": 1, "done": 2}


@pytest.mark.parametrize("detail", ["operator", "job"])
def test_a_job_on_an_idle_chip_equals_its_tasks_alone(detail):
    env = simpy.Environment()
    chip = new_chip(env, detail=detail)
    result = env.run(chip.submit([LAYER, *work(7)]))
    alone = [scheduler.run(MACHINE, task, engine="event") for task in (LAYER, *work(7))]
    assert result.ticks == sum(one.ticks for one in alone) == env.now
    assert np.array_equal(result.outputs[0], alone[0].outputs)
    for one, other in zip(result.run, alone, strict=True):
        assert np.array_equal(one.busy_ticks, other.busy_ticks)
        assert one.ledger.as_dict() == other.ledger.as_dict()
    dynamic = sum(sum(MACHINE.prices.dynamic_pj(one.ledger, MACHINE.name).values()) for one in alone)
    static = MACHINE.static_w() * result.ticks / MACHINE.clock_hz * 1e12
    assert result.energy_pj == pytest.approx(dynamic + static, rel=1e-12)
    assert chip.energy_pj(0, env.now) == result.energy_pj
    chip.check()


def test_a_generator_is_sent_the_outcomes_and_returns_the_outputs():
    def job():
        outcome = yield LAYER
        for _ in range(int(outcome.ticks > 10)):
            yield work(3)[0]
        return outcome.outputs.sum()

    env = simpy.Environment()
    result = env.run(new_chip(env).submit(job()))
    alone = scheduler.run(MACHINE, LAYER)
    assert result.outputs == alone.outputs.sum()
    assert result.ticks == alone.ticks + 3


def test_cancelling_what_waits_leaves_the_rest_alone():
    env, log = simpy.Environment(), []
    chip = new_chip(env)
    submit_at(env, chip, [("a", 0, work(5), {}), ("c", 2, work(5), {})], log)
    requests = []
    at(env, 1, lambda: requests.append(chip.submit(work(100))))
    at(env, 3, lambda: requests[0].cancel())
    env.run()
    assert log == [("a", "done", 0, 5), ("c", "done", 5, 10)]
    result = requests[0].value
    assert (result.status, result.finished, result.waited, result.ticks) == ("cancelled", 3, 2, 0)
    chip.check()


@pytest.mark.parametrize("detail", ["operator", "job"])
def test_cancelling_what_is_served_frees_the_chip_at_once(detail):
    env = simpy.Environment()
    chip = new_chip(env, detail=detail)
    first, second = chip.submit([LAYER, LAYER]), chip.submit(work(5))
    at(env, 40, first.cancel)
    result = env.run(second)
    assert (result.started, result.finished) == (40, 45)
    assert (first.value.status, first.value.ticks, first.value.finished) == ("cancelled", 40, 40)
    assert chip.energy_pj(0, 45) == pytest.approx(first.value.energy_pj + result.energy_pj, rel=1e-12)
    env.run()
    chip.check()


def test_an_interrupted_process_takes_its_job_back():
    env = simpy.Environment()
    chip = new_chip(env)

    def impatient():
        with chip.submit(work(100)) as request:
            try:
                yield request
            except simpy.Interrupt:
                return

    process = env.process(impatient())
    at(env, 10, process.interrupt)
    env.run(20)
    assert chip.counts["cancelled"] == 1
    assert (chip.busy_ticks, chip.idle_ticks) == (10, 10)
    chip.check()


def test_cancelling_what_is_over_does_nothing():
    env = simpy.Environment()
    chip = new_chip(env)
    request = chip.submit(work(1))
    env.run(request)
    request.cancel()
    assert chip.counts == {"submitted": 1, "done": 1}


def test_several_chips_in_a_row_share_an_environment():
    env = simpy.Environment()
    sensor = Chip(env, hwmodel.load("dadiannao", clock_hz=5e8), SECONDS_PER_UNIT)
    chip, log = new_chip(env), []

    def frame(number):
        yield env.timeout(number * 10)
        yield sensor.submit(work(4))
        result = yield chip.submit(work(5))
        log.append((number, result.finished))

    for number in range(3):
        env.process(frame(number))
    env.run()
    assert log == [(0, 13), (1, 23), (2, 33)]


def test_an_error_in_a_job_reaches_its_process_and_the_chip_goes_on():
    env, log = simpy.Environment(), []
    chip = new_chip(env)

    def wrong():
        yield work(2)[0]
        raise ValueError("no such thing")  # the line

    def process():
        try:
            yield chip.submit(wrong())
        except JobError as error:
            log.append((env.now, str(error)))
        result = yield chip.submit(work(1))
        log.append((env.now, result.status))

    env.process(process())
    env.run()
    assert log[1] == (3, "done")
    assert log[0][0] == 2
    assert log[0][1].startswith("scheduler.Chip: a job raised ValueError in test_chip.py, line ")
    assert log[0][1].endswith(', in wrong (raise ValueError("no such thing")  # the line): no such thing')
    chip.check()


def test_a_task_that_the_machine_cannot_map_is_raised_where_it_was_yielded():
    eie = hwmodel.load("eie")
    env, log = simpy.Environment(), []

    def careful():
        try:
            yield LAYER
        except hwmodel.UnsupportedError:
            log.append("refused")
        yield hwmodel.Task.matmul(np.ones((1, 8), np.float32), np.ones((8, 8), np.float32))

    env.run(Chip(env, eie).submit(careful()))
    assert log == ["refused"]


def test_the_environment_may_be_stepped_by_hand():
    env = simpy.Environment()
    request = new_chip(env).submit(work(3, 4))
    while request.callbacks is not None:
        env.step()
    assert (env.now, request.value.ticks) == (7, 7)


def test_real_time_passes_in_a_real_time_environment():
    env = simpy.rt.RealtimeEnvironment(factor=1e-6, strict=False)
    result = env.run(new_chip(env).submit(work(3, 4)))
    assert (result.finished, env.now) == (7, 7)


def test_gated_units_take_time_and_energy_to_wake():
    env = simpy.Environment()
    gating = PowerGating(after=10, wake=4, wake_pj=1000.0, leakage=0.25)
    chip, watts = new_chip(env, power_gating=gating), MACHINE.static_w()
    results = []

    def process():
        for pause in (5, 30):
            yield env.timeout(pause)
            results.append((yield chip.submit(work(2))))

    env.process(process())
    env.run(60)
    assert [(one.started, one.finished, one.waited) for one in results] == [(5, 7, 0), (41, 43, 4)]
    assert chip.wake_ticks == 4
    assert [chip.power(time) for time in (0, 16, 17, 36, 53, 59)] == pytest.approx(
        [watts, watts, watts / 4, watts / 4, watts / 4, watts / 4]
    )
    assert chip.power(38) == pytest.approx(watts + 1000 / 4 * 1e-3)
    powered, gated = 17 + (53 - 37), 20 + 7
    tasks = sum(picojoules(chip.timeline.dynamic.total(tick)) for tick in [60])
    expected = (powered + gated / 4) * watts * 1e3 + 1000 + tasks
    assert chip.energy_pj(0, 60) == pytest.approx(expected, rel=1e-12)
    chip.check()


def test_a_battery_dies_at_the_right_moment():
    """Static power alone, then a job: the battery asks when it will be empty, and again whenever that changes."""
    env, died = simpy.Environment(), []
    chip = new_chip(env)
    at(env, 100, lambda: chip.submit([LAYER] * 3))
    alone = scheduler.run(MACHINE, LAYER)
    dynamic = sum(MACHINE.prices.dynamic_pj(alone.ledger, MACHINE.name).values())
    static = MACHINE.static_w() * 1e3  # a tick, in picojoules
    capacity_pj = static * 100 + 1.5 * (dynamic + static * alone.ticks)

    def battery():
        while (left := chip.when_used(capacity_pj) - env.now) > 0:
            yield chip.changed | env.timeout(left) if left < inf else chip.changed
        died.append(env.now)

    env.process(battery())
    env.run(100 + 3 * alone.ticks)
    assert died == [pytest.approx(100 + 1.5 * alone.ticks, rel=1e-12)]
    assert chip.energy_pj(0, died[0]) == pytest.approx(capacity_pj, rel=1e-12)


# Faults


def run_with_faults(*faults, detail="operator", task=LAYER):
    env = simpy.Environment()
    chip = new_chip(env, detail=detail)
    request = chip.submit([task])
    for time, arguments in faults:
        if time:
            at(env, time, lambda arguments=arguments: chip.fail(**arguments))
        else:
            chip.fail(**arguments)
    result = env.run(request)
    chip.check()
    return result, chip


UNIT = MACHINE.plan(LAYER).stages[0].unit
ALONE = scheduler.run(MACHINE, LAYER)


@pytest.mark.parametrize("detail", ["operator", "job"])
@pytest.mark.parametrize("time", [0, 50])
def test_jobs_of_a_failed_copy_go_to_the_others_and_the_answer_stays_right(time, detail):
    result, chip = run_with_faults((time, {"unit": UNIT.name, "copy": 3}), detail=detail)
    assert result.ticks > ALONE.ticks
    assert np.array_equal(result.outputs[0], ALONE.outputs)
    outcome = result.run[0]
    outcome.check()
    assert outcome.products.all_there
    assert outcome.jobs == ALONE.jobs
    assert outcome.ledger.executed_macs >= ALONE.ledger.executed_macs
    assert result.energy_pj > picojoules(chip._prices.dynamic(ALONE.ledger))
    if time == 0:
        assert outcome.busy_ticks[3] == 0
        assert outcome.ledger.as_dict() == ALONE.ledger.as_dict()


def test_a_copy_that_recovers_works_again():
    for_ever, _ = run_with_faults((0, {"unit": UNIT.name, "copy": 3}))
    a_while, _ = run_with_faults((0, {"unit": UNIT.name, "copy": 3, "until": 60}))
    assert ALONE.ticks < a_while.ticks < for_ever.ticks
    assert a_while.run[0].busy_ticks[3] > 0
    assert np.array_equal(a_while.outputs[0], ALONE.outputs)


def test_what_was_drawn_before_a_fault_stays_drawn():
    env = simpy.Environment()
    chip, before = new_chip(env), []
    chip.submit([LAYER])
    at(env, 50, lambda: before.append((chip.energy_pj(0, 30), chip.energy_pj(0, 50))))
    at(env, 50, lambda: chip.fail(UNIT.name, copy=0))
    env.run()
    assert (chip.energy_pj(0, 30), chip.energy_pj(0, 50)) == before[0]


def test_a_job_fails_with_a_reason_if_no_copy_is_left_and_the_chip_goes_on():
    result, chip = run_with_faults((50, {"unit": UNIT.name}))
    assert result.status == "failed"
    assert result.reason == (f"no copy of unit {UNIT.name!r} is left, {UNIT.copies} have failed and none will recover")
    assert result.finished == 50
    again = chip.env.run(chip.submit([LAYER]))
    assert (again.status, again.ticks) == ("failed", 0)
    chip.check()


def test_jobs_wait_for_a_recovery_if_no_copy_is_left():
    result, _ = run_with_faults((0, {"unit": UNIT.name, "until": 500}))
    assert result.ticks == ALONE.ticks + 500
    assert np.array_equal(result.outputs[0], ALONE.outputs)


def test_a_fault_after_the_task_changes_nothing():
    result, _ = run_with_faults((0, {"unit": UNIT.name, "at": ALONE.ticks}))
    assert result.ticks == ALONE.ticks


@pytest.mark.parametrize("name", ["eie", "eyeriss", "eyeriss_v2_pe", "dadiannao", "cnvlutin"])
def test_playing_without_faults_is_playing(name):
    machine = hwmodel.load(name)
    weights = np.where(RANDOM.random((24, 32)) < 0.3, RANDOM.integers(1, 4, (24, 32)), 0).astype(np.float32)
    task = hwmodel.Task.matmul(np.maximum(RANDOM.integers(-3, 4, (1, 32)), 0).astype(np.float32), weights.T.copy())
    if machine.cannot_map(task) is not None:
        task = LAYER
    if machine.cannot_map(task) is not None:
        pytest.skip(f"{name} maps neither")
    plain = scheduler.run(machine, task, engine="event")
    played = scheduler.faults.play_with_faults(machine.plan(task), hwmodel.Products(task), ()).outcome
    assert (played.ticks, played.ledger.as_dict()) == (plain.ticks, plain.ledger.as_dict())
    assert np.array_equal(played.busy_ticks, plain.busy_ticks)
    assert np.array_equal(played.stall_ticks, plain.stall_ticks)
    assert np.array_equal(played.outputs, plain.outputs)


@pytest.mark.parametrize("seed", range(150))
def test_random_plans_lose_no_job_to_random_faults(random_plan, seed):
    random = Random(seed)
    plan = random_plan(random).plan()
    faults = []
    for stage in plan.stages:
        for copy in range(stage.unit.copies):
            if random.random() < 0.6:
                begin = random.randint(0, 12)
                until = begin + random.randint(1, 15) if copy or random.random() < 0.9 else None
                faults.append(scheduler.faults.Fault(stage.unit.name, copy, begin, until))
    healthy = scheduler.play(plan)
    played = scheduler.faults.play_with_faults(plan, None, faults)
    for stage in played.stages:
        stage.check()
    if played.outcome is None:
        assert played.reason
        return
    played.outcome.check()
    assert played.outcome.jobs == healthy.jobs
    assert played.outcome.ledger["job.count"] >= healthy.ledger["job.count"]
    assert played.outcome.ledger["round.count"] == healthy.ledger["round.count"]
    again = scheduler.faults.play_with_faults(plan, None, faults).outcome
    assert np.array_equal(again.busy_ticks, played.outcome.busy_ticks)
    without = scheduler.faults.play_with_faults(plan, None, ()).outcome
    assert (without.ticks, without.ledger.as_dict()) == (healthy.ticks, healthy.ledger.as_dict())
    assert np.array_equal(without.busy_ticks, healthy.busy_ticks)
    assert np.array_equal(without.stall_ticks, healthy.stall_ticks)


# Profiles


def test_a_profile_is_measured_once_and_served_by_drawing():
    env = simpy.Environment()
    chip = new_chip(env)
    profile = chip.profile([work(3), work(5), [LAYER]])
    assert profile.ticks == [3, 5, ALONE.ticks]
    drawn = {env.run(chip.submit(profile)).ticks for _ in range(60)}
    assert drawn == set(profile.ticks)
    result = env.run(chip.submit(profile))
    assert result.profiled
    assert result.outputs is None
    single = chip.profile([[LAYER]])
    assert env.run(chip.submit(single)).energy_pj == env.run(chip.submit([LAYER])).energy_pj
    chip.check()


def queue_waits(profile, load, requests, seed):
    """Send requests as a Poisson process; return what each waited, in ticks."""
    env, waits = simpy.Environment(), np.empty(requests)
    chip = new_chip(env)
    gaps = np.random.default_rng(seed).exponential(profile.mean_ticks / load, requests)

    def note(number, request):
        waits[number] = request.value.waited

    def source():
        for number, gap in enumerate(gaps.tolist()):
            yield env.timeout(gap)
            request = chip.submit(profile)
            request.callbacks.append(lambda event, number=number: note(number, event))

    env.process(source())
    env.run()
    chip.check()
    return waits


def confidence(waits, batches=50):
    """Return the mean, and half of its 99.9 % interval, by batch means: waits of neighbours depend on each other."""
    means = waits[: waits.size // batches * batches].reshape(batches, -1).mean(axis=1)
    return means.mean(), 3.5 * means.std(ddof=1) / np.sqrt(batches)


@pytest.mark.parametrize(
    ("ticks", "load"), [([1000], 0.5), ([1000], 0.7), ([200, 400, 3000], 0.5), ([500, 500, 500, 2500], 0.6)]
)
def test_waiting_times_are_those_of_queueing_theory(ticks, load):
    """M/D/1 and M/G/1 by Pollaczek and Khinchine: the mean wait is load / (1 - load) * (1 + cv^2) / 2 services.

    A request that comes within a tick waits for the next one, half a tick in the mean, beside services of a thousand.
    """
    profile = Profile("cnvlutin", ticks, [0] * len(ticks), [0] * len(ticks), seed=7)
    mean, variance = profile.mean_ticks, profile.variance_ticks
    expected = load / (1 - load) * (1 + variance / mean**2) / 2 * mean
    measured, half = confidence(queue_waits(profile, load, 100_000, seed=11))
    assert half < 0.1 * expected
    assert abs(measured - expected) < half + 1


# Conservation

ACTIONS = st.lists(
    st.tuples(
        st.integers(0, 40),  # pause before
        st.sampled_from(["submit", "submit", "submit", "layer", "profile", "cancel", "fail", "urgent"]),
        st.integers(0, 9),
    ),
    max_size=25,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    ACTIONS,
    st.sampled_from(["first_come", "priority", "deadline"]),
    st.booleans(),
    st.sampled_from([None, 0, 2]),
    st.sampled_from([None, PowerGating(), PowerGating(after=3, wake=2, wake_pj=5.0, leakage=0.1)]),
    st.sampled_from(["operator", "job"]),
)
def test_nothing_is_lost_whatever_happens(actions, policy, preemptive, queue_limit, gating, detail):
    """Energy of the timeline is that of ledgers and results; busy, waking and idle are all the time; jobs in are jobs out."""
    env, requests = simpy.Environment(), []
    chip = new_chip(env, policy=policy, preemptive=preemptive, queue_limit=queue_limit, power_gating=gating, detail=detail)
    profile = Profile("cnvlutin", [2, 9], [7 * QUANTA, 11], [0, 3])
    small = hwmodel.Task.matmul(np.eye(3, 40, dtype=np.float32), np.ones((40, 300), dtype=np.float32))

    def user():
        for pause, action, number in actions:
            yield env.timeout(pause / 2)
            if action == "submit":
                requests.append(chip.submit(work(*range(number)), priority=number, deadline=number * 10))
            elif action == "layer":
                requests.append(chip.submit([small, *work(2), small]))
            elif action == "urgent":
                requests.append(chip.submit(work(3, 3), priority=-1, deadline=0))
            elif action == "profile":
                requests.append(chip.submit(profile, priority=number))
            elif action == "cancel" and requests:
                requests[number % len(requests)].cancel()
            elif action == "fail":
                chip.fail(
                    UNIT.name, env.now + number % 3, env.now + number % 3 + 1 + number, copy=None if number > 7 else number
                )
            chip.check()

    env.process(user())
    env.run()
    env.run(int(env.now) + 10)
    chip.check()
    assert all(request.processed for request in requests)
    results = [request.value for request in requests]
    assert sum(result.ticks for result in results) == chip.busy_ticks
    assert (
        chip.counts["submitted"] == len(results) == sum(chip.counts[one] for one in ("done", "refused", "cancelled", "failed"))
    )
    dynamic = sum(request.energy for request in requests)
    assert chip.timeline.dynamic.total(10**9) + chip.timeline.offchip.total(10**9) == dynamic
    for result in results:
        assert result.waited >= 0
        assert result.started is None or result.submitted <= result.started <= result.finished
    if gating is None:
        idle = MACHINE.static_w() * 1e3 * chip.idle_ticks
        assert chip.energy_pj(0, env.now) == pytest.approx(sum(result.energy_pj for result in results) + idle, rel=1e-9)


def test_the_same_submissions_give_the_same_everything():
    def once():
        random, env, log = Random(3), simpy.Environment(), []
        chip = new_chip(env, preemptive=True)
        jobs = [
            (n, random.random() * 200, work(*(random.randint(0, 9) for _ in range(4))), {"priority": random.randint(0, 3)})
            for n in range(60)
        ]
        submit_at(env, chip, jobs, log)
        env.run()
        return log, chip.energy_pj(0, env.now)

    assert once() == once()


def test_five_thousand_jobs_of_no_ticks_do_not_recurse():
    env = simpy.Environment()
    chip = new_chip(env)
    chip.submit(work(1))
    last = [chip.submit([]) for _ in range(5000)][-1]
    assert env.run(last).finished == 1
    chip.check()


# Errors


@pytest.mark.parametrize(
    ("parameters", "kind", "message"),
    [
        (
            {"queue_limit": -1},
            ParameterError,
            "scheduler.Chip: queue_limit is -1, expected an integer of at least 0 or None for no limit.",
        ),
        (
            {"policy": "prioritty"},
            UnknownNameError,
            "scheduler.Chip: policy is 'prioritty', expected one of deadline, first_come, priority, shortest. Did you mean 'priority'?",
        ),
        (
            {"detail": "jobs"},
            UnknownNameError,
            "scheduler.Chip: detail is 'jobs', expected one of job, operator. Did you mean 'job'?",
        ),
        ({"power_gating": 3}, ParameterError, "scheduler.Chip: power_gating is 3, expected a scheduler.PowerGating or None."),
    ],
)
def test_parameters_that_mean_nothing_are_refused(parameters, kind, message):
    with pytest.raises(kind) as caught:
        new_chip(simpy.Environment(), **parameters)
    assert str(caught.value) == message


def test_a_machine_is_no_name_here():
    with pytest.raises(ParameterError) as caught:
        Chip(simpy.Environment(), "cnvlutin")
    assert str(caught.value) == (
        "scheduler.Chip: env is a Environment and machine a str, expected a simpy.Environment and a hwmodel.Machine. "
        "Make the machine with hwmodel.load."
    )


@pytest.mark.parametrize(
    ("job", "arguments", "parameters", "message"),
    [
        (
            3,
            {},
            {},
            "scheduler.Chip.submit: job is a int, expected something that yields tasks: a list of hwmodel.Task, a generator, or "
            "what eventnet.job makes of a model.",
        ),
        ([], {"priority": "high"}, {}, "scheduler.Chip.submit: priority is 'high', expected a number."),
        ([], {"deadline": "soon"}, {}, "scheduler.Chip.submit: deadline is 'soon', expected a number or None."),
        (
            [],
            {},
            {"policy": "shortest"},
            "scheduler.Chip.submit: the policy is 'shortest' and expected is None, expected the job's time in units of the "
            "environment. A profile of such jobs knows it.",
        ),
        (
            Profile("eie", [1], [1], [0]),
            {},
            {},
            "scheduler.Chip.submit: the profile was measured on machine 'eie', expected 'cnvlutin', the chip's. "
            "Measure one on a chip of this machine.",
        ),
    ],
)
def test_submissions_that_mean_nothing_are_refused(job, arguments, parameters, message):
    chip = new_chip(simpy.Environment(), **parameters)
    with pytest.raises(ParameterError) as caught:
        chip.submit(job, **arguments)
    assert str(caught.value) == message
    assert not chip.counts


def test_what_a_job_yields_is_a_task():
    env = simpy.Environment()
    with pytest.raises(JobError, match="a job yielded a int, expected a hwmodel"):
        env.run(new_chip(env).submit([1]))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"unit": "nothing"},
            UnknownNameError,
            "scheduler.Chip.fail: machine 'cnvlutin' has no unit 'nothing', expected one of ",
        ),
        (
            {"unit": UNIT.name, "copy": 999},
            ParameterError,
            f"scheduler.Chip.fail: copy is 999, expected 0 to {UNIT.copies - 1}, or None for every copy of {UNIT.name!r}.",
        ),
        (
            {"unit": UNIT.name, "at": 5, "until": 5},
            ParameterError,
            f"scheduler.Chip.fail: {UNIT.name!r} fails at 5 until 5, expected times in order and not before now, 0.",
        ),
    ],
)
def test_faults_that_mean_nothing_are_refused(arguments, kind, message):
    with pytest.raises(kind) as caught:
        new_chip(simpy.Environment()).fail(**arguments)
    assert str(caught.value).startswith(message)


def test_a_span_ends_after_it_begins():
    with pytest.raises(ParameterError) as caught:
        new_chip(simpy.Environment()).energy_pj(2, 1)
    assert str(caught.value) == "scheduler.Chip.energy_pj: the span is from 2 to 1, expected times in order."
