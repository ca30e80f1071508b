"""The units of a chip that are down, or will be, on the chip's own clock."""

from dataclasses import replace
from math import inf
from numbers import Integral
from typing import Any

from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError, UnknownNameError
from hwmodel.machine import Machine
from scheduler.clock import Clock, Time, is_number
from scheduler.faults import Fault


class Outages:
    """Faults that are not over, in ticks of a chip."""

    def __init__(self, machine: Machine, clock: Clock, where: str) -> None:
        self._machine = machine
        self._clock = clock
        self._where = f"{where}.fail"
        self._faults: list[Fault] = []

    def add(self, unit: str, at: Time | None, until: Time | None, copy: int | None, now: Time) -> int:
        """Let a unit fail, as `scheduler.Chip.fail` says; return the tick from which it is down."""
        copies = self._copies(unit)
        if copy is not None and not (isinstance(copy, Integral) and not isinstance(copy, bool) and 0 <= copy < copies):
            raise ParameterError(
                f"{self._where}: copy is {copy!r}, expected 0 to {copies - 1}, or None for every copy of {unit!r}."
            )
        begin, end = now if at is None else at, inf if until is None else until
        if not (is_number(begin) and is_number(end) and now <= begin < end):
            raise ParameterError(
                f"{self._where}: {unit!r} fails at {begin} until {until}, expected times in order and not before now, {now}."
            )
        first, last = self._clock.tick_at(begin), None if end == inf else self._clock.tick_at(end)
        if last is None or first < last:  # or it has recovered at the beginning of the tick at whose end it would fail
            self._faults += [Fault(unit, one, first, last) for one in (range(copies) if copy is None else (int(copy),))]
        return first

    def _copies(self, unit: str) -> int:
        copies = {one.name: one.copies for one in self._machine.plan_units}
        if not copies:
            raise ParameterError(
                f"{self._where}: machine {self._machine.name!r} does not declare its units, expected those of its plans. "
                "Give it the property plan_units."
            )
        if not isinstance(unit, str) or unit not in copies:
            raise UnknownNameError(
                f"{self._where}: machine {self._machine.name!r} has no unit {unit!r}, {expected_one_of(str(unit), copies)}"
            )
        return copies[unit]

    def after(self, tick: int) -> list[Fault]:
        """List the faults of something that begins at a tick, in ticks from there on; forget those that are over then."""
        if not self._faults:
            return self._faults
        self._faults = [fault for fault in self._faults if fault.until is None or fault.until > tick]
        return [_moved(fault, tick) for fault in self._faults]


def _moved(fault: Fault, tick: int) -> Fault:
    until: Any = None if fault.until is None else fault.until - tick
    return replace(fault, at=fault.at - tick, until=until)
