"""Many samples, one after the other, with running statistics in constant memory."""

import math
from collections.abc import Callable, Iterable, Mapping, Sized
from dataclasses import dataclass, field
from typing import Any

from eventnet.progress import Bar
from eventnet.run import Run

TOTALS = ("ticks", "energy_pj", "chip_pj", "zero_fraction", "speedup", "speedup_conv")
FIELDS = (
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


@dataclass
class Samples:
    """Statistics over the runs of many samples.

    Attributes
    ----------
    count
        How many samples ran to the end.
    interrupted
        Whether an interrupt ended the work; everything before it is here.
    totals
        For each total of a run, its spread over the samples.
    operators
        For each (module, operator, part), the spread of each of its numbers over the samples in which it ran.
    disagreed
        The numbers of the samples in which an operator disagreed with PyTorch; None if it was not checked.
    """

    count: int = 0
    interrupted: bool = False
    totals: dict[str, Spread] = field(default_factory=dict)
    operators: dict[tuple[str, str, str], dict[str, Spread]] = field(default_factory=dict)
    disagreed: list[int] | None = None

    def add(self, run: Run) -> None:
        """Take the run of one more sample in."""
        for name in TOTALS:
            value = getattr(run, name)
            if value is not None:
                self.totals.setdefault(name, Spread()).add(float(value))
        sums: dict[tuple[str, str, str], dict[str, float]] = {}
        for record in run.timed_records:
            numbers = sums.setdefault((record.name, record.op, record.part), dict.fromkeys(FIELDS, 0.0))
            for name in FIELDS:
                numbers[name] += getattr(record, name)
        for key, numbers in sums.items():
            spreads = self.operators.setdefault(key, {name: Spread() for name in FIELDS})
            for name, number in numbers.items():
                spreads[name].add(number)
        if run.agreement is not None:
            self.disagreed = self.disagreed or []
            if not run.agreement:
                self.disagreed.append(self.count)
        self.count += 1

    def __str__(self) -> str:
        from eventnet.reports.spread import table

        return table(self)


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
