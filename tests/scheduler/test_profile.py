"""Profiled service: drawn from what was measured, and measured again with the units that are left."""

import numpy as np
import pytest
import simpy

import hwmodel
from hwmodel.errors import ParameterError
from scheduler import Chip, JobError, Profile
from scheduler.power import QUANTA, picojoules

MACHINE = hwmodel.load("cnvlutin", clock_hz=1e9)
RANDOM = np.random.default_rng(0)
LAYER = hwmodel.Task.convolution(
    np.maximum(RANDOM.integers(-3, 4, (32, 8, 8)), 0).astype(np.float32),
    RANDOM.integers(-3, 4, (64, 32, 3, 3)).astype(np.float32),
    padding=1,
)
(LANE,) = MACHINE.plan_units


def new_chip(machine=MACHINE, **parameters):
    env = simpy.Environment()
    return env, Chip(env, machine, 1e-9, **parameters)


def at(env, time, do):
    def process():
        yield env.timeout(time - env.now)
        do()

    env.process(process())


def alone(*faults, job=(LAYER,)):
    """Serve the job itself, with faults from the beginning."""
    env, chip = new_chip()
    for copy in faults:
        chip.fail(LANE.name, copy=copy)
    return env.run(chip.submit(list(job)))


def test_a_profile_needs_as_many_energies_as_times():
    with pytest.raises(ParameterError) as caught:
        Profile("cnvlutin", [1, 2], [3], [0, 0])
    assert str(caught.value) == (
        "scheduler.Profile: 2 ticks, 1 dynamic and 2 off-chip energies, expected as many of each and at least one."
    )


def test_what_a_profile_is_served_with_units_down_is_measured_with_these_down():
    env, chip = new_chip()
    profile = chip.profile([[LAYER]])
    chip.fail(LANE.name, copy=3)
    result = env.run(chip.submit(profile))
    assert result.profiled
    assert result.ticks == alone(3).ticks > alone().ticks
    assert result.energy_pj == pytest.approx(alone(3).energy_pj, rel=1e-12)
    chip.check()


def test_what_was_measured_once_is_not_measured_again():
    env, chip = new_chip()
    profile = chip.profile([[LAYER]])
    measured, calls = profile.remeasure, []
    profile.remeasure = lambda *arguments: calls.append(arguments) or measured(*arguments)
    chip.fail(LANE.name, copy=3)
    for _ in range(5):
        env.run(chip.submit(profile))
    assert calls == [(0, frozenset({(LANE.name, 3)}))]


def test_the_rest_of_a_service_takes_its_share_of_what_the_units_left_take():
    healthy, faulty = alone().ticks, alone(3).ticks
    env, chip = new_chip()
    request = chip.submit(chip.profile([[LAYER]]))
    drawn = []
    at(env, healthy // 2, lambda: (drawn.append(chip.energy_pj(0, env.now)), chip.fail(LANE.name, copy=3)))
    result = env.run(request)
    left = 1 - (healthy // 2) / healthy
    assert result.ticks == healthy // 2 + int(np.ceil(left * faulty))
    assert chip.energy_pj(0, healthy // 2) == drawn[0]
    assert result.energy_pj == pytest.approx(left * alone(3).energy_pj + (1 - left) * alone().energy_pj, rel=1e-2)
    chip.check()


def test_a_service_goes_on_where_it_was_when_its_units_recover():
    env, chip = new_chip()
    request = chip.submit(chip.profile([[LAYER]]))
    at(env, 50, lambda: chip.fail(LANE.name, until=env.now + 1000))
    result = env.run(request)
    assert (result.status, result.ticks) == ("done", alone().ticks + 1000)
    assert chip.timeline.dynamic.total(10**6) == chip._prices.dynamic(alone().run[0].ledger)
    chip.check()


def test_a_profiled_job_fails_with_the_reason_if_all_units_have_failed_for_ever():
    env, chip = new_chip()
    profile = chip.profile([[LAYER]])
    request = chip.submit(profile)
    at(env, 50, lambda: chip.fail(LANE.name))
    result = env.run(request)
    reason = f"no copy of unit {LANE.name!r} is left, {LANE.copies} have failed and none will recover"
    assert (result.status, result.reason, result.finished, result.profiled) == ("failed", reason, 50, True)
    again = env.run(chip.submit(profile))
    assert (again.status, again.reason, again.ticks) == ("failed", reason, 0)
    chip.check()


def test_samples_that_need_no_failed_unit_are_served_as_ever():
    eyeriss = hwmodel.load("eyeriss", clock_hz=1e9)
    env, chip = new_chip(eyeriss)
    small = hwmodel.Task.convolution(np.ones((1, 5, 5), np.float32), np.ones((1, 1, 3, 3), np.float32))
    profile = chip.profile([[small]])
    last = next(unit.copies for unit in eyeriss.plan_units if unit.name == "pe") - 1
    chip.fail("pe", copy=last)
    assert env.run(chip.submit(profile)).ticks == profile.ticks[0]


def test_a_profile_of_plain_numbers_does_not_know_what_fewer_units_take():
    env, chip = new_chip()
    profile = Profile("cnvlutin", [100], [5 * QUANTA], [0])
    request = chip.submit(profile)
    at(env, 40, lambda: chip.fail(LANE.name, copy=3, until=60))
    result = env.run(request)
    assert (result.status, result.finished) == ("failed", 40)
    assert result.reason == (
        f"the profile was measured with every unit, and copy 3 of unit {LANE.name!r} is down: "
        "submit the job itself, or a profile made by Chip.profile, which measures again"
    )
    assert picojoules(chip.timeline.dynamic.total(100)) == pytest.approx(2)
    chip.check()
    env.run(60)
    assert env.run(chip.submit(profile)).status == "done"
    chip.check()


def test_a_sample_that_runs_once_is_not_measured_again():
    env, chip = new_chip()
    profile = chip.profile([iter([LAYER])])
    assert env.run(chip.submit(profile)).status == "done"
    chip.fail(LANE.name, copy=3)
    result = env.run(chip.submit(profile))
    assert result.reason == "a sample that can run only once, a generator for instance, is not measured again"


def test_a_sample_whose_code_raises_when_it_is_measured_again_fails_its_service():
    class Once:
        ran = False

        def __iter__(self):
            if self.ran:
                raise ValueError("no more")
            self.ran = True
            yield LAYER

    env, chip = new_chip()
    profile = chip.profile([Once()])
    chip.fail(LANE.name, copy=3)
    result = env.run(chip.submit(profile))
    assert result.status == "failed"
    assert result.reason.startswith("scheduler.Chip: a job raised ValueError in test_profile.py, line ")
    with pytest.raises(JobError):
        chip.profile([Once(), iter([3])])
