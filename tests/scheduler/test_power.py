"""The power timeline: step functions whose integrals are exact, in whatever pieces they are asked for."""

from fractions import Fraction
from itertools import pairwise
from random import Random

import numpy as np
import pytest

import hwmodel
from hwmodel.errors import ParameterError, PriceError
from hwmodel.ledger import Ledger
from scheduler.gating import PowerGating
from scheduler.power import QUANTA, PowerTimeline, Prices, StepFunction, picojoules, quanta


def test_a_span_draws_its_energy_evenly_and_nothing_behind_it():
    one = StepFunction()
    one.add(2, 6, 20)
    assert [one.level(tick) for tick in (0, 2, 5, 6)] == [0, 5, 5, 0]
    assert [one.total(tick) for tick in (0, 2, 3, 6, 100)] == [0, 0, 5, 20, 20]
    assert one.total(Fraction(5, 2)) == Fraction(5, 2)


def test_what_does_not_divide_by_the_ticks_is_not_lost():
    one = StepFunction()
    one.add(0, 3, 11)
    assert [one.total(tick) for tick in range(4)] == [2, 5, 8, 11]


def test_a_span_without_ticks_is_an_impulse_at_its_tick():
    one = StepFunction()
    one.add(4, 4, 7)
    assert [one.total(tick) for tick in (3, 4, 5)] == [0, 7, 7]
    assert one.level(4) == 0


def test_cutting_takes_back_exactly_what_was_to_come():
    one = StepFunction()
    one.add(0, 10, 101)
    assert one.cut(4) == 60
    assert one.total(100) == 41
    one.add(4, 6, 2)
    assert one.total(100) == 43
    one.check()


def test_a_level_stays_until_it_is_changed():
    one = StepFunction()
    one.step(0, 3)
    one.step(20, 0)  # planned
    one.change(10, 5)  # and taken back
    assert [one.total(tick) for tick in (10, 12, 20)] == [30, 40, 80]


def test_sums_do_not_depend_on_what_was_forgotten():
    one = StepFunction()
    for start in range(0, 100, 10):
        one.add(start, start + 5, 50)
    before = [one.total(tick) for tick in range(60, 110)]
    breakpoints = one.breakpoints
    one.forget(60)
    assert one.breakpoints < breakpoints
    assert [one.total(tick) for tick in range(60, 110)] == before


@pytest.mark.parametrize("seed", range(20))
def test_a_random_step_function_equals_its_ticks_added_one_by_one(seed):
    random, one, tick = Random(seed), StepFunction(), 0
    drawn = np.zeros(1000, dtype=object)
    for _ in range(40):
        start = tick + random.randint(0, 5)
        stop, energy = start + random.randint(1, 9), random.randint(0, 1000)
        one.add(start, stop, energy)
        level, rest = divmod(energy, stop - start)
        drawn[start:stop] += level
        drawn[start] += rest
        tick = stop
        if random.random() < 0.2:
            tick = random.randint(start, stop)
            assert one.cut(tick) == (drawn[tick:].sum() if tick > start else drawn[tick:].sum() - rest)
            drawn[tick:] = 0
            drawn[start] += rest if tick == start else 0
        one.check()
    for at in range(0, tick + 10, 7):
        inside = [one.total(at + 1) - one.total(at)] if at + 1 < tick else []
        assert one.total(tick + 10) == drawn.sum()
        assert all(value >= 0 for value in inside)


def test_two_spans_that_touch_add_up_to_both_of_them():
    timeline = PowerTimeline()
    timeline.dynamic.add(0, 7, quanta(1.1))
    timeline.static.step(0, quanta(0.3))
    cuts = [Fraction(0), Fraction(1, 3), Fraction(5, 2), Fraction(7), Fraction(22, 7) + 7]
    pieces = [timeline.energy(one, other) for one, other in pairwise(cuts)]
    assert sum(pieces) == timeline.energy(0, cuts[-1])


def test_the_energy_from_the_beginning_holds_an_impulse_at_the_beginning():
    timeline = PowerTimeline()
    timeline.offchip.add(0, 0, 5)
    assert timeline.energy(0, 1) == 5
    assert timeline.energy(1, 2) == 0


def test_the_tick_that_reaches_an_energy():
    timeline = PowerTimeline()
    timeline.static.step(0, 10)
    timeline.dynamic.add(4, 8, 40)
    assert timeline.reaches(20, 0) == 2
    assert timeline.reaches(45, 0) == Fraction(17, 4)
    assert timeline.reaches(45, 6) == Fraction(17, 4)  # in the past, too
    assert timeline.reaches(130, 0) == 9
    timeline.wake.add(9, 9, 100)
    assert timeline.reaches(200, 0) == 9


def test_an_energy_that_is_never_drawn_is_never_reached():
    timeline = PowerTimeline()
    timeline.dynamic.add(0, 4, 40)
    assert timeline.reaches(40, 0) == 4
    assert timeline.reaches(41, 0) is None


def test_quanta_hold_every_usual_float_exactly():
    for pj in (0.1, 3.7e-3, 1e9 / 3, 123.456):
        assert Fraction(quanta(pj), QUANTA) == Fraction(pj)
        assert picojoules(quanta(pj)) == pj


def test_a_priced_ledger_is_what_the_price_table_says():
    machine = hwmodel.load("cnvlutin")
    outcome = hwmodel.Task.matmul((1, 64), (64, 32))
    ledger = Ledger()
    for block in machine.plan(outcome).blocks():
        block.book(ledger)
    expected = sum(machine.prices.dynamic_pj(ledger, machine.name).values())
    assert picojoules(Prices(machine).dynamic(ledger)) == pytest.approx(expected, rel=1e-15)


def test_an_action_without_a_price_is_an_error():
    with pytest.raises(PriceError):
        Prices(hwmodel.load("cnvlutin")).of("unit.nothing")


@pytest.mark.parametrize(
    ("gating", "message"),
    [
        (PowerGating(after=-1), "here: power_gating has after=-1, expected a number of at least 0."),
        (PowerGating(leakage=1.5), "here: power_gating has leakage=1.5, expected a number from 0 to 1."),
        (PowerGating(wake=float("inf")), "here: power_gating has wake=inf, expected a number of at least 0."),
    ],
)
def test_gating_that_means_nothing_is_refused(gating, message):
    with pytest.raises(ParameterError) as caught:
        gating.check(hwmodel.load("cnvlutin"), "here")
    assert str(caught.value) == message


def test_gating_names_components_that_there_are():
    machine = hwmodel.load("cnvlutin")
    known = sorted(machine.prices.static)
    PowerGating(components=(known[0],)).check(machine, "here")
    with pytest.raises(ParameterError) as caught:
        PowerGating(components=("boiler",)).check(machine, "here")
    assert str(caught.value) == (
        "here: power_gating names the component 'boiler', which machine 'cnvlutin' does not have, "
        f"expected some of {', '.join(known)}."
    )
