"""What may be asked of a chip about power and time: now, in a span, and when a battery will be empty."""

from abc import ABC, abstractmethod
from math import inf
from typing import Any

from simpy import Environment
from simpy.events import Event

from hwmodel.errors import ParameterError
from hwmodel.machine import Machine
from scheduler.clock import Clock, Time, is_number
from scheduler.gating import Supply
from scheduler.power import PJ, PowerTimeline, Tick, picojoules, quanta


class Metered(ABC):
    """Something in an environment with a clock of its own and a power timeline; a time in it is the environment's.

    Attributes
    ----------
    timeline
        What it draws, exactly, in quanta a tick.
    """

    where: str
    env: Environment
    machine: Machine
    clock: Clock
    timeline: PowerTimeline
    _supply: Supply
    _tick: int  # of the last border
    _changed: Event | None = None

    @property
    @abstractmethod
    def _reached(self) -> int:
        """Return the tick that it is now."""

    @property
    @abstractmethod
    def busy_ticks(self) -> int:
        """Count the ticks that it has worked on jobs."""

    @property
    @abstractmethod
    def wake_ticks(self) -> int:
        """Count the ticks that jobs have waited for its units to be switched on."""

    @property
    def idle_ticks(self) -> int:
        """Count the ticks that it has had no work."""
        return self._supply.idle_until(self._reached)

    @property
    def utilisation(self) -> float:
        """Return the share of its time that it has worked; 0 if no time has passed."""
        passed = self.busy_ticks + self.idle_ticks + self.wake_ticks
        return self.busy_ticks / passed if passed else 0.0

    @property
    def changed(self) -> Event:
        """Return an event that happens when the chip draws something else than it would have: look at `when_used` again."""
        if self._changed is None:
            self._changed = Event(self.env)
        return self._changed

    def _announce(self) -> None:
        event, self._changed = self._changed, None
        if event is not None:
            event.succeed()

    def power(self, time: Time) -> float:
        """Return what the chip draws at a time, in watts; in the future, if nothing else happens.

        Raises
        ------
        ParameterError
            If that is no time, or one that its timeline has forgotten.
        """
        position = self._position(time, "power")
        self._refuse_forgotten(time, position, "power")
        return picojoules(self.timeline.level(position)) * self.machine.clock_hz / PJ

    def energy_pj(self, first: Time, last: Time) -> float:
        """Return the energy of a span of time, exactly; in the future, if nothing else happens. See `PowerTimeline.energy`.

        Raises
        ------
        ParameterError
            If the times are not in order, or are none, or the span begins within what its timeline has forgotten.
        """
        begin, end = self._position(first, "energy_pj"), self._position(last, "energy_pj")
        if first > last:
            raise ParameterError(f"{self.where}.energy_pj: the span is from {first} to {last}, expected times in order.")
        if begin > 0:
            self._refuse_forgotten(first, begin, "energy_pj")
        self._refuse_forgotten(last, end, "energy_pj")
        return picojoules(self.timeline.energy(begin, end))

    def when_used(self, pj: float) -> float:
        """Return when the chip will have drawn an energy in all, if nothing else happens; infinite if never."""
        if not is_number(pj) or abs(pj) == inf:
            raise ParameterError(f"{self.where}.when_used: pj is {pj!r}, expected a number of picojoules.")
        tick = self.timeline.reaches(quanta(float(pj)), self._reached)
        return inf if tick is None else self.clock.time_of(tick)

    def _position(self, time: Any, what: str) -> Tick:
        if not is_number(time) or abs(time) == inf:
            raise ParameterError(f"{self.where}.{what}: the time is {time!r}, expected a number, as env.now is.")
        border = self._tick
        return border if self.clock.time_of(border) == time else self.clock.position(time)

    def _refuse_forgotten(self, time: Time, position: Tick, what: str) -> None:
        if position < self.timeline.known_from and position > 0:
            since = self.clock.time_of(self.timeline.known_from)
            raise ParameterError(
                f"{self.where}.{what}: {time} lies in what the timeline has forgotten, expected {since} or later. "
                "Keep a longer history."
            )
