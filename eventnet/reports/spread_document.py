"""Statistics over many samples as a JSON document: totals, histograms, operators, calls, and where they come from."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eventnet.reports.document import origin, plain
from eventnet.reports.spread_frame import numbers, rows
from eventnet.reports.whole_file import write_whole
from eventnet.samples import Samples


def document(samples: Samples) -> dict[str, Any]:
    """Return everything about samples that is text or a number."""
    return {
        **origin(samples.settings, samples.machine, samples.baseline),
        "samples": samples.count,
        "interrupted": samples.interrupted,
        "disagreed": samples.disagreed,
        "disagreements": samples.disagreements,
        "totals": {name: numbers(spread) for name, spread in samples.totals.items()},
        "histograms": {name: [asdict(one) for one in counts.bins] for name, counts in samples.histograms.items()},
        "operators": list(rows(samples)),
        "calls": list(rows(samples, calls=True)),
    }


def write_json(samples: Samples, path: str | Path) -> None:
    """Write the document as JSON, whole or not at all. Numbers that JSON lacks (NaN, infinity) become null."""
    write_whole(path, json.dumps(plain(document(samples)), indent=1, allow_nan=False) + "\n")
