"""The printed comparison of two runs: exact lines from hand-made ones."""

import hwmodel
from eventnet.record import Record
from eventnet.run import Run


def run(*records: Record, **settings) -> Run:
    return Run(hwmodel.load("cnvlutin"), None, {"values": "reference", **settings}, records=list(records))


def product(name: str, ticks: int = 10, **numbers) -> Record:
    return Record(name, "matmul", **{"macs": 1000, "events": 5, "ticks": ticks, "dynamic_pj": 1e6, **numbers})


EARLY = run(product("stage1"), product("exit1", part="weight_gradient"), threshold=0.0)
LATE = run(product("stage1"), product("stage2", ticks=20, dynamic_pj=2e6), product("exit2"), threshold=0.5)


def test_what_differs_is_printed_and_what_does_not_is_counted():
    assert str(EARLY.compare(LATE)).splitlines() == [
        "this run and another on cnvlutin",
        "",
        "module  operator                ran in  calls  other  ticks  other  more  more macs  more events  more energy",
        "------  ----------------------  ------  -----  -----  -----  -----  ----  ---------  -----------  -----------",
        "stage2  matmul                  other       0      1      0     20   +20     +1,000           +5     +2.00 uJ",
        "exit2   matmul                  other       0      1      0     10   +10     +1,000           +5     +1.00 uJ",
        "exit1   matmul weight_gradient  this        1      0     10      0   -10     -1,000           -5     -1.00 uJ",
        "",
        "total      this    other      more  ratio",
        "------  -------  -------  --------  -----",
        "calls         2        3        +1  1.500",
        "macs      2,000    3,000    +1,000  1.500",
        "events       10       15        +5  1.500",
        "ticks        20       40       +20  2.000",
        "energy  2.00 uJ  4.00 uJ  +2.00 uJ  2.000",
        "",
        "alike      1 of 4 operators took the same in both",
        "only this  matmul weight_gradient in exit1",
        "only other matmul in stage2, matmul in exit2",
        "flag       threshold is 0.0 in this run, 0.5 in the other",
    ]


def test_equal_runs_say_so():
    lines = str(LATE.compare(LATE)).splitlines()
    assert lines[2] == "no operator differs"
    assert lines[-1] == "alike      3 of 3 operators took the same in both"


def test_runs_without_operators_have_no_ratio():
    assert str(run().compare(LATE)).splitlines()[10].split() == ["calls", "0", "3", "+3", "-"]
    assert run().compare(run()).to_frame().empty


def test_a_long_list_of_operators_is_counted():
    many = run(*(product(f"expert{number}") for number in range(20)))
    assert str(run().compare(many)).splitlines()[-1].endswith(", matmul in expert11 and 8 more")


def test_the_frame_has_a_row_for_each_operator_of_either_run():
    frame = EARLY.compare(LATE).to_frame()
    columns = ["name", "op", "part", "ran_in", "ticks_this", "ticks_other", "ticks_difference", "calls_difference"]
    assert frame[columns].values.tolist() == [
        ["stage1", "matmul", "forward", "both", 10, 10, 0, 0],
        ["stage2", "matmul", "forward", "other", 0, 20, 20, 1],
        ["exit2", "matmul", "forward", "other", 0, 10, 10, 1],
        ["exit1", "matmul", "weight_gradient", "this", 10, 0, -10, -1],
    ]
    assert len(frame.columns) == 4 + 5 * 3
