"""Service measured once and then drawn: for fleets of chips and millions of requests."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hwmodel.errors import ParameterError

DRAWN_AT_ONCE = 4096


@dataclass(eq=False)
class Profile:
    """What jobs of one kind take on a machine, as they were measured; a job itself, that a chip serves by drawing one of them.

    Several chips of the same machine may share it.

    Attributes
    ----------
    machine
        The name of the machine that it was measured on.
    ticks
        How long each measured job took.
    dynamic, offchip
        Their energy, in quanta.
    seed
        Of the draws, which come in the order in which jobs begin.
    """

    machine: str
    ticks: Sequence[int]
    dynamic: Sequence[int]
    offchip: Sequence[int]
    seed: int = 0
    _drawn: list[int] = field(default_factory=list, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.ticks or not len(self.ticks) == len(self.dynamic) == len(self.offchip):
            raise ParameterError(
                f"scheduler.Profile: {len(self.ticks)} ticks, {len(self.dynamic)} dynamic and {len(self.offchip)} off-chip "
                "energies, expected as many of each and at least one."
            )
        self._random = np.random.default_rng(self.seed)
        self._services = list(zip(self.ticks, self.dynamic, self.offchip, strict=True))

    @property
    def mean_ticks(self) -> float:
        """Return the mean of the service times."""
        return float(np.mean(self.ticks))

    @property
    def variance_ticks(self) -> float:
        """Return the variance of the service times, of which the measured ones are all there are."""
        return float(np.var(self.ticks))

    def draw(self) -> tuple[int, int, int]:
        """Return ticks, dynamic and off-chip energy of one service. Cost: a constant, some thousand numbers at a time."""
        if len(self._services) == 1:
            return self._services[0]
        if not self._drawn:
            self._drawn = self._random.integers(len(self._services), size=DRAWN_AT_ONCE).tolist()
        return self._services[self._drawn.pop()]
