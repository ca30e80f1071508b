"""Nothing is lost over hours of a chip's life: jobs, products, time and energy are each found again, to the last quantum.

Hypothesis drives jobs, cancellations, failures, recoveries, priorities, deadlines, policies, preemption, gating, limits and
environments through hours of simulated time, in gaps of a tick to half an hour, at the real clocks of the machines.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest
import simpy
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

import hwmodel
from scheduler import Chip, PowerGating, Profile, Request
from scheduler.power import QUANTA, picojoules

MACHINES = {
    "cnvlutin": hwmodel.load("cnvlutin"),
    "eyeriss": hwmodel.load("eyeriss", rows=3, columns=3),  # few copies, since with faults every job of each is played
    "eie": hwmodel.load("eie", pes=4),
}
SMALL = hwmodel.Task.matmul(np.eye(3, 40, dtype=np.float32), np.ones((40, 30), dtype=np.float32), name="small")
WIDE = hwmodel.Task.matmul(np.eye(1, 64, dtype=np.float32), np.ones((64, 64), dtype=np.float32), name="wide")
GAPS = [0, 0, 2e-9, 1e-7, 3.3e-6, 1e-3, 0.04, 1.0, 61.7, 1800.0]  # seconds
TICKS = [1, 7, 1000, 10**6, 10**9, 10**11]
ENDS = ("done", "refused", "cancelled", "failed")


@dataclass
class Job:
    """A job that notes how far it came."""

    tasks: list
    begun: int = 0
    outcomes: list = field(default_factory=list)
    request: Request | None = None
    stopped: bool = False

    @property
    def macs(self):
        return sum(getattr(task, "macs", 0) for task in self.tasks)

    @property
    def all_outcomes(self):
        """List the outcomes of its tasks, the last also if it waits for the chip, or was cancelled then, and did not hear of it."""
        heard, last = self.outcomes, self.request.reply
        return heard if last is None or any(last is one for one in heard) else [*heard, last]

    @property
    def done(self):
        return sum(getattr(task, "macs", 0) for task in self.tasks[: len(self.all_outcomes)])

    def steps(self):
        try:
            for task in self.tasks:
                self.begun += getattr(task, "macs", 0)
                self.outcomes.append((yield task))
        finally:
            self.stopped = True


@dataclass
class Life:
    """A chip in an environment, and what its user knows of it."""

    chip: Chip
    seconds_per_unit: float
    by_hand: bool
    requests: list = field(default_factory=list)
    jobs: list = field(default_factory=list)
    profiles: list = field(default_factory=list)

    def wait(self, seconds):
        """Let time pass, as `run` does or by hand."""
        env = self.chip.env
        until = env.now + seconds / self.seconds_per_unit
        if not self.by_hand:
            if until > env.now:
                env.run(until)
            return
        while env.peek() <= until:
            env.step()

    def do(self, action, number, gap):
        chip, env = self.chip, self.chip.env
        copies = {unit.name: unit.copies for unit in chip.machine.plan_units}
        if action == "submit":
            long = hwmodel.VectorTask("pool", 256 * TICKS[number % len(TICKS)], 1)
            vector = [long] if chip.machine.vector_plan(long) is not None else []
            job = Job([[SMALL], [SMALL, WIDE, SMALL], [WIDE, *vector, SMALL], [*vector, SMALL], []][number % 5])
            self.jobs.append(job)
            urgency = {"priority": number % 4 - 1, "deadline": env.now + 10 * number, "expected": number}
            job.request = chip.submit(job.steps(), **urgency)
            self.requests.append(job.request)
        elif action == "profile":
            self.requests.append(chip.submit(self.profiles[number % len(self.profiles)], priority=number % 3))
        elif action == "cancel" and self.requests:
            self.requests[-1 - number % min(len(self.requests), 5)].cancel()
        elif action in ("fail", "fail for a while"):
            unit = sorted(copies)[number % len(copies)]
            copy = None if number % 7 == 0 else number % copies[unit]
            until = env.now + max(1e-6, GAPS[number % len(GAPS)]) / self.seconds_per_unit
            if copy is None or action == "fail for a while":
                chip.fail(unit, until=until, copy=copy)
            else:
                chip.fail(unit, at=env.now + gap / self.seconds_per_unit, copy=copy)


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(GAPS),
        st.sampled_from(["submit"] * 8 + ["profile"] * 3 + ["cancel"] * 3 + ["fail for a while"] + ["fail"]),
        st.integers(0, 99),
    ),
    min_size=60,
    max_size=140,
)
GATINGS = (None, PowerGating(wake=2e-6, wake_pj=12.5), PowerGating(after=1e-3, wake=1e-6, wake_pj=5.0, leakage=0.1))


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    ACTIONS,
    st.sampled_from(sorted(MACHINES)),
    st.sampled_from([1.0, 1e-3, 1e-6, 0.1, 1 / 3, 3600.0]),
    st.sampled_from([0, 0.1, 1e5 + 1 / 3]),
    st.booleans(),
    st.fixed_dictionaries(
        {
            "policy": st.sampled_from(["first_come", "priority", "deadline", "shortest"]),
            "preemptive": st.booleans(),
            "queue_limit": st.sampled_from([None, None, 0, 2, 10]),
            "power_gating": st.sampled_from(GATINGS),
            "detail": st.sampled_from(["operator", "operator", "job"]),
        }
    ),
)
def test_nothing_is_lost_in_hours(actions, name, seconds_per_unit, start, by_hand, parameters):
    env = simpy.Environment(start)
    chip = Chip(env, MACHINES[name], seconds_per_unit, **parameters)
    life = Life(chip, seconds_per_unit, by_hand)
    life.profiles = [
        Profile(name, [10**9, 3], [7 * QUANTA, 11], [0, 3], seed=1),
        chip.profile([[SMALL], [SMALL, WIDE]], seed=2),
    ]
    for place, (gap, action, number) in enumerate(actions):
        life.do(action, number, gap)
        life.wait(gap)
        if place % 16 == 0:
            chip.check()
    assert_accounted_for(life, waiting=chip.waiting + (chip._serving is not None))
    for request in life.requests:  # what could last for years
        if not request.triggered and chip.waiting > 3:
            request.cancel()
    env.run()
    note(f"{(env.now - start) * seconds_per_unit / 3600:.1f} hours")
    assert all(request.processed for request in life.requests)
    assert_accounted_for(life, waiting=0)
    assert all(job.stopped or not job.begun for job in life.jobs)


def assert_accounted_for(life, waiting):
    chip, requests = life.chip, life.requests
    chip.check()
    over = [request.value for request in requests if request.triggered]
    ends = Counter(result.status for result in over)
    assert chip.counts["submitted"] == len(requests) == sum(ends.values()) + waiting
    assert {end: chip.counts[end] for end in ENDS} == {end: ends[end] for end in ENDS}

    begun, done = sum(job.begun for job in life.jobs), sum(job.done for job in life.jobs)
    assert (chip.macs["begun"], chip.macs["done"]) == (begun, done)
    assert chip.ledger.executed_macs == sum(one.ledger.executed_macs for job in life.jobs for one in job.all_outcomes)
    if not waiting:
        assert begun == done + chip.macs["cancelled"] + chip.macs["failed"]

    now = chip._reached
    assert chip.busy_ticks + chip.idle_ticks + chip.wake_ticks == now
    assert 0 <= chip.utilisation <= 1
    for result in over:
        assert result.waited >= 0
        assert result.started is None or result.submitted <= result.started <= result.finished
        if result.done:
            assert result.ticks == 0 or result.energy_pj > 0
    if waiting:
        return
    assert sum(result.ticks for result in over) == chip.busy_ticks
    lost = sum(job.macs - job.done for job in life.jobs if not job.request.value.done)
    assert sum(job.macs for job in life.jobs) == done + lost  # work in is work out, and what was refused, cancelled or failed
    dynamic, offchip = (part.total(max(now, part.end)) for part in (chip.timeline.dynamic, chip.timeline.offchip))
    assert dynamic + offchip == sum(request.energy for request in requests)
    assert_power_is_that_of_busy_idle_and_waking_time(chip, now, dynamic + offchip)


def assert_power_is_that_of_busy_idle_and_waking_time(chip, now, tasks):
    supply, gating = chip._supply, chip._supply.gating
    everything = chip.timeline.energy(0, now)
    if chip.clock.time_of(now - 1) < chip.clock.time_of(now) < chip.clock.time_of(now + 1):
        assert chip.energy_pj(chip.clock.time_of(0), chip.clock.time_of(now)) == picojoules(everything)
    wakes = chip.timeline.wake.total(now)
    assert wakes % supply.wake_energy == 0 if supply.wake_energy else wakes == 0
    if gating is None:
        assert everything == tasks + supply.level * now
    elif not gating.after:
        assert everything == tasks + wakes + supply.level * (chip.busy_ticks + chip.wake_ticks) + supply._left * chip.idle_ticks
    else:
        assert tasks + wakes + supply._left * now <= everything <= tasks + wakes + supply.level * now


@pytest.mark.parametrize(
    ("services", "seconds_per_unit", "start"),
    [(100_000, 1e-3, 0), (20_000, 1 / 3, 0), (20_000, 0.1, 1e6), (20_000, 1e-6, 12345.678), (20_000, 1.0, 1.7e9)],
)
def test_services_one_after_the_other_drift_by_nothing(services, seconds_per_unit, start):
    """606 MHz: no tick is a float in any of these units, and the last of all borders is the very float it should be."""
    env = simpy.Environment(start)
    chip = Chip(env, MACHINES["cnvlutin"], seconds_per_unit)
    profile = Profile("cnvlutin", [606, 607], [QUANTA] * 2, [0] * 2)
    finished = []

    def process():
        for _ in range(services):
            result = yield chip.submit(profile)
            assert result.waited == 0
        finished.append(result.finished)

    env.process(process())
    env.run()
    passed = Fraction(chip.busy_ticks) / (606_000_000 * Fraction(str(seconds_per_unit)))
    assert finished == [float(Fraction(start) + passed)] == [env.now]
    assert chip.idle_ticks == 0
    assert chip.utilisation == 1
    chip.check()
