"""Power over time as a step function, with exact integrals.

Energy is counted in quanta, integers of 2^-64 pJ, and time in ticks. So a sum does not depend on its order, what a chip's
timeline holds is to the last quantum what its ledgers price to, and the energies of two spans that touch add up to that of
both.

    PowerTimeline         what a chip draws: dynamic, static, gated, offchip, wake
      StepFunction        one of them
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from fractions import Fraction
from itertools import pairwise

from hwmodel.ledger import Ledger
from hwmodel.machine import Machine

QUANTA = 1 << 64  # in a picojoule
PJ = 1e12  # in a joule

PARTS = ("dynamic", "static", "gated", "offchip", "wake")
MOST_BREAKPOINTS = 1024  # before it is worth forgetting some

Tick = int | Fraction


def quanta(pj: float) -> int:
    """Return an energy as a whole number of quanta: exactly, for every float of at least 2^-12 pJ."""
    numerator, denominator = pj.as_integer_ratio()
    return (2 * numerator * QUANTA + denominator) // (2 * denominator)


def picojoules(energy: Tick) -> float:
    """Return quanta in picojoules, rounded once."""
    return float(energy / QUANTA) if isinstance(energy, Fraction) else energy / QUANTA


class Prices:
    """What a machine's actions and its static power cost, in quanta."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._actions: dict[str, int] = {}

    def of(self, action: str) -> int:
        """Return the price of an action; PriceError if it has none."""
        if action not in self._actions:
            self._actions[action] = quanta(float(self.machine.prices.price(action, self.machine.name).pj))
        return self._actions[action]

    def dynamic(self, ledger: Ledger) -> int:
        """Price all actions of a ledger."""
        return sum(count * self.of(action) for action, count in ledger.counts.items())

    def static_per_tick(self, components: Iterable[str] | None = None) -> int:
        """Return what some components draw in a tick whatever they do; all of them if none are named."""
        static, copies = self.machine.prices.static, self.machine.static_copies
        named = static if components is None else components
        watts = sum(static[one].watts * copies.get(one, 1) for one in named)
        return quanta(watts * PJ / self.machine.clock_hz)


class StepFunction:
    """Energy that is drawn at a level which changes at ticks, and in impulses at ticks.

    It is written in the order of time; `cut` takes the future back. Cost: a constant to write, O(log n) to read. A sorted
    container would be no faster, since nothing is ever inserted before the last breakpoint.
    """

    def __init__(self) -> None:
        self._ticks = [0]
        self._levels = [0]  # quanta a tick, from the breakpoint on
        self._sums = [0]  # quanta up to the breakpoint, its own impulse included

    @property
    def end(self) -> int:
        """Return the last breakpoint: what comes is to be written from there on."""
        return self._ticks[-1]

    @property
    def breakpoints(self) -> int:
        """Count the breakpoints."""
        return len(self._ticks)

    def step(self, tick: int, level: int, impulse: int = 0) -> None:
        """Draw at a level from a tick on, and an impulse at that tick."""
        ticks, last = self._ticks, self._ticks[-1]
        total = self._sums[-1] + impulse
        if tick == last:
            self._levels[-1] = level
            self._sums[-1] = total
            return
        assert tick > last, "written in the order of time"
        ticks.append(tick)
        self._sums.append(total + self._levels[-1] * (tick - last))
        self._levels.append(level)

    def add(self, start: int, stop: int, energy: int) -> None:
        """Spread an energy evenly over a span, and nothing behind it; an impulse if the span has no ticks.

        What does not divide by the ticks, less than a quantum a tick, is an impulse at the beginning.
        """
        if stop == start:
            self.step(start, 0, energy)
            return
        level, rest = divmod(energy, stop - start)
        self.step(start, level, rest)
        self.step(stop, 0)

    def cut(self, tick: int) -> int:
        """Forget what comes behind a tick, after which the level is 0; return the energy that was to come."""
        to_come = self._sums[-1] - int(self.total(tick))
        place = bisect_right(self._ticks, tick)
        del self._ticks[place:], self._levels[place:], self._sums[place:]
        self.step(tick, 0)
        return to_come

    def change(self, tick: int, level: int) -> None:
        """Draw at a level from a tick on, whatever was to come behind it."""
        if self._ticks[-1] > tick:
            self.cut(tick)
        self.step(tick, level)

    def level(self, tick: Tick) -> int:
        """Return the level at a tick, in quanta a tick."""
        place = bisect_right(self._ticks, tick) - 1
        return self._levels[place] if place >= 0 else 0

    def total(self, tick: Tick) -> Tick:
        """Return the energy up to a tick, an impulse at it included; exactly, a fraction within a tick."""
        place = bisect_right(self._ticks, tick) - 1
        return self._sums[place] + self._levels[place] * (tick - self._ticks[place]) if place >= 0 else 0

    def after(self, tick: Tick) -> list[int]:
        """List the breakpoints behind a tick."""
        return self._ticks[bisect_right(self._ticks, tick) :]

    def forget(self, tick: int) -> None:
        """Drop the breakpoints before a tick; what lay before it stays in every sum."""
        place = bisect_right(self._ticks, tick) - 1
        if place > 0:
            del self._ticks[:place], self._levels[:place], self._sums[:place]

    def check(self) -> None:
        """Assert that ticks rise, and that every sum is the one before and what was drawn since."""
        assert len(self._ticks) == len(self._levels) == len(self._sums)
        assert all(one < other for one, other in pairwise(self._ticks))
        for place in range(1, len(self._ticks)):
            drawn = self._levels[place - 1] * (self._ticks[place] - self._ticks[place - 1])
            assert self._sums[place] >= self._sums[place - 1] + drawn
        assert all(level >= 0 for level in self._levels)
        assert bisect_left(self._ticks, self._ticks[-1]) == len(self._ticks) - 1


class PowerTimeline:
    """What a chip draws over time, apart: dynamic, static, gated (leakage of gated units), offchip, and wake-ups.

    What lies in the future is what will be if nothing else happens. Every service adds breakpoints, about 115 bytes each, until
    they are forgotten: by `forget`, or by themselves with a ``history`` of so many ticks.

    Attributes
    ----------
    known_from
        The tick before which everything may be forgotten but its energy.
    """

    def __init__(self, history: int | None = None) -> None:
        self.known_from = 0
        self._history = history
        self._limit = MOST_BREAKPOINTS
        self.dynamic = StepFunction()
        self.static = StepFunction()
        self.gated = StepFunction()
        self.offchip = StepFunction()
        self.wake = StepFunction()

    @property
    def parts(self) -> dict[str, StepFunction]:
        """Return each part by its name."""
        return {name: getattr(self, name) for name in PARTS}

    def level(self, tick: Tick) -> int:
        """Return what all parts draw at a tick, in quanta a tick."""
        return sum(part.level(tick) for part in self.parts.values())

    def energy(self, first: Tick, last: Tick) -> Tick:
        """Return the energy of a span in quanta, an impulse at its end included; from the beginning if it begins at tick 0."""
        return sum(part.total(last) - (part.total(first) if first > 0 else 0) for part in self.parts.values())

    def reaches(self, energy: int, now: int) -> Tick | None:
        """Return the tick up to which an energy will have been drawn in all; None if that will never be.

        Cost: a look at each breakpoint behind now; if it has been drawn already, at all of them.
        """
        parts = list(self.parts.values())

        def total(tick: Tick) -> Tick:
            return sum(part.total(tick) for part in parts)

        known = {now} if total(now) < energy else {0}
        ticks = sorted(known.union(*(part.after(min(known)) for part in parts)))
        place = bisect_left([total(tick) for tick in ticks], energy)
        if place == 0:
            return ticks[0]
        before, level = ticks[place - 1], self.level(ticks[place - 1])
        reached = before + Fraction(energy - total(before)) / level if level else None
        if place == len(ticks):
            return reached
        return ticks[place] if reached is None else min(reached, Fraction(ticks[place]))  # or it is an impulse there

    def forget(self, tick: int) -> None:
        """Drop what lies before a tick, except its energy: memory then does not grow with time."""
        self.known_from = max(self.known_from, tick)
        for part in self.parts.values():
            part.forget(tick)

    def trim(self, now: int) -> None:
        """Forget what is older than its history, if enough has come together. Cost: a constant, on the average."""
        if self._history is not None and self.dynamic.breakpoints > self._limit:
            self.forget(now - self._history)
            self._limit = 2 * self.dynamic.breakpoints + MOST_BREAKPOINTS

    def check(self) -> None:
        """Assert that every part adds up."""
        for part in self.parts.values():
            part.check()
