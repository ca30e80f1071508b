"""A run as a JSON document: records, totals, and where every number comes from."""

import json
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from eventnet.reports.frame import row
from eventnet.reports.whole_file import write_whole
from eventnet.run import Run, Total
from hwmodel.machine import Machine

SCHEMA_VERSION = 1
PACKAGES = ("eventnet", "torch", "numpy", "numba", "simpy", "sortedcontainers")
TOTALS = (
    "ticks", "seconds", "baseline_ticks", "baseline_seconds", "dynamic_pj", "static_pj", "offchip_pj", "energy_pj", "chip_pj",
    "baseline_pj", "power_w", "speedup", "speedup_conv", "macs", "zero_fraction",
    "coverage", "unwatched", "pruned", "saturated", "vanished",
)  # fmt: skip


def document(run: Run) -> dict[str, Any]:
    """Return everything about a run that is text or a number."""
    return {
        **origin(run.settings, run.machine, run.baseline),
        "totals": {name: getattr(run, name) for name in TOTALS if run.machine is not None},
        "chip": {"machine": _total(run.total), "baseline": _total(run.baseline_total)},
        "lane_ticks": dict(run.lane_ticks),
        "agreement": None if run.agreement is None else {"agrees": bool(run.agreement), "says": str(run.agreement)},
        "output_difference": None if run.difference is None else asdict(run.difference),
        "remarks": list(run.remarks),
        "in_pipeline": dict(run.in_pipeline),
        "others": dict(run.others),
        "ledger": dict(run.ledger.as_dict()),
        "records": [{**row(record), "ledger": dict(record.ledger.as_dict())} for record in run.records],
    }


def origin(settings: Mapping[str, Any], machine: Machine | None, baseline: Machine | None) -> dict[str, Any]:
    """Return where the numbers of a document come from: versions, seed, flags, machines."""
    return {
        "schema_version": SCHEMA_VERSION,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "seed": torch.initial_seed(),
        "settings": dict(settings),
        "machine": _machine(machine),
        "baseline": _machine(baseline),
    }


def write_json(run: Run, path: str | Path) -> None:
    """Write the document as JSON, whole or not at all. Numbers that JSON lacks (NaN, infinity) become null."""
    write_whole(path, json.dumps(plain(document(run)), indent=1, allow_nan=False) + "\n")


def _total(total: Total | None) -> dict[str, Any] | None:
    if total is None:
        return None
    return {**asdict(total), **{name: getattr(total, name) for name in ("chip_j", "power_w", "edp_js", "ed2p_js2")}}


def _machine(machine: Machine | None) -> dict[str, Any] | None:
    if machine is None:
        return None
    prices = machine.prices
    return {
        "name": machine.name,
        "paper": machine.paper,
        "parameters": machine.parameters(),
        "prices": {
            "table": prices.name,
            "actions": {name: asdict(price) for name, price in sorted(prices.actions.items())},
            "static": {name: asdict(power) for name, power in sorted(prices.static.items())},
        },
    }


def plain(value: Any) -> Any:
    """Return nested data as JSON takes it, what is no finite number as None."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
