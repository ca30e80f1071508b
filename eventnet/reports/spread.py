"""Statistics over many samples as text."""

from eventnet.reports.table import aligned, quantity
from eventnet.samples import Samples, Spread


def table(samples: Samples) -> str:
    """Return the spread of ticks of every operator, then of the totals."""
    heads = ["module", "operator", "ran in", "mean ticks", "deviation", "least", "most", "mean events", "mean energy"]
    rows = [
        [
            name,
            op if part == "forward" else f"{op} {part}",
            f"{spreads['ticks'].count} of {samples.count}",
            *_cells(spreads["ticks"], 1),
            f"{spreads['events'].mean:,.1f}",
            quantity(spreads["energy_pj"].mean * 1e-12, "J"),
        ]
        for (name, op, part), spreads in samples.operators.items()
        if spreads["ticks"].maximum  # not what runs in the last stage of a product's pipeline
    ]
    lines = aligned([heads, *rows], left=2) if rows else ["no operator took time"]
    totals = [["total", "mean", "deviation", "least", "most", "95 % of the mean from", "to"]]
    for name, spread in samples.totals.items():
        numbers = (spread.mean, spread.deviation, spread.minimum, spread.maximum, *spread.interval)
        totals.append([name.removesuffix("_pj"), *(_number(name, value) for value in numbers)])
    ended = " before an interrupt" if samples.interrupted else ""
    judged = {None: "agreement not checked", True: "every operator of every sample agrees with PyTorch"}.get(
        None if samples.disagreed is None else not samples.disagreed, f"samples that DISAGREE with PyTorch: {samples.disagreed}"
    )
    return "\n".join([f"{samples.count} samples{ended}", "", *lines, "", *aligned(totals, left=1), "", judged])


def _number(name: str, value: float) -> str:
    if name.endswith("_pj"):
        return quantity(value * 1e-12, "J")
    return f"{value:,.1f}" if name == "ticks" else f"{value:.4f}"


def _cells(spread: Spread, digits: int) -> list[str]:
    return [f"{value:,.{digits}f}" for value in (spread.mean, spread.deviation, spread.minimum, spread.maximum)]
