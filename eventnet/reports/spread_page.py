"""Statistics over many samples as one page of HTML that needs nothing else, as `eventnet.reports.page` makes of a run."""

from html import escape
from pathlib import Path

from eventnet.histogram import Histogram
from eventnet.reports.page import OURS, chart, machine_section, provenance, section, table_of, whole_page
from eventnet.reports.spread import bin_labels, judged, operator_rows, title, total_rows
from eventnet.reports.whole_file import write_whole
from eventnet.samples import Samples
from hwmodel.errors import ParameterError

BARS = 32  # of a histogram, at most


def write_html(samples: Samples, path: str | Path) -> None:
    """Write the page, whole or not at all.

    Raises
    ------
    ParameterError
        If there was no sample.
    DataError
        If the file cannot be written.
    """
    write_whole(path, page(samples))


def page(samples: Samples) -> str:
    """Return statistics over samples as a page of HTML."""
    machine = samples.machine
    if machine is None:
        raise ParameterError(
            "Samples.to_html: there are no samples on a machine, expected at least one, whose time and energy the page shows. "
            "Give simulate(samples=...) something to go through."
        )
    against = f" against {samples.baseline.name}" if samples.baseline is not None else ""
    name = f"{title(samples)} on {machine.name}{against}: {machine.paper}"
    kind = {None: "", True: "disagrees", False: "agrees"}[None if samples.disagreed is None else bool(samples.disagreed)]
    rows = operator_rows(samples)
    parts = [
        f"<h1>{escape(name)}</h1>",
        f'<p class="{kind}">{escape(judged(samples))}</p>',
        section("Totals of a sample", table_of(total_rows(samples), left=1)),
        *(
            section(f"How many samples took how much: {label}", _bars(field, samples.histograms[field]))
            for field, label in (("ticks", "ticks"), ("energy_pj", "energy"))
        ),
        section("Operators", table_of(rows, left=2) if len(rows) > 1 else "<p>no operator took time</p>"),
        *(section(f"Machine {one.name}", machine_section(one)) for one in (machine, samples.baseline) if one is not None),
        section("How it was run", provenance(samples.settings)),
    ]
    return whole_page(name, parts)


def _bars(name: str, counts: Histogram) -> str:
    few = counts.narrowed(BARS).bins
    labels = bin_labels(name, counts, BARS)
    return chart([(says, [(one.count, OURS)], f"{one.count:,}") for says, one in zip(labels, few, strict=True)])
