"""What an action costs, and who says so: counts in, picojoules out."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from hwmodel.errors import PriceError
from hwmodel.ledger import Ledger

Sure = Literal["read", "run", "computed", "derived", "recalled", "count"]
"""How a number is known: read in the source, measured by running its tool, computed or derived from such, or recalled
from memory and so provisional. A ``count`` costs nothing by definition."""


@dataclass(frozen=True)
class Price:
    """Energy of one action, and the bytes it moves on the chip."""

    pj: float
    source: str
    sure: Sure
    node_nm: int
    bytes: float = 0.0


@dataclass(frozen=True)
class StaticPower:
    """Power that a component draws for as long as it is powered, whatever it does."""

    watts: float
    source: str
    sure: Sure
    node_nm: int


@dataclass(frozen=True)
class PriceTable:
    """The prices of a machine's actions and the static power of its components."""

    name: str
    actions: Mapping[str, Price]
    static: Mapping[str, StaticPower]

    def with_prices(self, name: str, **changes: Mapping[str, Price] | Mapping[str, StaticPower]) -> "PriceTable":
        """Return a table of another name with some ``actions`` or ``static`` components added or replaced."""
        actions = MappingProxyType({**self.actions, **changes.get("actions", {})})
        static = MappingProxyType({**self.static, **changes.get("static", {})})
        return PriceTable(name, actions, static)  # type: ignore[arg-type]  # the two kinds of changes keep apart

    def price(self, action: str, machine: str) -> Price:
        """Return the price of an action.

        Raises
        ------
        PriceError
            If the table has none: a missing price is never a silent zero.
        """
        if action not in self.actions:
            raise PriceError(
                f"price table {self.name!r}: machine {machine!r} booked the action {action!r}, which has no price. "
                f"Add it to the table; it prices {', '.join(sorted(self.actions))}."
            )
        return self.actions[action]

    def dynamic_pj(self, ledger: Ledger, machine: str) -> dict[str, float]:
        """Price every action of a ledger: picojoules by action, in the order of their names."""
        return {action: count * self.price(action, machine).pj for action, count in ledger.as_dict().items()}

    def onchip_bytes(self, ledger: Ledger, machine: str) -> int:
        """Add up the bytes that a ledger's actions moved on the chip."""
        return self.total(ledger, machine)[1]

    def total(self, ledger: Ledger, machine: str) -> tuple[float, int]:
        """Add up what `dynamic_pj` and `onchip_bytes` give: picojoules and bytes of all actions."""
        known = self.actions
        priced = [(count, known.get(action) or self.price(action, machine)) for action, count in sorted(ledger.counts.items())]
        return sum([count * price.pj for count, price in priced]), round(sum([count * price.bytes for count, price in priced]))


COUNT = Price(0.0, "a count for reports: nothing happens in the hardware", "count", 0)
