"""Run every backend node test of the `onnx` package and write which apply, pass and do not apply, with the reasons.

make onnx        # or .venv/bin/python tests/onnx/report.py
"""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import onnx
import torch

sys.path.insert(0, str(Path(__file__).parent))
from node_cases import DIFFER, FAMILIES, OUTSIDE, Case, cases, failure, of_family

from eventnet.progress import Bar

FILE = Path(__file__).parent / "node_tests.md"


def main() -> None:
    """Run the cases, print the document and write it."""
    listed = [case for case in cases() if case.family != OUTSIDE and not case.obstacle]
    with tempfile.TemporaryDirectory() as folder:
        failures = {case.test.name: why for case in Bar(listed, desc="node tests") if (why := failure(case, Path(folder)))}
    document = "\n".join(_document(failures)) + "\n"
    FILE.write_text(document)
    print(document)


def _document(failures: dict[str, str]) -> list[str]:
    inside = [case for case in cases() if case.family != OUTSIDE]
    obstacles = Counter(case.obstacle for case in inside if case.obstacle)
    outside = Counter(case.operator for case in cases() if case.family == OUTSIDE)
    applying = len(inside) - obstacles.total()
    return [
        "# ONNX backend node tests, through `eventnet.load` and `eventnet.simulate`",
        "",
        f"Made by `make onnx` (tests/onnx/report.py) with onnx {onnx.__version__} and torch {torch.__version__}. A case passes if "
        "its outputs are",
        "the expected ones by the comparison of the package's own runner (relative 1e-3, absolute 1e-7) and every product in it",
        "agrees with PyTorch by our bound and both exact checks.",
        "",
        f"Of {len(cases())} cases, {len(inside)} are about the operators of the list. {applying} of these apply, "
        f"{applying - len(failures)} pass.",
        "",
        "| operators | cases | apply | pass | differ | do not apply |",
        "|---|---|---|---|---|---|",
        *(_row(family, of_family(family), failures) for family in FAMILIES),
        _row("all", inside, failures),
        "",
        "## Differ",
        "",
        *(f"- `{name}`: {DIFFER.get(name, why[:300])}" for name, why in sorted(failures.items())),
        "",
        "## Do not apply",
        "",
        "| reason | cases |",
        "|---|---|",
        *(f"| {reason} | {count} |" for reason, count in obstacles.most_common()),
        "",
        f"## Operators outside of the list: {outside.total()} cases",
        "",
        ", ".join(f"{name} {count}" for name, count in sorted(outside.items())),
    ]


def _row(name: str, found: list[Case], failures: dict[str, str]) -> str:
    applying = [case for case in found if not case.obstacle]
    differ = sum(case.test.name in failures for case in applying)
    numbers = (len(found), len(applying), len(applying) - differ, differ, len(found) - len(applying))
    return f"| {name} | {' | '.join(map(str, numbers))} |"


if __name__ == "__main__":
    main()
