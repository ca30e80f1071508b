"""Each machine against its own paper: published figures beside what the models here give.

One file for each paper, found by presence; each has ``rows(machines)``. Nothing here is stored: every figure is computed by
planning and playing tasks when it is asked for.
"""

from collections.abc import Iterator, Mapping

from eventnet import validation as files
from eventnet.validation.row import MachineNamed, Row
from hwmodel.catalogue import load, modules_of
from hwmodel.machine import Machine


def rows(machines: Mapping[str, Machine] | None = None) -> Iterator[Row]:
    """Yield every figure, published and ours, in the order of their files.

    Parameters
    ----------
    machines
        Machines to take instead of the published ones, by name: with another parameter, ``ours`` moves.
    """
    changed = machines or {}

    def named(name: str) -> Machine:
        return changed[name] if name in changed else load(name)

    for module in modules_of(files):
        if hasattr(module, "rows"):
            yield from module.rows(named)


__all__ = ["MachineNamed", "Row", "rows"]
