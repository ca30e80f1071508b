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
    rows = operator_rows(run)
    lines = aligned(rows, left=2) if len(rows) > 1 else ["no operator took time"]
    totals = aligned(total_rows(run), left=1)
    if run.baseline is not None:
        totals.append(f"speed-up {_ratio(run.speedup)} over all tasks, {_ratio(run.speedup_conv)} over convolutions")
    return "\n".join([title(run), "", *lines, "", *totals, "", *(f"{label:<11}{says}" for label, says in notes(run))])


def operator_rows(run: Run) -> list[list[str]]:
    """Return the heads, and a row for each operator that took time or multiplied."""
    compared = run.baseline is not None
    heads = ["module", "operator", "calls", "macs", "effectual macs", "zeros", "ticks"]
    heads += ["baseline", "speed-up"] if compared else []
    heads += ["chip energy", *(CATEGORY_HEADS[category] for category in CATEGORIES)]
    return [heads, *(_row(records, compared) for records in operator_groups(run))]


def operator_groups(run: Run) -> list[list[Record]]:
    """Return the records of each of these rows."""
    return grouped(record for record in run.timed_records if record.ticks or not record.vector)


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
    """Write a value with a prefix for its size: 0.00000123 J as ``1.23 uJ``."""
    if value == 0:
        return f"0 {unit}"
    for factor, prefix in ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")):
        if abs(value) >= factor:
            return f"{value / factor:.2f} {prefix}{unit}"
    return f"{value * 1e12:.3g} p{unit}"


def title(run: Run) -> str:
    """Say on what a run was, and against what."""
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
        f"{sum(one.effectual_macs for one in records):,}",
        f"{_share(sum(one.zero_macs for one in records), macs)}",
        f"{ticks:,}",
    ]
    if compared:
        baseline_ticks = sum(one.baseline_ticks or 0 for one in records)
        cells += [f"{baseline_ticks:,}", _ratio(_speedup(records))]
    cells.append(quantity(sum(one.dynamic_pj + one.static_pj for one in records) * 1e-12, "J"))
    lane_ticks = sum(one.lanes * one.ticks for one in records)
    return cells + [_share(sum(one.lane_ticks[category] for one in records), lane_ticks) for category in CATEGORIES]


def _speedup(records: list[Record]) -> float | None:
    """Weigh the speed-ups of several calls by their time: baseline time over time."""
    timed = [one for one in records if one.speedup is not None]
    ticks = sum(one.ticks for one in timed)
    return sum(one.ticks * (one.speedup or 0) for one in timed) / ticks if ticks else None


def notes(run: Run) -> list[tuple[str, str]]:
    """Return what else there is to say of a run, each sentence with what it is about."""
    said = [("zeros", f"{run.zero_fraction:.1%} of the operands of the multiplications, padding included")]
    lane_ticks = sum(run.lane_ticks.values())
    shares = ", ".join(f"{_share(ticks, lane_ticks)} {name.replace('_', ' ')}" for name, ticks in run.lane_ticks.items())
    said.append(("lane time", shares))
    if run.offchip_pj:
        loads = sum(one.offchip_bytes for one in run.records)
        seconds = sum(one.offchip_seconds for one in run.records)
        said.append(
            (
                "off chip",
                f"{loads:,} bytes of parameters and feature maps that do not stay on the chip, "
                f"{quantity(run.offchip_pj * 1e-12, 'J')}, {quantity(seconds, 's')} beside the chip's own time",
            )
        )
    said += [("remark", remark) for remark in run.remarks]
    said += _on_purpose(run)
    said.append(("coverage", f"{run.coverage:.1%} of the macs took time"))
    if run.in_pipeline:
        listed = ", ".join(f"{name} x{count}" for name, count in run.in_pipeline.items())
        said.append(("pipelined", f"behind the product they are a function of, without ticks: {listed}"))
    if run.others:
        listed = ", ".join(f"{name} x{count}" for name, count in run.others.items())
        said.append(("other", f"in PyTorch, without ticks: {listed}"))
    said += [
        ("not mapped", why) for why in dict.fromkeys(f"{one.op} in {one.name}: {one.why}" for one in run.records if one.why)
    ]
    if run.unwatched:
        said.append(("unwatched", f"{run.unwatched} tensors that reached an operator were made by nothing that was watched"))
    if run.difference is not None:
        said.append(("outputs", str(run.difference)))
    said.append(("agreement", "not checked" if run.agreement is None else str(run.agreement)))
    return said


def _on_purpose(run: Run) -> list[tuple[str, str]]:
    """Say what was changed on purpose: by a threshold, and by writing numbers as the hardware does."""
    numerics = sorted({one.numerics for one in run.records if one.numerics})
    lines = []
    if run.pruned:
        together = f", together with {' and '.join(numerics)}," if numerics else ""
        moved = run.difference
        far = f", which{together} moved the outputs by at most {moved.size}" if moved is not None and moved.comparable else ""
        lines.append(("threshold", f"{run.pruned:,} nonzero activations dropped{far}"))
    if numerics:
        fixed = any(one.activation_fraction_bits is not None for one in run.records)
        counted = f": {run.saturated:,} elements saturated, {run.vanished:,} nonzero ones became zero" if fixed else ""
        lines.append(("numerics", f"{' and '.join(numerics)}{counted}"))
    return lines


def total_rows(run: Run) -> list[list[str]]:
    """Set the totals of the machine beside the baseline's, with what was gained."""
    ours, theirs = run.total, run.baseline_total
    assert ours is not None
    heads = ["total", ours.machine] + ([] if theirs is None else [theirs.machine, "gain"])
    rows = [heads]
    for label, unit, name in (
        ("time", "s", "seconds"),
        ("chip power", "W", "power_w"),
        ("chip energy", "J", "chip_j"),
        ("  dynamic", "J", "dynamic_j"),
        ("  static", "J", "static_j"),
        ("chip EDP", "Js", "edp_js"),
        ("chip ED2P", "Js2", "ed2p_js2"),
    ):
        mine = getattr(ours, name)
        row = [label, quantity(mine, unit)]
        if theirs is not None:
            other = getattr(theirs, name)
            row += [quantity(other, unit), _ratio(other / mine if mine and run.comparable else None)]
        rows.append(row)
    return rows


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
