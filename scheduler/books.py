"""What a chip has done, and what became of what it was given: integers, counted as they happen.

Jobs, products, time and energy each come from one side and are found again on the other: `Books.check` holds them together.
"""

from collections import Counter

from hwmodel.ledger import Ledger
from hwmodel.task import Task
from scheduler.job import Step
from scheduler.power import PowerTimeline, Prices
from scheduler.request import Request
from scheduler.service import Service

ENDS = ("done", "refused", "cancelled", "failed", "error")


class Books:
    """The accounts of one chip.

    Attributes
    ----------
    counts
        How many jobs were ``"submitted"``, and of them how many are over, in each way (`ENDS`).
    macs
        Products of the tasks that were ``"begun"``, and of them those of tasks that were ``"done"``, ``"cancelled"`` on the way
        or ``"failed"``, as the dense operators have them.
    ledger
        What the units did in the tasks that were done.
    busy_ticks
        The time of all services that are over.
    offledger, offchip
        Dynamic energy that no ledger has (of tasks that were not done, and of profiles), and that of transfers, in quanta.
    """

    def __init__(self, prices: Prices) -> None:
        self.counts: Counter[str] = Counter()
        self.macs: Counter[str] = Counter()
        self.ledger = Ledger()
        self.busy_ticks = 0
        self.offledger = 0
        self.offchip = 0
        self._prices = prices

    def begin(self, step: Step) -> None:
        """Book a task that begins."""
        self.macs["begun"] += macs_of(step)

    def end(self, request: Request, step: Step | None, service: Service) -> None:
        """Book a service that has had its time."""
        if service.outcome is not None:
            self.ledger.add(service.outcome.ledger)
        else:
            self.offledger += service.dynamic
        if step is not None:
            self.macs["failed" if service.outcome is None else "done"] += macs_of(step)
        self._spend(request, service.ticks, service.dynamic, service.offchip)

    def cut(self, request: Request, step: Step | None, ticks: int, dynamic: int, offchip: int) -> None:
        """Book a service that was cancelled, with what it had taken by then."""
        self.offledger += dynamic
        if step is not None:
            self.macs["cancelled"] += macs_of(step)
        self._spend(request, ticks, dynamic, offchip)

    def _spend(self, request: Request, ticks: int, dynamic: int, offchip: int) -> None:
        self.busy_ticks += ticks
        self.offchip += offchip
        request.ticks += ticks
        request.energy += dynamic + offchip

    def check(self, timeline: PowerTimeline, unfinished: int, step: Step | None, service: Service | None) -> None:
        """Assert that jobs, products and energy are all accounted for, with so many unfinished jobs and what is served now."""
        counts, macs = self.counts, self.macs
        assert counts["submitted"] == sum(counts[one] for one in ENDS) + unfinished
        served_now = macs_of(step) if step is not None and service is not None else 0
        assert macs["begun"] == macs["done"] + macs["cancelled"] + macs["failed"] + served_now
        end = max(part.end for part in timeline.parts.values())
        dynamic = self._prices.dynamic(self.ledger) + self.offledger
        assert timeline.dynamic.total(end) == dynamic + (service.dynamic if service is not None else 0)
        assert timeline.offchip.total(end) == self.offchip + (service.offchip if service is not None else 0)


def macs_of(step: Step) -> int:
    """Return the products of a task, which vector work has none of."""
    return step.task.macs if isinstance(step.task, Task) else 0
