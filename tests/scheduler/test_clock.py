"""Ticks and the environment's time: one division at the border, and no drift."""

from fractions import Fraction

import pytest
import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.errors import ParameterError
from scheduler.clock import Alarm, Clock

UNITS = (1.0, 1e-3, 1e-6, 1e-9, 60, 3600.0, 1 / 3)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("epoch", [0, 0.1, 1e6])
def test_a_tick_that_became_a_time_becomes_that_tick_again(unit, epoch):
    clock = Clock(epoch, unit, 1e6)
    for tick in (0, 1, 3, 7, 1000, 999_983, 10**7):
        time = clock.time_of(tick)
        assert clock.tick_at(time) <= tick
        assert clock.time_of(clock.tick_at(time)) == time
        assert clock.position(time) in (tick, clock.tick_at(time))
        assert isinstance(clock.position(time), int)  # sums of integers are much faster than of fractions


def test_a_time_between_two_ticks_waits_for_the_next():
    clock = Clock(0, 1e-6, 1e6)
    assert clock.tick_at(2.5) == 3
    assert clock.position(2.5) == Fraction(5, 2)


def test_a_million_ticks_are_rounded_once():
    clock = Clock(0, 1.0, 606e6)
    assert clock.time_of(606_000_000) == 1.0
    assert clock.time_of(606_000_000 * 3600 * 24) == 86400.0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_something_happens_at_the_very_time_it_was_asked_for(now, time):
    env = simpy.Environment(now)
    happened = []
    Alarm(env).set(time, lambda: happened.append(env.now))
    env.run()
    assert happened == [max(now, time)]


@pytest.mark.parametrize("unit", [0, -1.0, True, "second", float("nan"), float("inf")])
def test_a_unit_of_time_is_a_number_above_zero(unit):
    with pytest.raises(ParameterError) as caught:
        Clock(0, unit, 1e9)
    assert str(caught.value) == (
        f"scheduler.Chip: seconds_per_unit is {unit!r}, expected a number above 0. "
        "It says how many seconds one unit of the environment's time is."
    )


def test_units_in_which_no_tick_has_a_time_are_refused():
    with pytest.raises(ParameterError) as caught:
        Clock(0.0, 5e-324, 1e9)
    assert str(caught.value) == (
        "scheduler.Chip: seconds_per_unit is 5e-324, so that no float holds the times of the machine's ticks, expected a larger "
        "number. Say how many seconds one unit of the environment's time is."
    )
