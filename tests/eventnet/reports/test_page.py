"""The page: exact cells and bars of a hand-made run, nothing from the network, and no name taken for HTML."""

import re
from html.parser import HTMLParser

import pytest
import torch
from torch import nn

import eventnet
import hwmodel
from eventnet.record import Record
from eventnet.reports.page import BARS, page
from eventnet.run import Run

VOID = {"meta", "rect"}  # what has no end: `rect` ends itself


class Reader(HTMLParser):
    """Take a page apart, and hold that every element is closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.bars: list[tuple[float, str]] = []
        self.texts: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "rect":
            found = dict(attrs)
            self.bars.append((float(found["width"]), found["fill"]))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif data.strip():
            self.texts.append(data)


def record(name, **numbers) -> Record:
    defaults = {
        "op": "convolution",
        "convolution": True,
        "macs": 1000,
        "effectual_macs": 400,
        "zero_macs": 500,
        "ticks": 100,
        "lanes": 16,
        "busy_ticks": 1200,
        "useful_ticks": 800,
        "stall_ticks": 400,
        "dynamic_pj": 2e6,
        "static_pj": 1e6,
        "offchip_pj": 1e6,
        "baseline_ticks": 200,
        "baseline_pj": 6e6,
        "baseline_dynamic_pj": 4e6,
        "baseline_static_pj": 1e6,
        "speedup": 2.0,
    }
    return Record(name, **{**defaults, **numbers})


@pytest.fixture
def run():
    run = Run(hwmodel.load("cnvlutin"), hwmodel.load("dadiannao"), {"values": "reference", "threshold": 0.5})
    run.records = [record("first"), record("second", op="matmul", convolution=False, ticks=50), Record("", "sort", timed=False)]
    return run


def test_the_page_holds_totals_operators_prices_and_provenance(run):
    read = Reader(page(run))
    totals, operators, remarks, ours, prices, theirs, their_prices, flags, versions = read.tables
    assert totals[:2] == [["total", "cnvlutin", "dadiannao", "gain"], ["time", "247.52 ns", "660.07 ns", "2.667"]]
    assert [row[:2] + row[6:9] for row in operators[1:]] == [
        ["first", "convolution", "100", "200", "2.000"],
        ["second", "matmul", "50", "200", "2.000"],
    ]
    assert ["other", "in PyTorch, without ticks: sort x1"] in remarks
    assert ["agreement", "not checked"] in remarks
    assert ["lanes", "16", "neuron lanes of a tile; all tiles get the same neurons"] in ours
    assert ["brick", "16", "neurons of a brick"] in ours
    assert "brick" not in {row[0] for row in theirs}
    table = run.machine.prices
    assert {row[0] for row in prices[1:]} == {
        *table.actions,
        *(f"{name} x{copies(run.machine, name)}" for name in table.static),
    }
    word = table.actions["sb.read_word"]
    assert ["sb.read_word", f"{word.pj:.6g} pJ", f"{word.bytes:g}", f"{word.node_nm} nm", word.sure, word.source] in prices
    assert len(their_prices) > 1
    assert flags[1:] == [["values", "reference"], ["threshold", "0.5"]]
    assert ["torch", torch.__version__] in versions
    assert "agreement with PyTorch: not checked" in read.texts


def copies(machine, name) -> int:
    return machine.static_copies.get(name, 1)


def test_bars_are_as_long_as_what_they_show(run):
    """The longest of a chart is 460 wide: 200 ticks of the baseline, all of the lanes' time, the baseline's 12 uJ."""
    read = Reader(page(run))
    green, grey, red, pale, blue, ochre = "#2a7f62", "#b8bec4", "#d1495b", "#c9d8c5", "#4f6d9a", "#c58b2b"
    assert read.bars[:4] == [(230, green), (460, grey), (115, green), (460, grey)]
    lanes = read.bars[4:-6]
    first = [(230, green), (115, pale), (115, red)]
    assert lanes == [(153.33, green), (76.67, pale), (76.67, red), (153.33, "#9aa0a6"), *first, (460, "#9aa0a6")]
    assert read.bars[-6:] == [
        (153.33, green), (76.67, ochre), (76.67, blue),
        (306.67, green), (76.67, ochre), (76.67, blue),
    ]  # fmt: skip
    assert "100 ticks, 165.02 ns" in read.texts
    assert "50.0% nonzero, 25.0% zero, 25.0% stall" in read.texts
    assert "4.00 uJ dynamic, 2.00 uJ static, 2.00 uJ off chip" in read.texts


def test_names_are_text_and_never_html(run):
    name = '<script>alert("x")</script>&amp;'
    run.records[0] = record(name)
    run.settings = {"leading": "</td><b>"}
    read = Reader(page(run))
    assert not read.tags & {"script", "b"}
    assert read.tables[1][1][0] == name
    assert ["leading", "</td><b>"] in read.tables[-2]


def test_the_page_asks_for_nothing_from_the_network(run):
    read = Reader(page(run))
    assert not {name for name, _ in read.attributes} & {"src", "href", "srcset", "data", "action"}
    assert not read.tags & {"script", "link", "img", "iframe", "object"}
    assert "url(" not in page(run)
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in read.attributes


def test_a_run_of_many_operators_shows_those_that_take_longest(run):
    run.records = [record(f"layer{number}", ticks=1 + number % 100) for number in range(BARS + 40)]
    text = page(run)
    assert text.count("<p>40 operators that take less time are left out.</p>") == 2
    texts = Reader(text).texts
    assert texts.count("layer40 convolution") == 2
    assert "layer39 convolution" not in texts
    assert len(Reader(text).tables[1]) == BARS + 41


@pytest.mark.parametrize("baseline", [None, "dadiannao"])
def test_a_run_of_a_model_is_written_with_its_agreement(baseline, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2))
    run = eventnet.simulate(model, torch.randn(1, 1, 6, 6), baseline=baseline)
    run.to_html(tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert '<p class="agrees">every product agrees with PyTorch' in text
    assert ("dadiannao (baseline)" in text) == (baseline is not None)
    Reader(text)


def test_a_run_in_which_nothing_took_time_has_a_page():
    text = page(Run(hwmodel.load("eie"), None))
    assert "<p>no operator took time</p>" in text
    assert Reader(text).bars == []


def test_a_run_without_a_machine_has_no_page(tmp_path):
    message = (
        "Run.to_html: the run has no machine, expected one, whose time and energy the page shows. Simulate with machine=...."
    )
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        Run(None, None).to_html(tmp_path / "run.html")
    assert list(tmp_path.iterdir()) == []
