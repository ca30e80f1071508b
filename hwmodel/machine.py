"""The contract of a machine: a hardware design that makes plans of tasks, and has prices."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from hwmodel.errors import CountError
from hwmodel.ledger import Ledger
from hwmodel.parameters import check_parameters, parameter
from hwmodel.plan import Plan, Unit
from hwmodel.pricing import PriceTable
from hwmodel.task import Task
from hwmodel.vector import VectorTask

Zero = Literal["skip", "gate", "dense"]


@dataclass(frozen=True)
class ZeroPolicy:
    """What a machine does with a zero: ``skip`` it (no time, no energy), ``gate`` it (time, no energy), or neither."""

    activations: Zero
    weights: Zero


@dataclass(frozen=True)
class Machine(ABC):
    """A hardware design with its parameters, as a frozen dataclass; one file in ``hwmodel/machines`` each.

    A subclass gives ``name``, ``paper`` (one line), ``zero_policy``, its parameters, `plan`, `plan_units` and `prices`.
    """

    name: ClassVar[str]
    paper: ClassVar[str]
    zero_policy: ClassVar[ZeroPolicy]

    clock_hz: float = parameter(1e9, "clock frequency in hertz", minimum=1.0)

    def __post_init__(self) -> None:
        check_parameters(self, f"machine {self.name!r}")

    @abstractmethod
    def plan(self, task: Task) -> Plan:
        """Say which unit does what for a task, in rounds of jobs."""

    @property
    def plan_units(self) -> tuple[Unit, ...]:
        """Declare the units that its plans give work to, each with its copies; none if they are not declared."""
        return ()

    def refuse_uncountable(self, task: Task) -> None:
        """Raise CountError if a task has more products than 64 bits can count, for machines that count them job by job."""
        if task.macs >= 1 << 63:
            raise CountError(
                f"machine {self.name!r}: task {task.name!r} has {task.macs:,} products, expected fewer than 2^63. "
                "Cut it into smaller ones."
            )

    def vector_plan(self, task: VectorTask) -> Plan | None:
        """Say which unit does what for a vector task; None if the machine has no unit for such work."""
        return None

    @property
    @abstractmethod
    def prices(self) -> PriceTable:
        """Return the prices of every action that this machine's plans book, and its static power."""

    @property
    @abstractmethod
    def weight_memory_bytes(self) -> int:
        """Give the size of the on-chip weight memory: parameters that do not fit are read from off the chip."""

    def stored_bytes(self, task: Task, dense_bytes: int) -> int:
        """Give what so many bytes of a task's dense weights take in weight memory, if the machine stores them compressed."""
        return dense_bytes

    def weight_reads(self, task: Task) -> int:
        """Count how often a task reads weights that do not stay on the chip."""
        return 1

    def feature_map_bytes(self, task: Task) -> int:
        """Count the bytes of a task's activations and outputs that cross the chip's border; none if they stay on the chip."""
        return 0

    @property
    @abstractmethod
    def offchip_bytes_per_second(self) -> float:
        """Give the rate at which bytes cross the border of the chip."""

    @property
    def static_copies(self) -> Mapping[str, int]:
        """Say how many copies of each component with static power are powered; 1 of those not named."""
        return {}

    def static_w(self) -> float:
        """Add up the static power of all powered components, in watts."""
        copies = self.static_copies
        return sum(power.watts * copies.get(name, 1) for name, power in self.prices.static.items())

    def cannot_map(self, task: Task) -> str | None:
        """Say in one clause why this machine cannot multiply a task, or None if it can."""
        return None

    def remarks(self, ledger: Ledger) -> tuple[str, ...]:
        """Say in sentences what else the counts of a run tell about this machine."""
        return ()

    @property
    def designation(self) -> str:
        """Name the machine, with the parameters in which it differs from its paper's."""
        known = type(self).__dataclass_fields__
        changed = [f"{name}={value}" for name, value in self.parameters().items() if value != known[name].default]
        return self.name + (f":{','.join(changed)}" if changed else "")

    def parameters(self) -> dict[str, Any]:
        """Return every parameter with its value."""
        return asdict(self)
