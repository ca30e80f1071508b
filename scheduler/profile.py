"""Service measured once and then drawn: for fleets of chips and millions of requests.

What a sample takes when units are down is measured too, when it is first needed. Within a service, the share of it that is left
when a unit fails or recovers takes its share of what is measured then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil

import numpy as np

from hwmodel.errors import EventNetError, ParameterError
from hwmodel.lazy import lazy
from hwmodel.machine import Machine
from scheduler.faults import Fault, NoUnitLeftError
from scheduler.service import Service

DRAWN_AT_ONCE = 4096

Measured = tuple[int, int, int]  # ticks, dynamic and off-chip energy in quanta
Down = frozenset[tuple[str, int]]  # unit copies


class UnmeasuredError(EventNetError, RuntimeError):
    """What a sample takes with the units that are left is not known."""


@dataclass(eq=False)
class Profile:
    """What jobs of one kind take on a machine, as they were measured; a job itself, that a chip serves by drawing one of them.

    Several chips of the same machine may share it.

    Attributes
    ----------
    machine
        What it was measured on: the machine, or the name of any of that kind.
    ticks
        How long each measured job took.
    dynamic, offchip
        Their energy, in quanta.
    seed
        Of the draws, which come in the order in which jobs begin.
    remeasure
        Measures a sample with some unit copies down; None if nobody can: a job then fails if any unit is down.

    Raises
    ------
    ParameterError
        If there are no measures, or not as many of each.
    """

    machine: Machine | str
    ticks: Sequence[int]
    dynamic: Sequence[int]
    offchip: Sequence[int]
    seed: int = 0
    remeasure: Callable[[int, Down], Measured] | None = field(default=None, repr=False)
    _drawn: list[int] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.ticks or not len(self.ticks) == len(self.dynamic) == len(self.offchip):
            raise ParameterError(
                f"scheduler.Profile: {len(self.ticks)} ticks, {len(self.dynamic)} dynamic and {len(self.offchip)} off-chip "
                "energies, expected as many of each and at least one."
            )
        self._random = np.random.default_rng(self.seed)
        self._services = [Service(None, "", *one, None) for one in zip(self.ticks, self.dynamic, self.offchip, strict=True)]
        self._with_down: dict[tuple[int, Down], Measured | NoUnitLeftError] = {}

    @lazy
    def mean_ticks(self) -> float:
        """Return the mean of the service times."""
        return float(np.mean(self.ticks))

    @property
    def variance_ticks(self) -> float:
        """Return the variance of the service times, of which the measured ones are all there are."""
        return float(np.var(self.ticks))

    def fits(self, machine: Machine) -> bool:
        """Tell whether it holds on a machine: the same, parameters included."""
        return self.machine == (machine.name if isinstance(self.machine, str) else machine)

    def draw(self) -> int:
        """Choose a sample; return its number. Cost: a constant, some thousand numbers at a time."""
        if len(self._services) == 1:
            return 0
        if not self._drawn:
            self._drawn = self._random.integers(len(self._services), size=DRAWN_AT_ONCE).tolist()
        return self._drawn.pop()

    def serve(self, sample: int, faults: Sequence[Fault] = ()) -> Service:
        """Return the service of a sample, while units fail and recover at ticks after its begin.

        It waits while nothing of it can be done, and fails if that is for ever, or if what it takes is not known.
        """
        if not faults:
            return self._services[sample]
        left = Fraction(1)
        dynamic = offchip = Fraction(0)
        borders = sorted({0, *(tick for fault in faults for tick in (fault.at, fault.until) if tick is not None and tick > 0)})
        for begin, end in zip(borders, [*borders[1:], None], strict=True):
            try:
                ticks, all_dynamic, all_offchip = self.takes(sample, down_from(faults, begin))
            except NoUnitLeftError as error:
                if end is None:
                    return Service(None, str(error), begin, round(dynamic), round(offchip), None)
                continue
            except UnmeasuredError as error:
                return Service(None, str(error), begin, round(dynamic), round(offchip), None)
            whole = ceil(left * ticks)
            done = left if end is None or begin + whole <= end else Fraction(end - begin, ticks)
            left, dynamic, offchip = left - done, dynamic + done * all_dynamic, offchip + done * all_offchip
            if not left:
                return Service(None, "", begin + whole, round(dynamic), round(offchip), None)
        raise AssertionError("the last span has no end")

    def takes(self, sample: int, down: Down) -> Measured:
        """Return what a sample takes with some unit copies down.

        Raises
        ------
        NoUnitLeftError
            If it cannot be done with those that are left.
        UnmeasuredError
            If nobody can measure that.
        """
        if not down:
            return self.ticks[sample], self.dynamic[sample], self.offchip[sample]
        if (sample, down) not in self._with_down:
            self._with_down[sample, down] = self._measure(sample, down)
        found = self._with_down[sample, down]
        if isinstance(found, NoUnitLeftError):
            raise found
        return found

    def _measure(self, sample: int, down: Down) -> Measured | NoUnitLeftError:
        if self.remeasure is None:
            unit, copy = min(down)
            raise UnmeasuredError(
                f"the profile was measured with every unit, and copy {copy} of unit {unit!r} is down: "
                "submit the job itself, or a profile made by Chip.profile, which measures again"
            )
        try:
            return self.remeasure(sample, down)
        except NoUnitLeftError as error:
            return error


def down_from(faults: Sequence[Fault], tick: int) -> Down:
    """Return the unit copies that are down from a tick on."""
    return frozenset(
        (fault.unit, fault.copy) for fault in faults if fault.at <= tick and (fault.until is None or fault.until > tick)
    )
