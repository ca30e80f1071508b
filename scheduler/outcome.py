"""What one task took: ticks, where the time of each unit copy went, what was booked, and the answer."""

import numpy as np
from numpy.typing import NDArray

from hwmodel.frozen import frozen
from hwmodel.ledger import Ledger
from hwmodel.plan import Unit
from hwmodel.products import Products


@frozen
class Outcome:
    """The result of one task on one machine, the same from every engine.

    Attributes
    ----------
    ticks
        From the task's first issue to its drain.
    busy_ticks, stall_ticks, idle_ticks
        int64 (copies,): how long each unit copy served jobs, waited while it had or awaited work of this task, and
        waited without getting any. They are booked apart and add up to ``ticks`` for each copy.
    useful_ticks
        The busy ticks, of all copies, that were spent on nonzero operands.
    jobs
        How many jobs were done.
    ledger
        How often each action was done.
    units
        The units whose copies the arrays list, in this order.
    products
        The sums that the jobs made; None if nothing was multiplied.
    """

    ticks: int
    busy_ticks: NDArray[np.int64]
    stall_ticks: NDArray[np.int64]
    idle_ticks: NDArray[np.int64]
    useful_ticks: int
    jobs: int
    ledger: Ledger
    units: tuple[Unit, ...]
    products: Products | None

    @property
    def outputs(self) -> "NDArray[np.generic] | None":
        """Return the task's outputs, added up from its events; None if its operands have no values."""
        return None if self.products is None else self.products.outputs

    @property
    def total_ticks(self) -> tuple[int, int, int]:
        """Add the busy, stall and idle ticks of all copies up, exactly."""
        return sum(self.busy_ticks.tolist()), sum(self.stall_ticks.tolist()), sum(self.idle_ticks.tolist())

    def check(self) -> None:
        """Assert that the time of every unit copy is accounted for."""
        assert (self.busy_ticks + self.stall_ticks + self.idle_ticks == self.ticks).all()
        assert self.useful_ticks <= self.busy_ticks.sum()
