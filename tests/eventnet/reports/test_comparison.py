"""Machines side by side: exact rows of hand-made runs, and no ranking of machines that did different tasks."""

import re

import pytest
import torch
from torch import nn

import eventnet
import hwmodel
from eventnet.record import Record
from eventnet.reports.comparison import comparison
from eventnet.run import Run

REFERENCE = {"values": "reference"}
NOT_CHECKED = "agreement  not checked, since PyTorch's own values flowed and nothing was multiplied"


def done(name, **numbers) -> Record:
    defaults = {
        "op": "convolution",
        "macs": 1000,
        "effectual_macs": 400,
        "executed_macs": 700,
        "ticks": 500,
        "busy_ticks": 800,
        "useful_ticks": 600,
        "dynamic_pj": 2e6,
        "static_pj": 1e6,
        "offchip_pj": 3e6,
    }
    return Record(name, **{**defaults, **numbers})


def left(name, why, **numbers) -> Record:
    return Record(name, **{"op": "convolution", "macs": 1000, "effectual_macs": 400, "timed": False, "why": why, **numbers})


def run_on(machine, *records, **parameters) -> Run:
    run = Run(hwmodel.load(machine, clock_hz=1e9, **parameters), None, REFERENCE)
    run.records = list(records)
    return run


def test_machines_that_did_the_same_tasks_stand_together_by_name():
    all_of_it = [done("conv"), done("fc", op="matmul", ticks=100)]
    runs = [
        run_on("eie", left("conv", "it is a convolution"), done("fc", op="matmul", executed_macs=400, useful_ticks=800)),
        run_on("dadiannao", *all_of_it),
        run_on("cnvlutin", *all_of_it),
    ]
    assert comparison(runs).splitlines() == [
        "2,000 macs, of which 800 (40.0%) are effectual",
        "",
        "machine                          coverage  ticks       time  dynamic   static  off chip  executed  effectual  wasted  on zeros",
        "-------------------------------  --------  -----  ---------  -------  -------  --------  --------  ---------  ------  --------",
        "cnvlutin:clock_hz=1000000000.0     100.0%    600  600.00 ns  4.00 uJ  2.00 uJ   6.00 uJ     1,400        800     600     25.0%",
        "dadiannao:clock_hz=1000000000.0    100.0%    600  600.00 ns  4.00 uJ  2.00 uJ   6.00 uJ     1,400        800     600     25.0%",
        "",
        "eie:clock_hz=1000000000.0           50.0%    500  500.00 ns  2.00 uJ  1.00 uJ   3.00 uJ       400        400       0      0.0%",
        "",
        "compared   machines of one block did the same tasks; those of different blocks did different shares of the network, and are "
        "not ranked against each other",
        "not mapped eie:clock_hz=1000000000.0: conv convolution, because it is a convolution",
        NOT_CHECKED,
    ]


def test_equal_shares_of_different_tasks_are_not_ranked_either():
    runs = [run_on("cnvlutin", done("a"), left("b", "it is b")), run_on("dadiannao", left("a", "it is a"), done("b"))]
    lines = comparison(runs).splitlines()
    assert [line.split()[:2] for line in lines[4:7]] == [
        ["dadiannao:clock_hz=1000000000.0", "50.0%"],
        [],
        ["cnvlutin:clock_hz=1000000000.0", "50.0%"],
    ]
    assert "not ranked" in comparison(runs)


def test_where_all_did_the_same_it_says_so():
    text = comparison([run_on("cnvlutin", done("a")), run_on("dadiannao", done("a"))])
    assert "compared   every machine did the same tasks" in text
    assert "ranked" not in text


def test_reasons_name_three_operators_and_count_the_rest():
    records = [left(f"conv{number}", "it is too large") for number in range(5)] + [Record("", "sort", timed=False)]
    assert (
        "not mapped eie:clock_hz=1000000000.0: conv0 convolution, conv1 convolution, conv2 convolution and 2 more, because it is "
        "too large; sort, because they have no form here"
    ) in comparison([run_on("eie", *records)]).splitlines()


def test_variants_of_one_machine_are_told_apart():
    runs = [Run(hwmodel.load("cnvlutin", lanes=lanes), None, REFERENCE) for lanes in (16, 32)]
    for run in runs:
        run.records = [done("a")]
    assert [line.split()[0] for line in comparison(runs).splitlines()[4:6]] == ["cnvlutin", "cnvlutin:lanes=32"]


def test_every_machine_can_be_compared_in_one_pass():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 8))
    names = list(hwmodel.machines())
    runs = eventnet.simulate(model, torch.randn(1, 1, 6, 6), machine=names, values="reference")
    rows = [line.split() for line in comparison(runs).splitlines()[4:]]
    listed = {row[0]: row for row in rows if row and row[0] in names}
    assert sorted(listed) == sorted(names)
    for run in runs:
        assert listed[run.machine.name][1:3] == [f"{run.coverage:.1%}", f"{run.ticks:,}"]


def test_agreement_is_said_of_each_machine_where_it_was_checked():
    runs = eventnet.simulate(nn.Linear(8, 4), torch.ones(1, 8), machine=["dadiannao", "cnvlutin"])
    lines = [line for line in comparison(runs).splitlines() if line.startswith("agreement")]
    assert lines == [
        f"agreement  {run.machine.name}: {run.agreement}" for run in sorted(runs, key=lambda run: run.machine.name)
    ]


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([], "there are no runs, expected one run on each machine. Simulate with machine=[...]."),
        ([Run(None, None)], "a run has no machine, expected one run on each machine. Simulate with machine=[...]."),
        (
            [run_on("cnvlutin", done("a")), run_on("dadiannao", done("b"))],
            "the runs are of different programs, expected the same operators in each. Simulate all machines in one pass, with "
            "machine=[...].",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_sentence(runs, message):
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape('eventnet.reports.comparison: ' + message)}$"):
        comparison(runs)
