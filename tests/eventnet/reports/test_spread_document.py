"""Statistics over samples as JSON and as a page: everything a reader needs, nothing from the network."""

import json
import re

import pytest

import hwmodel
from eventnet.record import Record
from eventnet.reports.spread_page import page
from eventnet.run import Run
from eventnet.samples import Samples


def samples_of(*ticks: int) -> Samples:
    samples = Samples()
    for number in ticks:
        run = Run(hwmodel.load("cnvlutin"), hwmodel.load("dadiannao"), {"values": "reference", "threshold": 0.5})
        run.records = [Record("<exit>", "matmul", ticks=number, events=4, dynamic_pj=2e6)]
        samples.add(run)
    return samples


def test_json_carries_statistics_histograms_and_provenance(tmp_path):
    path = tmp_path / "samples.json"
    samples_of(10, 30, 30).to_json(path)
    document = json.loads(path.read_text())
    assert (document["samples"], document["interrupted"], document["disagreed"]) == (3, False, None)
    assert document["machine"]["name"] == "cnvlutin"
    assert document["baseline"]["name"] == "dadiannao"
    assert document["settings"]["threshold"] == 0.5
    assert set(document["versions"]) == {"python", "eventnet", "torch", "numpy", "numba", "simpy", "sortedcontainers"}
    assert document["histograms"]["ticks"] == [{"low": 10, "high": 10, "count": 1}, {"low": 30, "high": 30, "count": 2}]
    (operator,) = document["operators"]
    assert (operator["name"], operator["op"], operator["part"], operator["ran_in"]) == ("<exit>", "matmul", "forward", 3)
    assert (operator["ticks"]["minimum"], operator["ticks"]["maximum"]) == (10, 30)
    assert operator["ticks"]["mean"] == pytest.approx(70 / 3)
    assert [call["call"] for call in document["calls"]] == [0]


def test_the_page_shows_histograms_and_operators_without_network(tmp_path):
    path = tmp_path / "samples.html"
    samples_of(10, 30, 30).to_html(path)
    text = path.read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert "<title>3 samples on cnvlutin against dadiannao: " in text
    widths = [float(width) for width in re.findall(r'<rect x="260.00" y="[\d.]+" width="([\d.]+)"', text)]
    assert widths == [230.0, 460.0, 460.0]  # one and two samples of ticks; three of the same energy
    assert "&lt;exit&gt;" in text
    assert "<exit>" not in text
    assert "3 of 3" in text
    assert "http" not in text.replace("Content-Security-Policy", "").replace("http-equiv", "")


def test_a_page_of_no_samples_is_refused():
    message = (
        "Samples.to_html: there are no samples on a machine, expected at least one, whose time and energy the page shows. "
        "Give simulate(samples=...) something to go through."
    )
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        page(Samples())


def test_no_samples_print_and_have_an_empty_frame():
    assert str(Samples()).splitlines()[:3] == ["0 samples", "", "no operator took time"]
    assert Samples().to_frame().empty
    assert list(Samples().to_frame(calls=True).columns[:5]) == ["name", "op", "part", "call", "ran_in"]
