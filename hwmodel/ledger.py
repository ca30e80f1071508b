"""Integer counts of what the units of a machine did. Joules come later, from a price table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

MULTIPLY = ".multiply"  # an action whose name ends so is a multiplication, on every machine


@dataclass
class Ledger:
    """How often each action was done, by name: ``unit.action``."""

    counts: Counter[str] = field(default_factory=Counter)

    def book(self, action: str, count: int) -> None:
        """Add to an action's count; nothing is booked for a count of zero."""
        if count:
            self.counts[action] += int(count)

    def book_multiples(self, count: int, factors: Mapping[str, int]) -> None:
        """Add a multiple of one count to the count of each of several actions."""
        if count:
            for action, factor in factors.items():
                if factor:
                    self.counts[action] += count * factor

    def add(self, other: "Ledger") -> None:
        """Add all counts of another ledger."""
        self.counts.update(other.counts)

    def __getitem__(self, action: str) -> int:
        return self.counts[action]

    @property
    def executed_macs(self) -> int:
        """Count the multiplications that were done."""
        return sum(count for action, count in self.counts.items() if action.endswith(MULTIPLY))

    def as_dict(self) -> Mapping[str, int]:
        """Return the counts sorted by name."""
        return dict(sorted(self.counts.items()))
