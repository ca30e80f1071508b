"""What is reported of one task, and of one operator that runs in PyTorch."""

from collections.abc import Mapping
from dataclasses import MISSING, field
from typing import Any

from eventnet.agreement import Verdict
from hwmodel.frozen import frozen
from hwmodel.lazy import lazy
from hwmodel.ledger import Ledger

CATEGORIES = ("nonzero", "zero", "stall", "first_layer", "other")


@frozen
class Record:
    """One task of a run; see the contract in DESIGN.md for what each number means.

    Operators without a form have ``timed=False``: PyTorch computes them, they take no ticks, and their ``macs`` (if they
    have any) lower the run's coverage. ``why`` says why an operator that could have had ticks has none. ``vector`` marks
    operators without products; those that run in the last stage of a product's pipeline have ``ticks`` 0.
    """

    name: str
    op: str
    part: str = "forward"
    call: int = 0
    timed: bool = True
    why: str = ""
    first_layer: bool = False
    convolution: bool = False
    vector: bool = False
    macs: int = 0
    effectual_macs: int = 0
    executed_macs: int = 0
    activations: int = 0
    events: int = 0
    pruned: int = 0
    zero_macs: int = 0
    numerics: str = ""
    activation_fraction_bits: int | None = None
    weight_fraction_bits: int | None = None
    output_fraction_bits: int | None = None
    saturated: int = 0
    vanished: int = 0
    ticks: int = 0
    lanes: int = 0
    busy_ticks: int = 0
    useful_ticks: int = 0
    stall_ticks: int = 0
    idle_ticks: int = 0
    dynamic_pj: float = 0.0
    static_pj: float = 0.0
    offchip_pj: float = 0.0
    onchip_bytes: int = 0
    offchip_bytes: int = 0
    offchip_seconds: float = 0.0
    bound: str = ""
    baseline_ticks: int | None = None
    baseline_pj: float | None = None
    baseline_dynamic_pj: float | None = None
    baseline_static_pj: float | None = None
    speedup: float | None = None
    verdict: Verdict | None = None
    baseline_verdict: Verdict | None = None
    ledger: Ledger = field(default_factory=Ledger)

    def of_call(self, name: str, call: int, activations: int, events: int) -> "Record":
        """Return the record of another call that took the same. Cost: a copy of the fields that are not as by default."""
        record = object.__new__(Record)
        vars(record).update(self._told, name=name, call=call, activations=activations, events=events)
        return record

    @lazy
    def _told(self) -> Mapping[str, Any]:
        """Give the fields that are not as by default; the others are found in the class."""
        return {name: told for name, told in vars(self).items() if told is not getattr(Record, name, MISSING)}

    @property
    def zero_fraction(self) -> float:
        """Share of ``macs`` whose activation operand is zero, padding included: the papers' measure."""
        return self.zero_macs / self.macs if self.macs else 0.0

    @property
    def event_fraction(self) -> float:
        """Share of the activations that are events."""
        return self.events / self.activations if self.activations else 0.0

    @property
    def energy_pj(self) -> float:
        """Dynamic, static and off-chip energy together."""
        return self.dynamic_pj + self.static_pj + self.offchip_pj

    @property
    def max_error_ratio(self) -> float | None:
        """Largest error over its bound; None if it was not checked."""
        return None if self.verdict is None else self.verdict.error_ratio

    @property
    def lane_ticks(self) -> Mapping[str, int]:
        """Where lane time went, in the Cnvlutin paper's five categories; they add up to lanes times ticks.

        A lane that has no work in a layer counts as stalled, and every lane in a layer that is not a convolution as other.
        """
        total = self.lanes * self.ticks
        shares = dict.fromkeys(CATEGORIES, 0)
        if self.first_layer:
            shares["first_layer"] = total
        elif not self.convolution:
            shares["other"] = total
        else:
            shares["nonzero"] = self.useful_ticks
            shares["zero"] = self.busy_ticks - self.useful_ticks
            shares["stall"] = self.stall_ticks + self.idle_ticks
        return shares
