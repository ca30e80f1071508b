"""The border between a chip's ticks and the time of somebody's environment.

A chip counts ticks, integers since it was made. A tick becomes a time by one division, from the beginning and never from the
tick before, so that a million inferences drift by nothing.
"""

import math
from collections.abc import Callable
from fractions import Fraction
from heapq import heapify
from numbers import Integral, Real
from typing import Any

from simpy import Environment
from simpy.core import SimTime
from simpy.events import Event

from hwmodel.errors import ParameterError

Time = int | float


MOST_TICKS = 1 << 63  # of a task: no simulation has more


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
        If a unit of time is not a number above 0, or so small that ticks have no times in floats.
    """

    def __init__(self, epoch: Time, seconds_per_unit: float, clock_hz: float, where: str = "scheduler.Chip") -> None:
        if not is_number(seconds_per_unit) or not 0 < seconds_per_unit < math.inf:
            raise ParameterError(
                f"{where}: seconds_per_unit is {seconds_per_unit!r}, expected a number above 0. "
                "It says how many seconds one unit of the environment's time is."
            )
        self._epoch = Fraction(plain(epoch))
        self.ticks_per_unit = self.exact(seconds_per_unit) * self.exact(clock_hz)
        try:
            float(MOST_TICKS / self.ticks_per_unit)
        except OverflowError:
            raise ParameterError(
                f"{where}: seconds_per_unit is {seconds_per_unit!r}, so that no float holds the times of the machine's ticks, "
                "expected a larger number. Say how many seconds one unit of the environment's time is."
            ) from None
        self._denominator = self._epoch.denominator * self.ticks_per_unit.numerator
        self._first = self._epoch.numerator * self.ticks_per_unit.numerator
        self._step = self.ticks_per_unit.denominator * self._epoch.denominator

    @staticmethod
    def exact(number: Time) -> Fraction:
        """Return what a number is written as: 0.1 is a tenth."""
        return Fraction(str(plain(number)))

    def time_of(self, tick: int | Fraction) -> float:
        """Return when a tick begins, rounded once."""
        return float((self._first + tick * self._step) / self._denominator)

    def tick_at(self, time: Time) -> int:
        """Return the first tick that does not begin before a time."""
        numerator, denominator = (time if type(time) in (int, float) else plain(time)).as_integer_ratio()
        above, below = numerator * self._denominator - self._first * denominator, self._step * denominator
        tick = -(-above // below)
        return tick - 1 if self.time_of(tick - 1) >= time else tick  # a time that was rounded up from a tick is that tick

    def position(self, time: Time) -> int | Fraction:
        """Return a time in ticks, an integer if it is what a tick became."""
        tick = self.tick_at(time)
        return tick if self.time_of(tick) == time else (Fraction(plain(time)) - self._epoch) * self.ticks_per_unit

    def units(self, ticks: int | Fraction) -> float:
        """Return how long so many ticks last, in the environment's units."""
        return float(ticks / self.ticks_per_unit)


def plain(time: Any) -> Time:
    """Return a number of any type as one of Python's own, which hold any integer; a fraction stays one."""
    if isinstance(time, Integral):
        return int(time)
    return time if isinstance(time, Fraction) else float(time)  # type: ignore[return-value]  # all that is asked of it is to be exact


def is_number(value: Any) -> bool:
    """Tell whether a value is a real number of any type, numpy's too; a NaN and a truth value are none."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(value == value)


class Alarm:
    """The one event that somebody has in an environment, at an absolute time; now if that is not in the future.

    An event that is not wanted any more is taken out of the environment's queue, or a simulation that runs until nothing is
    left would run on to its time. Cost: that of a bare event; to take it back, a look at every event in the queue.
    """

    __slots__ = ("_do", "_env", "_event", "_time")

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._event: Event | None = None

    @property
    def is_set(self) -> bool:
        """Tell whether something is to be done."""
        return self._event is not None

    def set(self, time: Time, do: Callable[[], None]) -> None:
        """Do something at a time, and not what was to be done."""
        if self._event is not None:
            self.cancel()
        self._time, self._do = time, do
        self._schedule()

    def cancel(self) -> None:
        """Do nothing any more; nothing happens if nothing was to be done."""
        event, self._event = self._event, None
        if event is None:
            return
        assert event.callbacks is not None
        event.callbacks.clear()
        queue = self._env._queue
        for place, entry in enumerate(queue):
            if entry[3] is event:
                queue[place] = queue[-1]
                queue.pop()
                heapify(queue)  # times, priorities and numbers of events are a total order: the others come as they would have
                return

    def _schedule(self) -> None:
        """Put the event into the environment's queue.

        SimPy adds a delay to its time, and there may be no float that gives the time wanted when added. From more than half
        of the way there always is one (their difference is exact), so the way may be gone in two steps.
        """
        env, time = self._env, self._time
        self._event = event = Event(env)
        event._ok, event._value = True, None  # triggered from the start, as simpy.Timeout is
        now: Any = env.now
        delay: SimTime = max(0, time - now)
        if delay and now + delay != time:
            delay *= 0.75
            event.callbacks.append(self._go_on)
        else:
            event.callbacks.append(self._ring)
        env.schedule(event, delay=delay)

    def _go_on(self, _event: Event) -> None:
        self._schedule()

    def _ring(self, _event: Event) -> None:
        self._event = None
        self._do()
