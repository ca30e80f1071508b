"""Two runs of anything are the same, bit for bit, in fresh processes with other hash seeds: see same_bits.py for what is run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hwmodel

SCRIPT = Path(__file__).parent / "same_bits.py"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> list[dict[str, bytes]]:
    """Return what each of three processes wrote, by file name."""
    folders = [tmp_path_factory.mktemp(f"hash seed {seed} ") for seed in (0, 1, 2)]
    for seed, folder in enumerate(folders):
        subprocess.run([sys.executable, str(SCRIPT), str(folder)], env=os.environ | {"PYTHONHASHSEED": str(seed)}, check=True)
    return [{path.name: path.read_bytes() for path in sorted(folder.iterdir())} for folder in folders]


def test_every_report_of_every_machine_is_the_same_to_the_byte(written):
    first, *others = written
    runs = [f"{machine} {engine}" for machine in hwmodel.machines() for engine in ("event", "bulk")] + ["backward"]
    kinds = ("json", "csv", "html", "perfetto", "txt")
    assert set(first) == {f"{run}.{kind}" for run in runs for kind in kinds} | {"comparison.txt", "samples.txt"}
    for other in others:
        assert [name for name in first if other.get(name) != first[name]] == []
        assert set(other) == set(first)


def test_what_is_compared_depends_on_what_was_run(written):
    """Were the files empty, or all alike, the test above would say nothing."""
    first = written[0]
    assert min(map(len, first.values())) > 200
    assert len({first[name] for name in first if name.endswith(".txt")}) == len(
        [name for name in first if name.endswith(".txt")]
    )
