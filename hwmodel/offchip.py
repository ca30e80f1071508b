"""Off-chip traffic of a run: which parameters stay in on-chip weight memory, and which are read at each use."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from hwmodel.ledger import Ledger
from hwmodel.machine import Machine

READ = "offchip.read_byte"


@dataclass(frozen=True)
class Parameter:
    """A static operand at one use of it.

    Attributes
    ----------
    key
        What tells it from others; None for an operand that is no parameter.
    bytes
        Its size as the hardware stores it.
    read_bytes
        How much of it this use reads: all of it, unless it is a table and only some rows are looked up.
    """

    key: Hashable
    bytes: int
    read_bytes: int


NO_PARAMETER = Parameter(None, 0, 0)


@dataclass
class WeightMemory:
    """The on-chip weight memory of one machine during one run.

    Parameters fill it in order of first use and stay; one that does not fit is read anew at each use.
    """

    machine: Machine
    used_bytes: int = 0
    resident: set[Hashable] = field(default_factory=set)

    def use(self, parameter: Parameter) -> int:
        """Return the bytes that come onto the chip for one use of a parameter.

        A parameter that stays is read once, before the run, and that is not counted: a device holds its network.
        """
        if not parameter.bytes or parameter.key in self.resident:
            return 0
        if self.used_bytes + parameter.bytes <= self.machine.weight_memory_bytes:
            self.used_bytes += parameter.bytes
            self.resident.add(parameter.key)
            return 0
        return parameter.read_bytes

    def seconds(self, size: int) -> float:
        """Return how long a transfer of that many bytes takes."""
        return size / self.machine.offchip_bytes_per_second

    def pj(self, size: int) -> float:
        """Return the energy of a transfer of that many bytes."""
        ledger = Ledger()
        ledger.book(READ, size)
        return sum(self.machine.prices.dynamic_pj(ledger, self.machine.name).values())
