"""Many samples, one after the other, with running statistics in memory that does not grow with their number.

What ran need not be the same from sample to sample (early exits, experts, loops that halt): an operator's statistics are over
the samples in which it ran, and say in how many that was.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from eventnet.histogram import Histogram
from eventnet.merged import merged
from eventnet.progress import Bar
from eventnet.record import Record
from eventnet.run import Run
from hwmodel.errors import ParameterError
from hwmodel.machine import Machine

if TYPE_CHECKING:
    import pandas as pd

Operator = tuple[str, str, str]  # module, operator, part
CallOfOperator = tuple[str, str, str, int]  # and how many times the module was called before
Spreads = dict[str, "Spread"]  # of each number, by its name
Key = TypeVar("Key", Operator, CallOfOperator)

TOTALS = ("ticks", "energy_pj", "chip_pj", "zero_fraction", "speedup", "speedup_conv")
HISTOGRAMS = ("ticks", "energy_pj")
FIELDS = (
    "calls",
    "ticks",
    "macs",
    "effectual_macs",
    "executed_macs",
    "events",
    "zero_macs",
    "energy_pj",
    "pruned",
    "saturated",
    "vanished",
)
DISAGREED = 10  # samples that are listed by their number
NORMAL_95 = 1.959963984540054


@dataclass
class Spread:
    """Mean, standard deviation, extremes and 95 % interval of a number, updated one sample at a time.

    Source: B. Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics, 1962.
    """

    count: int = 0
    mean: float = 0.0
    minimum: float = math.inf
    maximum: float = -math.inf
    _squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one more value in."""
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)
        self.minimum = min(self.minimum, value)
        self.maximum = max(self.maximum, value)

    @property
    def deviation(self) -> float:
        """Standard deviation of the sample; 0 for fewer than two values."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """The interval that holds the mean with 95 % confidence, by the normal approximation."""
        half = NORMAL_95 * self.deviation / math.sqrt(self.count) if self.count else 0.0
        return self.mean - half, self.mean + half


@dataclass(repr=False)
class Samples:
    """Statistics over the runs of many samples on one machine.

    Memory grows with the number of different operators (and of calls of one module in a sample), not with that of samples.

    Attributes
    ----------
    count
        How many samples ran to the end.
    interrupted
        Whether an interrupt ended the work; everything before it is here.
    totals
        For each total of a run, its spread over the samples.
    histograms
        Of ticks and energy of a sample, how many samples took how much.
    operators
        For each (module, operator, part), the spread of each of its numbers over the samples in which it ran, all its calls in
        a sample together; ``calls`` is how many these were. Operators stand in the order in which they were first seen; those
        that only some samples ran, where these ran them.
    calls
        The same for each call of a module by itself: (module, operator, part, how many times the module was called before).
    disagreed
        The numbers of the first samples in which an operator disagreed with PyTorch, ten of them at most; None if it was not
        checked.
    disagreements
        In how many samples an operator disagreed.
    machine, baseline, settings
        What the samples ran on, what they are compared with, and the flags of the first run; None before it.
    """

    count: int = 0
    interrupted: bool = False
    totals: dict[str, Spread] = field(default_factory=dict)
    histograms: dict[str, Histogram] = field(default_factory=lambda: {name: Histogram() for name in HISTOGRAMS})
    operators: dict[Operator, Spreads] = field(default_factory=dict)
    calls: dict[CallOfOperator, Spreads] = field(default_factory=dict)
    disagreed: list[int] | None = None
    disagreements: int = 0
    machine: Machine | None = None
    baseline: Machine | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def add(self, run: Run) -> None:
        """Take the run of one more sample in.

        Raises
        ------
        ParameterError
            If it ran on another machine than the samples before.
        """
        self._check_machine(run)
        for name in TOTALS:
            value = getattr(run, name)
            if value is not None:
                self.totals.setdefault(name, Spread()).add(float(value))
        for name, histogram in self.histograms.items():
            histogram.add(getattr(run, name))
        self.operators = _taken_in(self.operators, run.timed_records, lambda one: (one.name, one.op, one.part))
        self.calls = _taken_in(self.calls, run.timed_records, lambda one: (one.name, one.op, one.part, one.call))
        if run.agreement is not None:
            self.disagreed = self.disagreed or []
            if not run.agreement:
                self.disagreements += 1
                if len(self.disagreed) < DISAGREED:
                    self.disagreed.append(self.count)
        self.count += 1

    def _check_machine(self, run: Run) -> None:
        if not self.count:
            self.machine, self.baseline, self.settings = run.machine, run.baseline, dict(run.settings)
        elif run.machine != self.machine or run.baseline != self.baseline:
            found, expected = _hardware(run.machine, run.baseline), _hardware(self.machine, self.baseline)
            raise ParameterError(
                f"Samples.add: the run is on {found}, expected {expected}, as the samples before. "
                "Keep those of each machine apart."
            )

    def __repr__(self) -> str:
        machine = "no machine" if self.machine is None else self.machine.name
        return f"<Samples on {machine}: {self.count} runs, {len(self.operators)} operators>"

    def __str__(self) -> str:
        from eventnet.reports.spread import table

        return table(self)

    def to_frame(self, calls: bool = False) -> "pd.DataFrame":
        """Return a pandas frame with one row for each operator, or for each call of its module."""
        from eventnet.reports.spread_frame import frame

        return frame(self, calls)

    def to_json(self, path: str | Path) -> None:
        """Write statistics, histograms and where they come from as JSON, whole or not at all."""
        from eventnet.reports.spread_document import write_json

        write_json(self, path)

    def to_html(self, path: str | Path) -> None:
        """Write one page that needs no network: totals, histograms, operators, prices and provenance, whole or not at all."""
        from eventnet.reports.spread_page import write_html

        write_html(self, path)


def _hardware(machine: Machine | None, baseline: Machine | None) -> str:
    alone = "no machine" if machine is None else machine.designation
    return alone if baseline is None else f"{alone} against {baseline.designation}"


def _taken_in(known: dict[Key, Spreads], records: Iterable[Record], key_of: Callable[[Record], Key]) -> dict[Key, Spreads]:
    """Add the records of one sample to the spreads of their keys. Cost: a look at each record; at all keys if one is new."""
    sums: dict[Key, dict[str, float]] = {}
    for record in records:
        numbers = sums.setdefault(key_of(record), dict.fromkeys(FIELDS, 0.0))
        for name in FIELDS:
            numbers[name] += 1 if name == "calls" else getattr(record, name)
    if not sums.keys() <= known.keys():
        new = {key: {name: Spread() for name in FIELDS} for key in sums if key not in known}
        known = {key: known[key] if key in known else new[key] for key in merged(list(known), sums)}
    for key, numbers in sums.items():
        for name, number in numbers.items():
            known[key][name].add(number)
    return known


def inputs_of(sample: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Return a sample as arguments and keyword arguments: it is a tensor, a tuple of the former or a dict of the latter."""
    if isinstance(sample, Mapping):
        return (), sample
    return tuple(sample) if isinstance(sample, tuple | list) else (sample,), {}


def run_samples(samples: Iterable[Any], one: Callable[[tuple[Any, ...], Mapping[str, Any]], Run], progress: bool) -> Samples:
    """Run samples one after the other; an interrupt ends the work and keeps what there is."""
    statistics = Samples()
    total = len(samples) if isinstance(samples, Sized) else None
    with Bar(samples, total=total, unit=" samples", disable=not progress) as bar:
        try:
            for sample in bar:
                statistics.add(one(*inputs_of(sample)))
        except KeyboardInterrupt:
            statistics.interrupted = True
    return statistics
