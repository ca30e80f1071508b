"""What the demos share of showing: a table, the statistics over samples, a picture."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from eventnet import Run
from eventnet.record import Record
from eventnet.samples import Samples


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under heads, the first column to the left and the others to the right, and an empty line."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * width for width in widths])
    for row in cells:
        padded = (
            text.rjust(width) if column else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(padded).rstrip())
    print()


def share(right: Tensor | Sequence[bool]) -> str:
    """Write how many answers are right as a percentage with its standard error."""
    part = sum(map(bool, right)) / len(right)
    return f"{100 * part:.1f}% +-{100 * (part * (1 - part) / len(right)) ** 0.5:.1f}"


def total(runs: Sequence[Run | Record], of: str) -> float:
    """Add up one number of several runs or records."""
    return sum(getattr(run, of) for run in runs)


def part(runs: Sequence[Run], name: str) -> list[Record]:
    """List the records of one part of each call, such as the backward's; those without products are the part "vector"."""
    return [one for run in runs for one in run.records if ("vector" if one.vector else one.part) == name]


def statistics(runs: Sequence[Run]) -> None:
    """Print how ticks and energy spread over samples, and that PyTorch agrees; end the demo if it does not."""
    samples = Samples()
    for run in runs:
        samples.add(run)
    ticks, chip = samples.totals["ticks"], samples.totals["chip_pj"]
    print(f"{samples.count} samples: {ticks.mean:,.0f} ticks (deviation {ticks.deviation:,.0f}, {ticks.minimum:,.0f} to "
          f"{ticks.maximum:,.0f}), {chip.mean / 1e3:,.1f} nJ (deviation {chip.deviation / 1e3:,.1f})")  # fmt: skip
    compared = sum(len(run.agreement.verdicts) for run in runs if run.agreement is not None)
    if samples.disagreed is None or samples.disagreed or not compared:
        raise SystemExit(f"PyTorch disagrees, in samples {samples.disagreed}")
    print(f"agreement: all {compared:,} products of {samples.count} samples are within their rounding bounds of PyTorch,")
    print("           and both exact checks hold on each\n")


@contextmanager
def picture(path: str, title: str, panels: int = 1) -> Iterator[Any]:
    """Hand out the axes of a figure, a list if there are several, and save it as PNG in the folder of the caller."""
    figure = Figure(figsize=(1.5 + 5.5 * panels, 4.6), layout="constrained")
    figure.suptitle(title, fontsize=11)
    yield figure.subplots(1, panels)
    figure.savefig(path, dpi=100)
    print(f"picture: {Path(path).name}")
