"""Two runs on one machine, as text and as a pandas frame: a row for each operator."""

from dataclasses import fields
from typing import TYPE_CHECKING

from eventnet.compare import Amounts, Compared, Comparison
from eventnet.reports.table import aligned, quantity

if TYPE_CHECKING:
    import pandas as pd

AMOUNTS = tuple(one.name for one in fields(Amounts))
NAMED = 12  # operators that ran in one run only and are named; the others are counted
HEADS = ("module", "operator", "ran in", "calls", "other", "ticks", "other", "more", "more macs", "more events", "more energy")


def table(comparison: Comparison) -> str:
    """Return a row for each operator that differs, the totals, and what ran in one run only; *more* is in the other run."""
    changed = [one for one in comparison.operators if one.difference != Amounts()]
    lines = aligned([list(HEADS), *map(_row, changed)], left=3) if changed else ["no operator differs"]
    return "\n".join([_title(comparison), "", *lines, "", *aligned(_total_rows(comparison), left=1), "", *_notes(comparison)])


def frame(comparison: Comparison) -> "pd.DataFrame":
    """Return one row for each operator that ran in either run: ``ran_in``, and columns such as ``ticks_difference``."""
    import pandas as pd

    columns = [f"{amount}_{side}" for amount in AMOUNTS for side in ("this", "other", "difference")]
    rows = [
        [one.name, one.op, one.part, one.ran_in]
        + [getattr(side, amount) for amount in AMOUNTS for side in (one.this, one.other, one.difference)]
        for one in comparison.operators
    ]
    return pd.DataFrame(rows, columns=["name", "op", "part", "ran_in", *columns])


def _title(comparison: Comparison) -> str:
    machine = comparison.this.machine
    return f"this run and another on {'no machine' if machine is None else machine.designation}"


def _row(one: Compared) -> list[str]:
    more = one.difference
    return [
        one.name,
        _operator(one),
        one.ran_in,
        f"{one.this.calls:,}",
        f"{one.other.calls:,}",
        f"{one.this.ticks:,}",
        f"{one.other.ticks:,}",
        *(_signed(number) for number in (more.ticks, more.macs, more.events)),
        _signed_joules(more.energy_pj),
    ]


def _total_rows(comparison: Comparison) -> list[list[str]]:
    total = comparison.total
    rows = [["total", "this", "other", "more", "ratio"]]
    for name in AMOUNTS:
        this, other, more = (getattr(side, name) for side in (total.this, total.other, total.difference))
        if name == "energy_pj":
            cells = [quantity(this * 1e-12, "J"), quantity(other * 1e-12, "J"), _signed_joules(more)]
        else:
            cells = [f"{this:,}", f"{other:,}", _signed(more)]
        rows.append([name.removesuffix("_pj"), *cells, f"{other / this:.3f}" if this else "-"])
    return rows


def _notes(comparison: Comparison) -> list[str]:
    equal = sum(one.difference == Amounts() for one in comparison.operators)
    notes = [f"alike      {equal} of {len(comparison.operators)} operators took the same in both"]
    for label, found in (("only this", comparison.only_this), ("only other", comparison.only_other)):
        if found:
            more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
            notes.append(f"{label:<11}{', '.join(f'{_operator(one)} in {one.name}' for one in found[:NAMED])}{more}")
    for name, (this, other) in comparison.settings.items():
        notes.append(f"flag       {name} is {this!r} in this run, {other!r} in the other")
    return notes


def _operator(one: Compared) -> str:
    return one.op if one.part == "forward" else f"{one.op} {one.part}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else "0"


def _signed_joules(picojoules: float) -> str:
    return ("+" if picojoules > 0 else "") + quantity(picojoules * 1e-12, "J")
