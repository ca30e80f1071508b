"""A run as a pandas frame: one row for each record."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventnet.record import Record
from eventnet.reports.whole_file import write_whole
from eventnet.run import Run

if TYPE_CHECKING:
    import pandas as pd

DERIVED = ("zero_fraction", "event_fraction", "energy_pj", "max_error_ratio")
NOT_COLUMNS = ("verdict", "baseline_verdict", "ledger")


def row(record: Record) -> dict[str, Any]:
    """Return a record's numbers by name, where its lane time went included."""
    columns = {one.name: getattr(record, one.name) for one in fields(record) if one.name not in NOT_COLUMNS}
    derived = {name: getattr(record, name) for name in DERIVED}
    lanes = {f"lane_{category}_ticks": ticks for category, ticks in record.lane_ticks.items()}
    return {**columns, **derived, **lanes}


def frame(run: Run) -> "pd.DataFrame":
    """Return one row for each record, with the fields of the contract as columns."""
    import pandas as pd

    return pd.DataFrame([row(record) for record in run.records], columns=list(row(Record("", ""))))


def write_csv(run: Run, path: str | Path) -> None:
    """Write the frame as comma-separated values, whole or not at all."""
    write_whole(path, frame(run).to_csv(index=False))
