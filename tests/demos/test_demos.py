"""Every demo prints what its stored output says, within the bands that the first line of that states, and saves its picture."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent.parent
DEMOS = sorted((ROOT / "demos").glob("[0-9][0-9]_*.py"))
# It runs AlexNet event by event on SimPy, for minutes; the parts that it shows have tests of their own.
TOO_LONG = "01_main_job"
SHORT = [demo for demo in DEMOS if demo.stem != TOO_LONG]
LINES, LINES_OF_A_SYSTEM = 80, 100  # with a chip in a SimPy environment, the rest of the system is described too
NUMBER = re.compile(r"(?<![\w.])[-+]?\d[\d,]*(?:\.\d+)?%?")
BANDS = re.compile(r"# bands: numbers ([\d.]+)%, percentages ([\d.]+) points")


def compare(printed: str, stored: str) -> list[str]:
    """List where two texts differ: in words, or in numbers by more than the bands in the first line of the stored one."""
    head, _, stored = stored.partition("\n")
    share, points = map(float, BANDS.match(head).groups())
    lines, promised = ([line.rstrip() for line in text.strip().splitlines()] for text in (printed, stored))
    wrong = [] if len(lines) == len(promised) else [f"{len(lines)} lines, {len(promised)} stored"]
    for line, other in zip(lines, promised, strict=False):
        found, expected = NUMBER.findall(line), NUMBER.findall(other)
        same_words = _words(line) == _words(other)
        if not same_words or not all(_close(*pair, share / 100, points) for pair in zip(found, expected, strict=True)):
            wrong.append(f"{line!r} instead of {other!r}")
    return wrong


def _words(line: str) -> list[str]:
    """Give a line without its numbers, and without the widths that follow from them."""
    return re.sub(r"-{3,}", "---", NUMBER.sub(" # ", line)).split()


def _close(found: str, expected: str, share: float, points: float) -> bool:
    if found.endswith("%") != expected.endswith("%"):
        return False
    number, promised = (float(text.rstrip("%").replace(",", "")) for text in (found, expected))
    last_digit = 10.0 ** -len(expected.rstrip("%").partition(".")[2])
    band = points if found.endswith("%") else share * abs(promised)
    return abs(number - promised) <= max(band, 1.5 * last_digit)


@pytest.mark.parametrize("demo", SHORT, ids=lambda demo: demo.stem)
def test_a_demo_prints_what_is_stored_and_saves_its_picture(demo, tmp_path):
    # One thread, as the workers of the tests have; warnings are errors here too, but for those of other packages.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, demo], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not compare(done.stdout, (ROOT / "demos/output" / f"{demo.stem}.txt").read_text())
    assert [path.name for path in tmp_path.iterdir()] == [f"{demo.stem}.png"]
    with Image.open(tmp_path / f"{demo.stem}.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        assert min(picture.size) >= 400
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 50  # something is drawn


@pytest.mark.parametrize("demo", DEMOS, ids=lambda demo: demo.stem)
def test_a_demo_is_short_and_says_what_it_shows(demo):
    text = demo.read_text()
    system = "eventnet.Chip(" in text
    assert len(text.splitlines()) < (LINES_OF_A_SYSTEM if system else LINES)
    assert len(ast.get_docstring(ast.parse(text)).splitlines()) >= 3
    assert f"`{demo.name}`" in (ROOT / "demos/README.md").read_text()
    if demo in SHORT:
        assert "What to see: " in ast.get_docstring(ast.parse(text))
        conclusions = re.findall(r"^Conclusion: ", (ROOT / "demos/output" / f"{demo.stem}.txt").read_text(), re.MULTILINE)
        assert len(conclusions) == 1


def test_a_number_outside_of_its_band_or_another_word_is_seen():
    stored = "# bands: numbers 10%, percentages 2 points, nothing else differs\n1,000 ticks  50.0%\n-----\n"
    assert not compare("1,099 ticks  51.9%\n-------\n", stored)
    assert compare("1,101 ticks  50.0%\n-----\n", stored)
    assert compare("1,000 ticks  47.9%\n-----\n", stored)
    assert compare("1,000 tocks  50.0%\n-----\n", stored)
    assert compare("1,000 ticks  50.0%\n-----\nmore\n", stored)
    assert compare("1,000 ticks  50.0\n-----\n", stored)
