"""Vector work: pooling, normalisation, element-wise operators, softmax, copies. No products, so many elements a tick."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwmodel.errors import ParameterError
from hwmodel.plan import Counts, Lockstep, Plan, Stage, Unit


@dataclass(frozen=True)
class VectorTask:
    """One vector operation, independent of any machine.

    Attributes
    ----------
    op
        What it is called: ``"pool"``, ``"norm"``, ``"softmax"``, ``"copy"`` or the name of an element-wise operator.
    elements
        How many elements go into the vector lanes.
    results
        How many come out.
    name, part
        The module it belongs to, and which part of an operator call it is.
    """

    op: str
    elements: int
    results: int = 0
    name: str = ""
    part: str = "forward"

    def __post_init__(self) -> None:
        if self.elements < 0 or self.results < 0:
            raise ParameterError(
                f"hwmodel.VectorTask {self.name!r}: {self.elements} elements and {self.results} results, expected numbers that "
                "are not negative. Count the elements of the operands."
            )

    @property
    def size(self) -> tuple[str, int, int]:
        """Give all that a machine's plan depends on: what is done, and to how many elements."""
        return self.op, self.elements, self.results


def vector_plan(
    task: VectorTask, unit: Unit, width: int, element_actions: Mapping[str, int], result_actions: Mapping[str, int]
) -> Plan:
    """Make one round of a vector task: ``ceil(elements / width)`` ticks, the elements dealt in rows of that width.

    Parameters
    ----------
    task
        What there is to do.
    unit
        Whose copies share a row's columns, neighbouring ones to each; a copy that gets none has no job.
    width
        Elements that all copies together take in a tick.
    element_actions, result_actions
        How often each action is done for an element that goes in, and for one that comes out.
    """
    full_rows, rest = divmod(task.elements, width)
    columns = np.arange(unit.copies + 1) * width // unit.copies  # copy c takes those from columns[c] up to columns[c + 1]
    widths, in_rest = np.diff(columns), np.diff(np.minimum(columns, rest))
    ticks = full_rows * (widths > 0) + (in_rest > 0)
    working = np.flatnonzero(ticks)
    busy, elements = Counts(ticks[working]), Counts((full_rows * widths + in_rest)[working])
    results = Counts(np.array([task.results]))
    rounds = Lockstep(
        copies=working,
        rounds=1,
        lane_ticks=busy.counts[:, None],
        useful_ticks=busy.times(1),
        actions=[(elements, element_actions)],
        round_actions=[(results, result_actions)],
    )
    return Plan((Stage(unit, lambda: [rounds]),))
