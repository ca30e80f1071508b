"""The border between a chip's ticks and the time of somebody's environment.

A chip counts ticks, integers since it was made. A tick becomes a time by one division, from the beginning and never from the
tick before, so that a million inferences drift by nothing.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from simpy import Environment
from simpy.core import SimTime
from simpy.events import Event

from hwmodel.errors import ParameterError

Time = int | float


class Clock:
    """Ticks of a clock beside the time of an environment.

    Parameters
    ----------
    epoch
        The environment's time at tick 0.
    seconds_per_unit
        How many seconds one unit of the environment's time is. A float is taken as what it is written as: 1e-6 is a millionth.
    clock_hz
        Ticks a second.

    Raises
    ------
    ParameterError
        If a unit of time is not a number above 0.
    """

    def __init__(self, epoch: Time, seconds_per_unit: float, clock_hz: float, where: str = "scheduler.Chip") -> None:
        number = isinstance(seconds_per_unit, int | float) and not isinstance(seconds_per_unit, bool)
        if not number or not 0 < seconds_per_unit < math.inf:
            raise ParameterError(
                f"{where}: seconds_per_unit is {seconds_per_unit!r}, expected a number above 0. "
                "It says how many seconds one unit of the environment's time is."
            )
        self._epoch = Fraction(epoch)
        self.ticks_per_unit = self.exact(seconds_per_unit) * self.exact(clock_hz)
        self._denominator = self._epoch.denominator * self.ticks_per_unit.numerator
        self._first = self._epoch.numerator * self.ticks_per_unit.numerator
        self._step = self.ticks_per_unit.denominator * self._epoch.denominator

    @staticmethod
    def exact(number: Time) -> Fraction:
        """Return what a number is written as: 0.1 is a tenth."""
        return Fraction(str(number))

    def time_of(self, tick: int | Fraction) -> float:
        """Return when a tick begins, rounded once."""
        return float((self._first + tick * self._step) / self._denominator)

    def tick_at(self, time: Time) -> int:
        """Return the first tick that does not begin before a time."""
        numerator, denominator = time.as_integer_ratio()
        above, below = numerator * self._denominator - self._first * denominator, self._step * denominator
        tick = -(-above // below)
        return tick - 1 if self.time_of(tick - 1) >= time else tick  # a time that was rounded up from a tick is that tick

    def position(self, time: Time) -> int | Fraction:
        """Return a time in ticks, an integer if it is what a tick became."""
        tick = self.tick_at(time)
        return tick if self.time_of(tick) == time else (Fraction(time) - self._epoch) * self.ticks_per_unit

    def units(self, ticks: int | Fraction) -> float:
        """Return how long so many ticks last, in the environment's units."""
        return float(ticks / self.ticks_per_unit)


def call_at(env: Environment, time: Time, callback: Callable[[Event], None]) -> None:
    """Let something happen at an absolute time, now if that is not in the future.

    SimPy adds a delay to its time, and there may be no float that gives the time wanted when added. From more than half of
    the way there always is one (their difference is exact), so the way may be gone in two steps.
    """
    event = Event(env)
    event._ok, event._value = True, None  # triggered from the start, as simpy.Timeout is
    now: Any = env.now
    delay: SimTime = max(0, time - now)
    if delay and now + delay != time:
        event.callbacks.append(lambda _event: call_at(env, time, callback))
        delay *= 0.75
    else:
        event.callbacks.append(callback)
    env.schedule(event, delay=delay)
