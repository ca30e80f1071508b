"""Two runs beside each other, from hand-made records."""

import re

import pytest

import hwmodel
from eventnet.compare import Amounts, Compared
from eventnet.record import Record
from eventnet.run import Run


def run(*records: Record, **settings) -> Run:
    return Run(hwmodel.load("cnvlutin"), None, {"values": "reference", **settings}, records=list(records))


def product(name: str, ticks: int = 10, **numbers) -> Record:
    return Record(name, "matmul", **{"macs": 100, "events": 5, "ticks": ticks, "dynamic_pj": 1e6, **numbers})


def test_an_operator_is_compared_with_all_its_calls():
    early = run(product("stage1"), product("cell"), product("exit1"))
    late = run(product("stage1"), product("cell", call=0), product("cell", ticks=20, call=1, events=7), product("exit2"))
    comparison = early.compare(late)
    one, two = Amounts(1, 100, 5, 10, 1e6), Amounts(2, 200, 12, 30, 2e6)
    assert comparison.operators == (
        Compared("stage1", "matmul", "forward", one, one),
        Compared("cell", "matmul", "forward", one, two),
        Compared("exit2", "matmul", "forward", Amounts(), one),
        Compared("exit1", "matmul", "forward", one, Amounts()),
    )
    assert [one.ran_in for one in comparison.operators] == ["both", "both", "other", "this"]
    assert [one.name for one in comparison.only_this] == ["exit1"]
    assert [one.name for one in comparison.only_other] == ["exit2"]
    assert comparison.operators[1].difference == Amounts(1, 100, 7, 20, 1e6)
    assert comparison.total.difference == Amounts(1, 100, 7, 20, 1e6)
    assert repr(comparison) == "<Comparison: 4 operators, ticks 30 and 50>"


def test_what_pytorch_computed_and_what_is_pipelined_is_compared_too():
    comparison = run(Record("", "sort", timed=False)).compare(run(Record("a", "relu", vector=True)))
    assert [(one.op, one.ran_in) for one in comparison.operators] == [("sort", "this"), ("relu", "other")]


def test_the_order_of_records_does_not_move_energy():
    energies = [0.1, 0.2, 0.3, 1e16, -1e16]
    records = [product("cell", dynamic_pj=energy) for energy in energies]
    assert run(*records).compare(run(*reversed(records))).operators[0].difference == Amounts()


def test_another_machine_or_other_parameters_are_refused():
    for other, name in (
        (Run(hwmodel.load("dadiannao"), None), "dadiannao"),
        (Run(hwmodel.load("cnvlutin", lanes=32, brick=8), None), "cnvlutin:lanes=32,brick=8"),
        (Run(None, None), "no machine"),
    ):
        message = (
            f"Run.compare: the runs are on cnvlutin and {name}, expected one machine with the same parameters. "
            "Machines are set side by side by eventnet.reports.comparison.comparison."
        )
        with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
            run().compare(other)


def test_what_is_no_run_is_refused():
    message = "Run.compare: other is 3, expected a Run. eventnet.simulate returns one for a sample."
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        run().compare(3)
