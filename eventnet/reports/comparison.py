"""Runs of one program on several machines, side by side.

Machines that did the same tasks stand together, and are not divided by those that did others.
"""

from collections.abc import Sequence
from itertools import groupby

from eventnet.record import Record
from eventnet.reports.perfetto import label
from eventnet.reports.table import aligned, quantity
from eventnet.run import Run
from hwmodel.errors import ParameterError

HEADS = ("machine", "coverage", "ticks", "time", "dynamic", "static", "off chip", "executed", "effectual", "wasted", "on zeros")
NAMED = 3  # operators of one reason that are named; the others are counted


def comparison(runs: Sequence[Run]) -> str:
    """Return a row for each machine, those that did the same tasks together, and why tasks were left out.

    ``executed`` are the products that the machine multiplied, ``effectual`` those of them whose operands are both nonzero,
    ``wasted`` the rest; ``on zeros`` is the share of busy ticks that was spent on zeros. All are of the tasks that the machine
    did, which is why only machines that did the same tasks can be ranked.

    Parameters
    ----------
    runs
        From ``eventnet.simulate(..., machine=[...])``, or of the same program one after the other.

    Raises
    ------
    ParameterError
        If there are none, one has no machine, or they are of different programs.
    """
    _check(runs)
    ordered = sorted(runs, key=lambda run: (-run.coverage, _done(run), _name(run)))
    blocks = [list(block) for _, block in groupby(ordered, key=_done)]
    rows: list[list[str]] = [list(HEADS)]
    for place, block in enumerate(blocks):
        rows += [[""] * len(HEADS)] if place else []
        rows += [_row(run) for run in block]
    return "\n".join([_program(runs[0]), "", *aligned(rows, left=1), "", _ranked(blocks), *_said(ordered)])


def _check(runs: Sequence[Run]) -> None:
    where = "eventnet.reports.comparison"
    if not runs or any(run.machine is None for run in runs):
        found = "a run has no machine" if runs else "there are no runs"
        raise ParameterError(f"{where}: {found}, expected one run on each machine. Simulate with machine=[...].")
    if len({tuple((one.name, one.op, one.part, one.call, one.macs) for one in run.records) for run in runs}) > 1:
        raise ParameterError(
            f"{where}: the runs are of different programs, expected the same operators in each. Simulate all machines in one "
            "pass, with machine=[...]."
        )


def _name(run: Run) -> str:
    assert run.machine is not None
    return run.machine.designation


def _done(run: Run) -> tuple[bool, ...]:
    """Tell of each operator whether the machine did it."""
    return tuple(record.timed for record in run.records)


def _program(run: Run) -> str:
    effectual = sum(record.effectual_macs for record in run.records)
    share = f" ({effectual / run.macs:.1%})" if run.macs else ""
    return f"{run.macs:,} macs, of which {effectual:,}{share} are effectual"


def _row(run: Run) -> list[str]:
    executed = sum(one.executed_macs for one in run.timed_records)
    effectual = sum(one.effectual_macs for one in run.timed_records)
    busy = sum(one.busy_ticks for one in run.timed_records)
    useful = sum(one.useful_ticks for one in run.timed_records)
    return [
        _name(run),
        f"{run.coverage:.1%}",
        f"{run.ticks:,}",
        quantity(run.seconds, "s"),
        *(quantity(pj * 1e-12, "J") for pj in (run.dynamic_pj, run.static_pj, run.offchip_pj)),
        f"{executed:,}",
        f"{effectual:,}",
        f"{executed - effectual:,}",
        f"{1 - useful / busy:.1%}" if busy else "-",
    ]


def _ranked(blocks: list[list[Run]]) -> str:
    if len(blocks) == 1:
        return "compared   every machine did the same tasks"
    return (
        "compared   machines of one block did the same tasks; those of different blocks did different shares of the network, "
        "and are not ranked against each other"
    )


def _said(runs: Sequence[Run]) -> list[str]:
    lines = []
    for run in runs:
        left = _left(run)
        lines += [f"not mapped {_name(run)}: {left}"] if left else []
    for run in runs:
        lines += [f"remark     {_name(run)}: {remark}" for remark in run.remarks]
    judged = [f"agreement  {_name(run)}: {run.agreement}" for run in runs if run.agreement is not None]
    return lines + (judged or ["agreement  not checked, since PyTorch's own values flowed and nothing was multiplied"])


def _left(run: Run) -> str:
    """Say which operators the machine left to PyTorch, by reason."""
    reasons: dict[str, list[Record]] = {}
    for record in run.records:
        if not record.timed:
            reasons.setdefault(record.why or "they have no form here", []).append(record)
    return "; ".join(f"{_listed(records)}, because {why}" for why, records in reasons.items())


def _listed(records: list[Record]) -> str:
    names = list(dict.fromkeys(map(label, records)))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
