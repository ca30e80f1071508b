"""The result of watching or simulating a program on one machine."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventnet.agreement import Agreement
from eventnet.difference import Difference
from eventnet.record import CATEGORIES, Record
from hwmodel.ledger import Ledger
from hwmodel.machine import Machine
from scheduler.trace import Span, Trace

if TYPE_CHECKING:
    import pandas as pd

    from eventnet.compare import Comparison


@dataclass(frozen=True)
class Total:
    """Time and energy of a whole run on one machine, off-chip transfers left out."""

    machine: str
    seconds: float
    dynamic_j: float
    static_j: float

    @property
    def chip_j(self) -> float:
        """Dynamic and static energy together."""
        return self.dynamic_j + self.static_j

    @property
    def power_w(self) -> float:
        """Energy over time; 0 if no time passed."""
        return self.chip_j / self.seconds if self.seconds else 0.0

    @property
    def edp_js(self) -> float:
        """Energy times delay."""
        return self.chip_j * self.seconds

    @property
    def ed2p_js2(self) -> float:
        """Energy times delay squared."""
        return self.edp_js * self.seconds


@dataclass(eq=False, repr=False)
class Run:
    """Records of every task, the program's outputs, and totals over them.

    Attributes
    ----------
    machine, baseline
        What it ran on and what it is compared with; None without.
    outputs
        What the model returned, computed from events; None when watching.
    records
        In the order in which operators ran.
    difference
        Final outputs against the untouched program's; None when watching.
    unwatched
        Tensors that reached an operator and that nothing that was seen had made.
    settings
        Every flag of the call, for the report.
    trace
        What each unit copy did in the tasks, and each job if it was asked for.
    spans
        Of records of tasks, their part of the trace.
    """

    machine: Machine | None
    baseline: Machine | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    outputs: Any = None
    difference: Difference | None = None
    unwatched: int = 0
    trace: Trace | None = None
    spans: dict[Record, Span] = field(default_factory=dict)

    def add(self, record: Record, span: Span | None) -> None:
        """Take a record in, together with its part of the trace if the machine has done its task."""
        self.records.append(record)
        if span is not None:
            self.spans[record] = span

    @property
    def timed_records(self) -> list[Record]:
        """List the records of tasks that the machine did."""
        return [record for record in self.records if record.timed]

    @property
    def product_records(self) -> list[Record]:
        """List those of them that multiplied, and were no vector work."""
        return [record for record in self.timed_records if not record.vector]

    @property
    def ticks(self) -> int:
        """Clock ticks of all tasks, one after the other."""
        return sum(record.ticks for record in self.records)

    @property
    def seconds(self) -> float:
        """The same in seconds."""
        return self.ticks / self._need_machine().clock_hz

    @property
    def baseline_ticks(self) -> int | None:
        """The baseline's clock ticks; None without one."""
        return None if self.baseline is None else sum(record.baseline_ticks or 0 for record in self.records)

    @property
    def baseline_seconds(self) -> float | None:
        """The same in seconds."""
        return None if self.baseline is None else (self.baseline_ticks or 0) / self.baseline.clock_hz

    @property
    def dynamic_pj(self) -> float:
        """Energy of all actions on the chip."""
        return sum(record.dynamic_pj for record in self.records)

    @property
    def static_pj(self) -> float:
        """Energy of the clock tree and leakage, for as long as tasks ran."""
        return sum(record.static_pj for record in self.records)

    @property
    def offchip_pj(self) -> float:
        """Energy of moving what does not stay on the chip: parameters that do not fit, and feature maps of some machines."""
        return sum(record.offchip_pj for record in self.records)

    @property
    def energy_pj(self) -> float:
        """Dynamic, static and off-chip energy together."""
        return self.dynamic_pj + self.static_pj + self.offchip_pj

    @property
    def chip_pj(self) -> float:
        """Dynamic and static energy: what the chip itself took."""
        return self.dynamic_pj + self.static_pj

    @property
    def baseline_pj(self) -> float | None:
        """The baseline's energy, all three parts; None without one."""
        return None if self.baseline is None else sum(record.baseline_pj or 0.0 for record in self.records)

    @property
    def power_w(self) -> float:
        """Energy over time, in watts; 0 if no time passed."""
        return self.energy_pj * 1e-12 / self.seconds if self.ticks else 0.0

    @property
    def total(self) -> "Total | None":
        """Time, energy and their products on the machine; None without one."""
        if self.machine is None:
            return None
        return Total(self.machine.name, self.seconds, self.dynamic_pj * 1e-12, self.static_pj * 1e-12)

    @property
    def baseline_total(self) -> "Total | None":
        """The same on the baseline; None without one."""
        if self.baseline is None:
            return None
        dynamic_pj = sum(record.baseline_dynamic_pj or 0.0 for record in self.records)
        static_pj = sum(record.baseline_static_pj or 0.0 for record in self.records)
        return Total(self.baseline.name, self.baseline_seconds or 0.0, dynamic_pj * 1e-12, static_pj * 1e-12)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about what was booked, such as how often an encoder is too slow, and of a trace that lacks its jobs."""
        failed = self.trace.failed if self.trace is not None else ""
        lacking = (f"the trace has operators only, since its jobs are not in their temporary file: {failed}",) if failed else ()
        return lacking if self.machine is None else (*self.machine.remarks(self.ledger), *lacking)

    @property
    def lacks(self) -> str:
        """Say in a sentence which products took no time, and why; empty if all of them did."""
        left = [record for record in self.records if record.macs and not record.timed]
        if not left or self.machine is None:
            return ""
        why = next((f", since {record.why}" for record in left if record.why), "")
        first = f"{left[0].op} in {left[0].name or 'the program'}"
        return (
            f"{len(left)} of {sum(record.macs > 0 for record in self.records)} products took no time on machine "
            f"{self.machine.name!r} (coverage {self.coverage:.1%}): {first} was left to PyTorch{why}"
        )

    @property
    def speedup(self) -> float | None:
        """Baseline seconds over seconds, all tasks; None without a baseline that did them all, or when no time passed."""
        return self._speedup(self.timed_records)

    @property
    def speedup_conv(self) -> float | None:
        """The same over convolutions only."""
        return self._speedup([record for record in self.timed_records if record.convolution])

    @property
    def macs(self) -> int:
        """Products of the dense operators, those that ran in PyTorch included where their number is known."""
        return sum(record.macs for record in self.records)

    @property
    def pruned(self) -> int:
        """Nonzero activations that the threshold dropped."""
        return sum(record.pruned for record in self.records)

    @property
    def saturated(self) -> int:
        """Elements of operands and results that were out of the range of fixed point."""
        return sum(record.saturated for record in self.records)

    @property
    def vanished(self) -> int:
        """Nonzero elements of operands and results that fixed point rounded to zero."""
        return sum(record.vanished for record in self.records)

    @property
    def zero_fraction(self) -> float:
        """Share of the timed operators' products whose activation operand is zero, weighted by products."""
        timed = sum(record.macs for record in self.timed_records)
        return sum(record.zero_macs for record in self.timed_records) / timed if timed else 0.0

    @property
    def coverage(self) -> float:
        """Share of the products that took time; 1 if there were none."""
        return sum(record.macs for record in self.timed_records) / self.macs if self.macs else 1.0

    @property
    def agreement(self) -> Agreement | None:
        """How the operators agreed with PyTorch; None if values were not computed from events."""
        if self.settings.get("values") == "reference":
            return None
        verdicts = (verdict for one in self.records for verdict in (one.verdict, one.baseline_verdict))
        judged = self.difference is not None and not any(one.pruned or one.numerics for one in self.records)
        return Agreement.of(verdicts, self.difference is None or not judged or self.difference.integers_equal)

    @property
    def ledger(self) -> Ledger:
        """How often each action was done, over all tasks."""
        total = Ledger()
        for record in self.records:
            total.add(record.ledger)
        return total

    @property
    def lane_ticks(self) -> Mapping[str, int]:
        """Where lane time went, over all tasks: the Cnvlutin paper's five categories."""
        total = dict.fromkeys(CATEGORIES, 0)
        for record in self.timed_records:
            for category, ticks in record.lane_ticks.items():
                total[category] += ticks
        return total

    @property
    def comparable(self) -> bool:
        """Tell whether the baseline did every task that the machine did: runs of unequal coverage are not divided."""
        return self.baseline is not None and all(record.baseline_ticks is not None for record in self.timed_records)

    @property
    def in_pipeline(self) -> Mapping[str, int]:
        """How often each element-wise operator ran behind a product, in the last stage of its pipeline, without ticks."""
        return Counter(record.op for record in self.timed_records if record.vector and not record.ticks)

    @property
    def others(self) -> Mapping[str, int]:
        """How often each operator ran in PyTorch alone, because it has no form or its machine cannot map it."""
        return Counter(record.op for record in self.records if not record.timed)

    def _speedup(self, records: list[Record]) -> float | None:
        ticks = sum(record.ticks for record in records)
        if self.baseline is None or not ticks or not self.comparable:
            return None
        baseline_ticks = sum(record.baseline_ticks or 0 for record in records)
        return (baseline_ticks / self.baseline.clock_hz) / (ticks / self._need_machine().clock_hz)

    def _need_machine(self) -> Machine:
        assert self.machine is not None, "a run without a machine has no seconds"
        return self.machine

    def compare(self, other: "Run") -> "Comparison":
        """Say which operators ran in this run and not in another, and how much more or less each took there.

        Raises
        ------
        ParameterError
            If ``other`` is no run, or one on another machine or other parameters.
        """
        from eventnet.compare import compare

        return compare(self, other)

    def __repr__(self) -> str:
        machine = "no machine" if self.machine is None else self.machine.name
        return f"<Run on {machine}: {len(self.timed_records)} tasks, {self.ticks:,} ticks>"

    def __str__(self) -> str:
        from eventnet.reports.table import table

        return table(self)

    def to_frame(self) -> "pd.DataFrame":
        """Return a pandas frame with one row for each record."""
        from eventnet.reports.frame import frame

        return frame(self)

    def to_csv(self, path: str | Path) -> None:
        """Write the frame as comma-separated values, whole or not at all."""
        from eventnet.reports.frame import write_csv

        write_csv(self, path)

    def to_json(self, path: str | Path) -> None:
        """Write records, totals and where they come from as JSON, whole or not at all."""
        from eventnet.reports.document import write_json

        write_json(self, path)

    def to_perfetto(self, path: str | Path) -> None:
        """Write the trace for Perfetto or Chrome as JSON, whole or not at all; see `eventnet.reports.perfetto`."""
        from eventnet.reports.perfetto import write_perfetto

        write_perfetto(self, path)

    def to_html(self, path: str | Path) -> None:
        """Write one page that needs no network: totals, table, charts, prices and provenance, whole or not at all."""
        from eventnet.reports.page import write_html

        write_html(self, path)
