"""A run as one page of HTML that needs nothing else: no network, no script. Charts are inline SVG.

The page holds the printed table and totals, where the time of the unit copies and the energy went, what every price and
parameter is, and what was run with which versions.
"""

import platform
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Any

from eventnet.record import CATEGORIES, Record
from eventnet.reports.document import PACKAGES
from eventnet.reports.perfetto import label
from eventnet.reports.table import CATEGORY_HEADS, notes, operator_groups, operator_rows, quantity, title, total_rows
from eventnet.reports.whole_file import write_whole
from eventnet.run import Run
from hwmodel.errors import ParameterError
from hwmodel.machine import Machine

BARS = 60  # operators that a chart shows, those that take longest
COLOURS = {"nonzero": "#2a7f62", "zero": "#c9d8c5", "stall": "#d1495b", "first_layer": "#4f6d9a", "other": "#9aa0a6"}
ENERGY_COLOURS = {"dynamic": "#2a7f62", "static": "#c58b2b", "off chip": "#4f6d9a"}
OURS, THEIRS = "#2a7f62", "#b8bec4"
NAME_WIDTH, BAR_WIDTH, VALUE_WIDTH, ROW_HEIGHT = 260, 460, 400, 22

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2329; max-width: 1160px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #d8dde2; }
table { border-collapse: collapse; font-size: 13px; } .wide { overflow-x: auto; }
th, td { padding: 2px 9px; text-align: right; white-space: nowrap; }
th { border-bottom: 1px solid #8a939b; } tr:nth-child(even) td { background: #f4f6f7; }
.left { text-align: left; } .long { text-align: left; white-space: normal; min-width: 20em; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #1d2329; }
.key span { display: inline-block; width: 0.9em; height: 0.9em; margin: 0 0.3em 0 1em; vertical-align: -0.1em; }
.agrees { border-left: 4px solid #2a7f62; padding-left: 0.8em; }
.disagrees { border-left: 4px solid #d1495b; padding-left: 0.8em; }
"""


def write_html(run: Run, path: str | Path) -> None:
    """Write the page, whole or not at all.

    Raises
    ------
    ParameterError
        If the run has no machine.
    DataError
        If the file cannot be written.
    """
    write_whole(path, page(run))


def page(run: Run) -> str:
    """Return a run as a page of HTML."""
    if run.machine is None:
        raise ParameterError(
            "Run.to_html: the run has no machine, expected one, whose time and energy the page shows. "
            "Simulate with machine=...."
        )
    groups = operator_groups(run)
    parts = [
        f"<h1>{escape(title(run))}</h1>",
        _agreement(run),
        section("Totals", table_of(total_rows(run), left=1) + _speedups(run)),
        section("Operators", table_of(operator_rows(run), left=2) if groups else "<p>no operator took time</p>"),
        section("Time of each operator", _times(run, groups)),
        section("Where the time of the lanes went", _lane_time(run, groups)),
        section("Energy", _energy(run)),
        section("Remarks", table_of([["about", "what"], *map(list, notes(run))], left=1, long=1)),
    ]
    parts += [section(f"Machine {one.name}", machine_section(one)) for one in (run.machine, run.baseline) if one is not None]
    parts.append(section("How it was run", provenance(run.settings)))
    return whole_page(title(run), parts)


def whole_page(name: str, parts: Sequence[str]) -> str:
    """Put the parts of a page below each other into a document that needs nothing else."""
    body = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(name)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def section(head: str, content: str) -> str:
    """Put a head over a part of a page."""
    return f"<h2>{escape(head)}</h2>\n{content}"


def _agreement(run: Run) -> str:
    if run.agreement is None:
        return "<p>agreement with PyTorch: not checked</p>"
    return f'<p class="{"agrees" if run.agreement else "disagrees"}">{escape(str(run.agreement))}</p>'


def _speedups(run: Run) -> str:
    if run.speedup is None:
        return ""
    convolutions = "" if run.speedup_conv is None else f", {run.speedup_conv:.3f} over convolutions"
    return f"<p>speed-up {run.speedup:.3f} over all tasks{convolutions}</p>"


def table_of(rows: Sequence[Sequence[str]], left: int, long: int = 0) -> str:
    """Make a table of heads and rows: the first ``left`` columns to the left, the last ``long`` ones of several lines."""

    def line(row: Sequence[str], tag: str) -> str:
        kinds = ["left"] * left + [""] * (len(row) - left - long) + ["long"] * long
        cells = (f'<{tag} class="{kind}">' if kind else f"<{tag}>" for kind in kinds)
        return f"<tr>{''.join(cell + escape(text) + f'</{tag}>' for cell, text in zip(cells, row, strict=True))}</tr>"

    heads, *body = rows
    lines = "\n".join(line(row, "td") for row in body)
    return f'<div class="wide"><table>\n<thead>{line(heads, "th")}</thead>\n<tbody>\n{lines}\n</tbody></table></div>'


def _times(run: Run, groups: list[list[Record]]) -> str:
    assert run.machine is not None
    shown = _longest(groups)
    hertz = run.machine.clock_hz
    bars: list[tuple[str, list[tuple[float, str]], str]] = []
    for records in shown:
        ticks = sum(one.ticks for one in records)
        bars.append((label(records[0]), [(ticks / hertz, OURS)], f"{ticks:,} ticks, {quantity(ticks / hertz, 's')}"))
        if run.baseline is not None and all(one.baseline_ticks is not None for one in records):
            ticks = sum(one.baseline_ticks or 0 for one in records)
            seconds = ticks / run.baseline.clock_hz
            bars.append(("", [(seconds, THEIRS)], f"{ticks:,} ticks, {quantity(seconds, 's')}"))
    named = {run.machine.name: OURS} | ({run.baseline.name + " (baseline)": THEIRS} if run.baseline is not None else {})
    return _key(named) + chart(bars) + _left_out(groups, shown)


def _lane_time(run: Run, groups: list[list[Record]]) -> str:
    shown = _longest(groups)
    rows = [("all", dict(run.lane_ticks))]
    rows += [(label(group[0]), {name: sum(one.lane_ticks[name] for one in group) for name in CATEGORIES}) for group in shown]
    bars = []
    for name, ticks in rows:
        whole = sum(ticks.values())
        if whole:
            says = ", ".join(f"{ticks[one] / whole:.1%} {CATEGORY_HEADS[one]}" for one in CATEGORIES if ticks[one])
            bars.append((name, [(ticks[one] / whole, COLOURS[one]) for one in CATEGORIES], says))
    return _key({CATEGORY_HEADS[one]: COLOURS[one] for one in CATEGORIES}) + chart(bars) + _left_out(groups, shown)


def _energy(run: Run) -> str:
    assert run.total is not None
    rows = [(run.total, run.offchip_pj * 1e-12)]
    if run.baseline_total is not None:
        rows.append((run.baseline_total, max(0.0, (run.baseline_pj or 0.0) * 1e-12 - run.baseline_total.chip_j)))
    bars = []
    for total, offchip_j in rows:
        parts = dict(zip(ENERGY_COLOURS, (total.dynamic_j, total.static_j, offchip_j), strict=True))
        says = ", ".join(f"{quantity(joules, 'J')} {name}" for name, joules in parts.items())
        bars.append((total.machine, [(joules, ENERGY_COLOURS[name]) for name, joules in parts.items()], says))
    return _key(ENERGY_COLOURS) + chart(bars)


def _longest(groups: list[list[Record]]) -> list[list[Record]]:
    """Choose the operators of a chart, and leave them in their order."""
    by_ticks = sorted(range(len(groups)), key=lambda place: -sum(one.ticks for one in groups[place]))
    return [groups[place] for place in sorted(by_ticks[:BARS])]


def _left_out(groups: list[list[Record]], shown: list[list[Record]]) -> str:
    missing = len(groups) - len(shown)
    return f"<p>{missing} operators that take less time are left out.</p>" if missing else ""


def _key(colours: dict[str, str]) -> str:
    entries = "".join(f'<span style="background:{colour}"></span>{escape(name)}' for name, colour in colours.items())
    return f'<p class="key">{entries}</p>'


def chart(bars: Sequence[tuple[str, list[tuple[float, str]], str]]) -> str:
    """Draw horizontal bars of several parts each, the longest as wide as there is room."""
    longest = max((sum(size for size, _ in parts) for _, parts, _ in bars), default=0.0)
    lines = []
    for row, (name, parts, says) in enumerate(bars):
        top, left = row * ROW_HEIGHT, float(NAME_WIDTH)
        shown = name if len(name) <= 40 else "..." + name[-38:]
        lines.append(f'<text x="{NAME_WIDTH - 8}" y="{top + 15}" text-anchor="end">{escape(shown)}</text>')
        for size, colour in parts:
            width = BAR_WIDTH * size / longest if longest else 0.0
            if width:
                lines.append(
                    f'<rect x="{left:.2f}" y="{top + 3}" width="{width:.2f}" height="{ROW_HEIGHT - 6}" fill="{colour}"/>'
                )
            left += width
        lines.append(f'<text x="{left + 6:.2f}" y="{top + 15}">{escape(says)}</text>')
    width, height = NAME_WIDTH + BAR_WIDTH + VALUE_WIDTH, len(bars) * ROW_HEIGHT
    drawn = "\n".join(lines)
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">\n{drawn}\n</svg>'


def machine_section(machine: Machine) -> str:
    """List a machine's parameters and the prices of its actions."""
    known = type(machine).__dataclass_fields__
    parameters = [[name, str(value), known[name].metadata.get("doc", "")] for name, value in machine.parameters().items()]
    prices = machine.prices
    rows = [
        [
            action,
            f"{price.pj:.6g} pJ",
            f"{price.bytes:g}",
            f"{price.node_nm} nm" if price.node_nm else "",
            price.sure,
            price.source,
        ]
        for action, price in sorted(prices.actions.items())
    ]
    copies = machine.static_copies
    static = [
        [f"{name} x{copies.get(name, 1)}", f"{power.watts:.6g} W", "", f"{power.node_nm} nm", power.sure, power.source]
        for name, power in sorted(prices.static.items())
    ]
    policy = machine.zero_policy
    return (
        f"<p>{escape(machine.paper)}. Zeros of activations: {policy.activations}; of weights: {policy.weights}.</p>\n"
        + table_of([["parameter", "value", "what it is"], *parameters], left=1, long=1)
        + f"<p>prices: {escape(prices.name)}</p>\n"
        + table_of([["action", "price", "bytes", "node", "how sure", "source"], *rows, *static], left=1, long=1)
    )


def provenance(settings: Mapping[str, Any]) -> str:
    """List the flags of a call and the versions that it ran with."""
    versions = [["python", platform.python_version()], *([name, version(name)] for name in PACKAGES)]
    flags = [[name, str(value)] for name, value in settings.items()]
    return _pairs("flag", flags) + _pairs("version of", versions)


def _pairs(head: str, rows: Iterable[list[str]]) -> str:
    return table_of([[head, ""], *rows], left=1, long=1)
