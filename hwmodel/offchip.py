"""Off-chip traffic of a run: which parameters stay in on-chip weight memory, and which are read at each use."""

from collections.abc import Hashable
from dataclasses import dataclass, field

from hwmodel.ledger import Ledger
from hwmodel.machine import Machine

READ = "offchip.read_byte"


@dataclass
class WeightMemory:
    """The on-chip weight memory of one machine during one run.

    Parameters fill it in order of first use and stay; one that does not fit is read whole at each use.
    """

    machine: Machine
    used_bytes: int = 0
    resident: set[Hashable] = field(default_factory=set)

    def use(self, parameter: Hashable, size: int) -> int:
        """Return the bytes that come onto the chip for one use of a parameter of so many bytes.

        A parameter that stays is read once, before the run, and that is not counted: a device holds its network.
        """
        if not size or parameter in self.resident:
            return 0
        if self.used_bytes + size <= self.machine.weight_memory_bytes:
            self.used_bytes += size
            self.resident.add(parameter)
            return 0
        return size

    def seconds(self, size: int) -> float:
        """Return how long a transfer of that many bytes takes."""
        return size / self.machine.offchip_bytes_per_second

    def pj(self, size: int) -> float:
        """Return the energy of a transfer of that many bytes."""
        ledger = Ledger()
        ledger.book(READ, size)
        return sum(self.machine.prices.dynamic_pj(ledger, self.machine.name).values())
