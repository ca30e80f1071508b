"""Statistics over many samples as text: a row for each operator, the totals, and how many samples took how much."""

from eventnet.histogram import Histogram
from eventnet.reports.table import aligned, quantity
from eventnet.samples import Samples, Spread

ROWS = 12  # of a printed histogram, at most
BAR = 40  # characters of its longest bar
EIGHTHS = " ▏▎▍▌▋▊▉█"
PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def table(samples: Samples) -> str:
    """Return the spread of ticks of every operator, then of the totals, then histograms of ticks and energy."""
    rows = operator_rows(samples)
    lines = aligned(rows, left=2) if len(rows) > 1 else ["no operator took time"]
    drawn = [line for name, counts in samples.histograms.items() if counts.count for line in ("", *histogram(name, counts))]
    return "\n".join([title(samples), "", *lines, "", *aligned(total_rows(samples), left=1), *drawn, "", judged(samples)])


def title(samples: Samples) -> str:
    """Say how many samples there were."""
    return f"{samples.count} samples{' before an interrupt' if samples.interrupted else ''}"


def judged(samples: Samples) -> str:
    """Say whether the operators agreed with PyTorch."""
    if samples.disagreed is None:
        return "agreement not checked"
    if samples.disagreed:
        more = "" if samples.disagreements == len(samples.disagreed) else f" and more, {samples.disagreements} in all"
        return f"samples that DISAGREE with PyTorch: {samples.disagreed}{more}"
    return "every operator of every sample agrees with PyTorch"


def operator_rows(samples: Samples) -> list[list[str]]:
    """Return the heads, and a row for each operator that took time; its numbers are over the samples in which it ran."""
    heads = ["module", "operator", "ran in", "calls", "mean ticks", "deviation", "least", "most", "mean events", "mean energy"]
    rows = [
        [
            name,
            op if part == "forward" else f"{op} {part}",
            f"{spreads['ticks'].count} of {samples.count}",
            _calls(spreads["calls"]),
            *_cells(spreads["ticks"], 1),
            f"{spreads['events'].mean:,.1f}",
            quantity(spreads["energy_pj"].mean * 1e-12, "J"),
        ]
        for (name, op, part), spreads in samples.operators.items()
        if spreads["ticks"].maximum  # not what runs in the last stage of a product's pipeline
    ]
    return [heads, *rows]


def total_rows(samples: Samples) -> list[list[str]]:
    """Return the heads, and a row for each total of a sample."""
    rows = [["total", "mean", "deviation", "least", "most", "95 % of the mean from", "to"]]
    for name, spread in samples.totals.items():
        numbers = (spread.mean, spread.deviation, spread.minimum, spread.maximum, *spread.interval)
        rows.append([name.removesuffix("_pj"), *(_number(name, value) for value in numbers)])
    return rows


def histogram(name: str, counts: Histogram, most: int = ROWS) -> list[str]:
    """Draw how many samples took how much in at most so many rows, the fullest as long as there is room."""
    few = counts.narrowed(most).bins
    fullest = max(one.count for one in few)
    rows = [[label, f"{one.count:,}"] for label, one in zip(bin_labels(name, counts, most), few, strict=True)]
    heads, rule, *lines = aligned([[name.removesuffix("_pj"), "samples"], *rows], left=1)
    return [heads, rule, *(f"{line}  {_bar(one.count, fullest)}".rstrip() for line, one in zip(lines, few, strict=True))]


def bin_labels(name: str, counts: Histogram, most: int) -> list[str]:
    """Say which values each of these rows counts: one, or those from one up to and without another."""
    few = counts.narrowed(most).bins
    if name == "ticks":
        return [f"{one.low:,.0f}" + (f" to {one.high - 1:,.0f}" if one.high - one.low > 1 else "") for one in few]
    edges = sorted({edge for one in few for edge in (one.low, one.high)})
    written = dict(zip(edges, _joules([edge * 1e-12 for edge in edges]), strict=True))
    return [written[one.low] + (f" to {written[one.high]}" if one.high > one.low else "") for one in few]


def _joules(values: list[float]) -> list[str]:
    """Write energies with the prefix of the largest, and with as many digits as tell them apart."""
    factor, prefix = next((pair for pair in PREFIXES if values[-1] >= pair[0]), PREFIXES[-1])
    for digits in range(2, 16):
        written = [f"{value / factor:,.{digits}f} {prefix}J" for value in values]
        if len(set(written)) == len(written):
            break
    return written


def _bar(count: int, fullest: int) -> str:
    eighths = -(-count * BAR * 8 // fullest)  # rounded up: what is there is seen
    return EIGHTHS[8] * (eighths // 8) + EIGHTHS[eighths % 8].strip()


def _calls(calls: Spread) -> str:
    """Write how many calls there were in a sample: a number, or the mean with the extremes."""
    if calls.minimum == calls.maximum:
        return f"{calls.mean:,.0f}"
    return f"{calls.mean:,.1f} ({calls.minimum:,.0f} to {calls.maximum:,.0f})"


def _number(name: str, value: float) -> str:
    if name.endswith("_pj"):
        return quantity(value * 1e-12, "J")
    return f"{value:,.1f}" if name == "ticks" else f"{value:.4f}"


def _cells(spread: Spread, digits: int) -> list[str]:
    return [f"{value:,.{digits}f}" for value in (spread.mean, spread.deviation, spread.minimum, spread.maximum)]
