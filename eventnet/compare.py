"""What one run did and another did not: two samples, or two states of one program, on the same machine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Any, Literal

from eventnet.merged import merged
from eventnet.record import Record
from eventnet.run import Run
from hwmodel.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

Where = Literal["both", "this", "other"]


@dataclass(frozen=True)
class Amounts:
    """What some records took together."""

    calls: int = 0
    macs: int = 0
    events: int = 0
    ticks: int = 0
    energy_pj: float = 0.0

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Amounts":
        """Add records up."""
        found = list(records)
        return cls(
            len(found),
            sum(one.macs for one in found),
            sum(one.events for one in found),
            sum(one.ticks for one in found),
            fsum(one.energy_pj for one in found),  # the same in any order
        )

    def __sub__(self, other: "Amounts") -> "Amounts":
        return Amounts(
            self.calls - other.calls,
            self.macs - other.macs,
            self.events - other.events,
            self.ticks - other.ticks,
            self.energy_pj - other.energy_pj,
        )


@dataclass(frozen=True)
class Compared:
    """One operator in two runs, all its calls together.

    Attributes
    ----------
    name, op, part
        The module, the operator, and the part of its call.
    this, other
        What it took in each; nothing where it did not run.
    """

    name: str
    op: str
    part: str
    this: Amounts
    other: Amounts

    @property
    def difference(self) -> Amounts:
        """What it took more in the other run."""
        return self.other - self.this

    @property
    def ran_in(self) -> Where:
        """Tell in which of the runs it ran."""
        if not self.other.calls:
            return "this"
        return "both" if self.this.calls else "other"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Two runs on one machine, operator by operator; prints what differs.

    Attributes
    ----------
    this, other
        The runs.
    operators
        Every operator that ran in either, timed or not, in the order of this run; those that only the other ran, where it ran
        them.
    """

    this: Run
    other: Run
    operators: tuple[Compared, ...]

    @property
    def total(self) -> Compared:
        """All operators together."""
        return Compared("", "", "", Amounts.of(self.this.records), Amounts.of(self.other.records))

    @property
    def only_this(self) -> tuple[Compared, ...]:
        """List the operators that ran in this run only."""
        return tuple(one for one in self.operators if one.ran_in == "this")

    @property
    def only_other(self) -> tuple[Compared, ...]:
        """List the operators that ran in the other run only."""
        return tuple(one for one in self.operators if one.ran_in == "other")

    @property
    def settings(self) -> Mapping[str, tuple[Any, Any]]:
        """Give the flags in which the runs differ, with both values."""
        names = dict.fromkeys([*self.this.settings, *self.other.settings])
        both = {name: (self.this.settings.get(name), self.other.settings.get(name)) for name in names}
        return {name: values for name, values in both.items() if values[0] != values[1]}

    def __repr__(self) -> str:
        return f"<Comparison: {len(self.operators)} operators, ticks {self.this.ticks:,} and {self.other.ticks:,}>"

    def __str__(self) -> str:
        from eventnet.reports.compared import table

        return table(self)

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas frame with one row for each operator that ran in either run."""
        from eventnet.reports.compared import frame

        return frame(self)


def compare(this: Run, other: Run) -> Comparison:
    """Set two runs on the same machine beside each other, operator by operator.

    Raises
    ------
    ParameterError
        If one is no run, or they are on different machines or other parameters of one.
    """
    if not isinstance(other, Run):
        raise ParameterError(f"Run.compare: other is {other!r}, expected a Run. eventnet.simulate returns one for a sample.")
    if this.machine != other.machine:
        found = " and ".join("no machine" if one.machine is None else one.machine.designation for one in (this, other))
        raise ParameterError(
            f"Run.compare: the runs are on {found}, expected one machine with the same parameters. "
            "Machines are set side by side by eventnet.reports.comparison.comparison."
        )
    ours, theirs = _by_operator(this), _by_operator(other)
    operators = (
        Compared(*key, Amounts.of(ours.get(key, ())), Amounts.of(theirs.get(key, ()))) for key in merged(list(ours), theirs)
    )
    return Comparison(this, other, tuple(operators))


def _by_operator(run: Run) -> dict[tuple[str, str, str], list[Record]]:
    found: dict[tuple[str, str, str], list[Record]] = {}
    for record in run.records:
        found.setdefault((record.name, record.op, record.part), []).append(record)
    return found
