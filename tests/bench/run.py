"""Measure, and record what was measured in tests/bench/results. Run it with `make bench`.

Every figure is a ratio against a baseline in the same process, or of fresh processes where that is what is measured, the sides in
turn, medians of the pairs; nothing here is a test, since timings are noisy.
"""

import argparse
import importlib
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    names = sorted(path.stem for path in Path(__file__).parent.glob("*_bench.py"))
    parser.add_argument("names", nargs="*", default=names, help=f"which of {', '.join(names)}; default: all")
    for name in parser.parse_args().names:
        bench = importlib.import_module(name)
        lines = [
            f"# {bench.__doc__.strip().splitlines()[0]}",
            "",
            f"Measured {datetime.now(UTC):%Y-%m-%d} by `make bench` ({name}) on {platform.machine()}, Python "
            f"{platform.python_version()}, torch {version('torch')} with {torch.get_num_threads()} threads, "
            f"simpy {version('simpy')}.",
            "",
            *bench.measure(),
        ]
        text = "\n".join(lines) + "\n"
        print(text, flush=True)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(text)


if __name__ == "__main__":
    main()
