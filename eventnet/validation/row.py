"""One published figure and ours."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hwmodel.machine import Machine

MachineNamed = Callable[[str], Machine]
Known = Literal["read", "run", "computed", "digitised", "recalled"]


@dataclass(frozen=True)
class Row:
    """A figure of a paper.

    Attributes
    ----------
    machine, figure
        What it is about.
    published, ours
        The paper's number and the model's.
    band
        How far, relative to the published number, ours may lie from it; 0 for equal.
    source
        Where the published number stands.
    sure
        How it is known: read there, measured by running its authors' tool, computed from what was read, digitised from a
        picture, or recalled. A recalled number is provisional: leaving its band is shown and fails nothing.
    """

    machine: str
    figure: str
    published: float
    ours: float
    band: float
    source: str
    sure: Known

    @property
    def difference(self) -> float:
        """Ours relative to the published number, less one."""
        return self.ours / self.published - 1

    @property
    def holds(self) -> bool:
        """Tell whether ours lies in the band."""
        return abs(self.difference) <= self.band

    @property
    def provisional(self) -> bool:
        """Tell whether the published number is only recalled."""
        return self.sure == "recalled"
