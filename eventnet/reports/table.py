"""A run as text: a row for each operator, then the totals."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from eventnet.record import CATEGORIES, Record
from eventnet.run import Run

CATEGORY_HEADS = {"nonzero": "nonzero", "zero": "zero", "stall": "stall", "first_layer": "first", "other": "other"}


def table(run: Run) -> str:
    """Return the table and the totals of a run; calls of one module's operator share a row."""
    if run.machine is None:
        return str(run.agreement)
    compared = run.baseline is not None
    heads = ["module", "operator", "calls", "macs", "effectual", "zeros", "ticks"]
    heads += ["baseline", "speed-up"] if compared else []
    heads += ["chip energy", *(CATEGORY_HEADS[category] for category in CATEGORIES)]
    rows = [_row(records, compared) for records in grouped(run.timed_records)]
    lines = aligned([heads, *rows], left=2) if rows else ["no operator took time"]
    return "\n".join([_title(run), "", *lines, "", *_totals(run)])


def grouped(records: Iterable[Record]) -> list[list[Record]]:
    """Group records by module, operator and part, in the order in which each was first seen."""
    order: dict[tuple[str, str, str], int] = {}
    keyed = [(order.setdefault((one.name, one.op, one.part), len(order)), one) for one in records]
    keyed.sort(key=lambda pair: pair[0])
    return [[one for _, one in group] for _, group in groupby(keyed, key=lambda pair: pair[0])]


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Align columns: the first ``left`` to the left, the rest to the right; a line under the heads."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(row: Sequence[str]) -> str:
        cells = (
            text.ljust(width) if column < left else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        return "  ".join(cells).rstrip()

    return [line(rows[0]), "  ".join("-" * width for width in widths), *(line(row) for row in rows[1:])]


def quantity(value: float, unit: str) -> str:
    """Write a value in picounits with a prefix: 1.23 uJ."""
    for factor, prefix in ((1e12, ""), (1e9, "m"), (1e6, "u"), (1e3, "n")):
        if abs(value) >= factor:
            return f"{value / factor:.2f} {prefix}{unit}"
    return f"{value:.2f} p{unit}"


def _title(run: Run) -> str:
    assert run.machine is not None
    against = f" against {run.baseline.name}" if run.baseline is not None else ""
    return f"{run.machine.name}{against}: {run.machine.paper}"


def _row(records: list[Record], compared: bool) -> list[str]:
    first = records[0]
    macs, ticks = sum(one.macs for one in records), sum(one.ticks for one in records)
    part = "" if first.part == "forward" else f" {first.part}"
    cells = [
        first.name,
        first.op + part,
        f"{len(records)}",
        f"{macs:,}",
        f"{_share(sum(one.effectual_macs for one in records), macs)}",
        f"{_share(sum(one.zero_macs for one in records), macs)}",
        f"{ticks:,}",
    ]
    if compared:
        baseline_ticks = sum(one.baseline_ticks or 0 for one in records)
        cells += [f"{baseline_ticks:,}", _ratio(_speedup(records))]
    cells.append(quantity(sum(one.dynamic_pj + one.static_pj for one in records), "J"))
    lane_ticks = sum(one.lanes * one.ticks for one in records)
    return cells + [_share(sum(one.lane_ticks[category] for one in records), lane_ticks) for category in CATEGORIES]


def _speedup(records: list[Record]) -> float | None:
    """Weigh the speed-ups of several calls by their time: baseline time over time."""
    timed = [one for one in records if one.speedup is not None]
    ticks = sum(one.ticks for one in timed)
    return sum(one.ticks * (one.speedup or 0) for one in timed) / ticks if ticks else None


def _totals(run: Run) -> list[str]:
    assert run.machine is not None
    lines = []
    if run.baseline is not None:
        lines.append(
            f"speed-up      {_ratio(run.speedup)} over {run.baseline.name}, all tasks; {_ratio(run.speedup_conv)} convolutions only"
        )
    lines += [
        f"time          {run.ticks:,} ticks, {quantity(run.seconds * 1e12, 's')} at {run.machine.clock_hz / 1e6:,.0f} MHz",
        f"chip power    {run.chip_power_w:.2f} W",
        f"chip energy   {quantity(run.chip_pj, 'J')}: {quantity(run.dynamic_pj, 'J')} dynamic, "
        f"{quantity(run.static_pj, 'J')} static; beside it {quantity(run.offchip_pj, 'J')} off the chip",
        f"chip EDP      {quantity(run.edp_js * 1e12, 'Js')}",
        f"chip ED2P     {quantity(run.ed2p_js2 * 1e12, 'Js2')}",
        f"zeros         {run.zero_fraction:.1%} of the operands of the multiplications, padding included",
        f"coverage      {run.coverage:.1%} of the macs took time",
    ]
    if run.others:
        listed = ", ".join(f"{name} x{count}" for name, count in run.others.items())
        lines.append(f"other         in PyTorch, without ticks: {listed}")
    for why in dict.fromkeys(f"{one.op} in {one.name}: {one.why}" for one in run.records if one.why):
        lines.append(f"not mapped    {why}")
    if run.unwatched:
        lines.append(f"unwatched     {run.unwatched} tensors came from outside of PyTorch's watched operators")
    if run.difference is not None:
        lines.append(f"outputs       {run.difference}")
    lines.append("agreement     " + ("not checked" if run.agreement is None else str(run.agreement)))
    return lines


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
