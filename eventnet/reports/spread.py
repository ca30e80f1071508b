"""Statistics over many samples as text."""

from eventnet.reports.table import aligned
from eventnet.samples import Samples, Spread


def table(samples: Samples) -> str:
    """Return the spread of ticks of every operator, then of the totals."""
    heads = ["module", "operator", "ran in", "mean ticks", "deviation", "least", "most", "mean events", "mean energy uJ"]
    rows = [
        [
            name,
            op if part == "forward" else f"{op} {part}",
            f"{spreads['ticks'].count} of {samples.count}",
            *_cells(spreads["ticks"], 1),
            f"{spreads['events'].mean:,.1f}",
            f"{spreads['energy_pj'].mean * 1e-6:,.3f}",
        ]
        for (name, op, part), spreads in samples.operators.items()
    ]
    lines = aligned([heads, *rows], left=2) if rows else ["no operator took time"]
    totals = [["total", "mean", "deviation", "least", "most", "95 % of the mean from", "to"]]
    for name, spread in samples.totals.items():
        digits = 4 if spread.maximum < 100 else 1
        totals.append([name, *_cells(spread, digits), *(f"{end:,.{digits}f}" for end in spread.interval)])
    ended = " before an interrupt" if samples.interrupted else ""
    judged = {None: "agreement not checked", True: "every operator of every sample agrees with PyTorch"}.get(
        None if samples.disagreed is None else not samples.disagreed, f"samples that DISAGREE with PyTorch: {samples.disagreed}"
    )
    return "\n".join([f"{samples.count} samples{ended}", "", *lines, "", *aligned(totals, left=1), "", judged])


def _cells(spread: Spread, digits: int) -> list[str]:
    return [f"{value:,.{digits}f}" for value in (spread.mean, spread.deviation, spread.minimum, spread.maximum)]
