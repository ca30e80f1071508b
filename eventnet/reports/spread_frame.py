"""Statistics over many samples as a pandas frame: one row for each operator, or for each call of its module."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from eventnet.samples import FIELDS, Samples, Spread, Spreads

if TYPE_CHECKING:
    import pandas as pd


def numbers(spread: Spread) -> dict[str, float]:
    """Return the statistics of one number by name; ``low`` and ``high`` hold its mean with 95 % confidence."""
    low, high = spread.interval
    return {
        "mean": spread.mean,
        "deviation": spread.deviation,
        "minimum": spread.minimum,
        "maximum": spread.maximum,
        "low": low,
        "high": high,
    }


def rows(samples: Samples, calls: bool = False) -> Iterator[dict[str, Any]]:
    """Give a row for each operator, or for each call of its module, with the statistics of its numbers by name."""
    keyed: dict[Any, Spreads] = dict(samples.calls if calls else samples.operators)
    for key, spreads in keyed.items():
        named = dict(zip(("name", "op", "part", "call"), key, strict=False))
        yield {**named, "ran_in": spreads["ticks"].count, **{field: numbers(spreads[field]) for field in FIELDS}}


def frame(samples: Samples, calls: bool = False) -> "pd.DataFrame":
    """Return one row for each operator or call: in how many samples it ran, and columns such as ``ticks_mean``."""
    import pandas as pd

    heads = ["name", "op", "part", *(["call"] if calls else []), "ran_in"]
    columns = heads + [f"{field}_{statistic}" for field in FIELDS for statistic in numbers(Spread())]
    flat = [
        [row[head] for head in heads] + [number for field in FIELDS for number in row[field].values()]
        for row in rows(samples, calls)
    ]
    return pd.DataFrame(flat, columns=columns)
