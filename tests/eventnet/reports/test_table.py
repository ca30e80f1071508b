"""The printed table: exact rows from a hand-made run."""

import hwmodel
from eventnet.record import Record
from eventnet.reports.table import aligned, grouped, quantity
from eventnet.run import Run


def record(name: str, **numbers) -> Record:
    defaults = {
        "op": "convolution",
        "convolution": True,
        "macs": 1000,
        "effectual_macs": 400,
        "zero_macs": 500,
        "ticks": 100,
        "lanes": 16,
        "busy_ticks": 1200,
        "useful_ticks": 1000,
        "stall_ticks": 300,
        "idle_ticks": 100,
        "dynamic_pj": 2e6,
        "static_pj": 1e6,
        "baseline_ticks": 150,
        "baseline_pj": 5e6,
        "baseline_dynamic_pj": 4e6,
        "baseline_static_pj": 1e6,
        "speedup": 1.5,
    }
    return Record(name, **{**defaults, **numbers})


def test_the_table_has_a_row_for_each_operator_and_the_totals():
    run = Run(hwmodel.load("cnvlutin"), hwmodel.load("dadiannao"), {"values": "reference"})
    run.records = [
        record("conv"),
        record("fc", op="matmul", convolution=False, effectual_macs=0),
        Record("", "relu", timed=False),
    ]
    lines = str(run).splitlines()
    assert lines[0].startswith("cnvlutin against dadiannao: ")
    assert [line.split() for line in lines[2:6]][2:] == [
        [
            "conv",
            "convolution",
            "1",
            "1,000",
            "400",
            "50.0%",
            "100",
            "150",
            "1.500",
            "3.00",
            "uJ",
            "62.5%",
            "12.5%",
            "25.0%",
            "0.0%",
            "0.0%",
        ],
        [
            "fc",
            "matmul",
            "1",
            "1,000",
            "0",
            "50.0%",
            "100",
            "150",
            "1.500",
            "3.00",
            "uJ",
            "0.0%",
            "0.0%",
            "0.0%",
            "0.0%",
            "100.0%",
        ],
    ]
    text = str(run)
    totals = {line.rsplit(maxsplit=5)[0]: line.split()[-5:] for line in lines[9:16]}
    assert totals["time"] == ["330.03", "ns", "495.05", "ns", "1.500"]
    assert totals["chip energy"] == ["6.00", "uJ", "10.00", "uJ", "1.667"]
    assert totals["chip power"] == ["18.18", "W", "20.20", "W", "1.111"]
    assert totals["chip EDP"] == ["1.98", "pJs", "4.95", "pJs", "2.500"]
    assert totals["chip ED2P"][-1] == "3.750"
    assert "speed-up 1.500 over all tasks, 1.500 over convolutions" in text
    assert "zeros      50.0% of the operands of the multiplications, padding included" in text
    assert "lane time  31.2% nonzero, 6.2% zero, 12.5% stall, 0.0% first layer, 50.0% other" in text
    assert "other      in PyTorch, without ticks: relu x1" in text
    assert text.splitlines()[-1] == "agreement  not checked"


def test_machines_that_did_not_do_the_same_tasks_are_not_divided():
    run = Run(hwmodel.load("cnvlutin"), hwmodel.load("dadiannao"), {"values": "reference"})
    run.records = [record("conv"), record("fc", baseline_ticks=None, speedup=None)]
    assert run.speedup is None
    assert run.speedup_conv is None
    gains = [line.split()[-1] for line in str(run).splitlines()[9:16]]
    assert gains == ["-"] * 7


def test_calls_of_one_operator_share_a_row():
    groups = grouped([record("a"), record("b"), record("a", ticks=5)])
    assert [[one.ticks for one in group] for group in groups] == [[100, 5], [100]]


def test_a_run_without_products_says_so():
    assert "no operator took time" in str(Run(hwmodel.load("cnvlutin"), None))


def test_quantities_have_a_prefix_for_their_size():
    assert [quantity(value, "J") for value in (0, 2.5, 2.5e-3, 2.5e-6, 2.5e-9, 2.5e-12, 2.5e-15)] == [
        "0 J",
        "2.50 J",
        "2.50 mJ",
        "2.50 uJ",
        "2.50 nJ",
        "2.5 pJ",
        "0.0025 pJ",
    ]


def test_columns_are_aligned():
    assert aligned([["name", "n"], ["a", "10"], ["long", "2"]], left=1) == ["name   n", "----  --", "a     10", "long   2"]
