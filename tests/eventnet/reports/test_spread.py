"""Statistics over samples as text."""

import re

import pytest

import hwmodel
from eventnet.agreement import Verdict
from eventnet.histogram import BINS
from eventnet.record import Record
from eventnet.run import Run
from eventnet.samples import Samples, Spread


def run(ticks: int, names: tuple[str, ...]) -> Run:
    one = Run(hwmodel.load("cnvlutin"), None, {"values": "reference"})
    one.records = [Record(name, "matmul", ticks=ticks, events=4, dynamic_pj=2e6) for name in names]
    return one


def test_operators_that_ran_in_some_samples_say_in_how_many():
    samples = Samples()
    samples.add(run(10, ("exit1",)))
    samples.add(run(20, ("exit1", "exit2")))
    lines = str(samples).splitlines()
    assert lines[0] == "2 samples"
    assert lines[4].split() == ["exit1", "matmul", "2", "of", "2", "1", "15.0", "7.1", "10.0", "20.0", "4.0", "2.00", "uJ"]
    assert lines[5].split()[:9] == ["exit2", "matmul", "1", "of", "2", "1", "20.0", "0.0", "20.0"]
    assert lines[-1] == "agreement not checked"


def test_the_calls_of_a_loop_share_a_row_and_are_told_apart_in_the_data():
    samples = Samples()
    for calls in (2, 5):
        one = Run(hwmodel.load("cnvlutin"), None, {"values": "reference"})
        one.records = [Record("cell", "matmul", call=call, ticks=3, events=call) for call in range(calls)]
        samples.add(one)
    assert str(samples).splitlines()[4].split()[:11] == [
        "cell", "matmul", "2", "of", "2", "3.5", "(2", "to", "5)", "10.5", "6.4",
    ]  # fmt: skip
    frame = samples.to_frame(calls=True)
    assert frame[["name", "op", "part", "call", "ran_in", "ticks_mean"]].values.tolist() == [
        ["cell", "matmul", "forward", call, 2 if call < 2 else 1, 3.0] for call in range(5)
    ]
    assert samples.to_frame()[
        ["name", "ran_in", "calls_minimum", "calls_maximum", "ticks_mean", "events_mean"]
    ].values.tolist() == [["cell", 2, 2.0, 5.0, 10.5, 5.5]]
    assert list(samples.to_frame().columns[4:10]) == [
        "calls_mean", "calls_deviation", "calls_minimum", "calls_maximum", "calls_low", "calls_high",
    ]  # fmt: skip


def test_a_branch_stands_where_it_runs():
    samples = Samples()
    for names in (("stem", "stage2", "exit2"), ("stem", "exit1"), ("stem", "expert7", "exit1")):
        samples.add(run(10, names))
    assert [name for name, _, _ in samples.operators] == ["stem", "expert7", "exit1", "stage2", "exit2"]


def test_samples_are_drawn_as_a_histogram():
    samples = Samples()
    for ticks in (10, 10, 10, 25):
        samples.add(run(ticks, ("fc",)))
    lines = str(samples).splitlines()
    assert lines[-10:] == [
        "ticks  samples",
        "-----  -------",
        f"10           3  {'█' * 40}",
        f"25           1  {'█' * 13}▍",
        "",
        "energy   samples",
        "-------  -------",
        f"2.00 uJ        4  {'█' * 40}",
        "",
        "agreement not checked",
    ]


def test_many_different_ticks_share_the_rows_of_a_histogram():
    samples = Samples()
    for ticks in range(1000, 1100):
        samples.add(run(ticks, ("fc",)))
    lines = str(samples).splitlines()
    rows = lines[lines.index("ticks           samples") :]
    assert rows[2:10] == [
        f"992 to 1,007          8  {'█' * 20}",
        f"1,008 to 1,023       16  {'█' * 40}",
        f"1,024 to 1,039       16  {'█' * 40}",
        f"1,040 to 1,055       16  {'█' * 40}",
        f"1,056 to 1,071       16  {'█' * 40}",
        f"1,072 to 1,087       16  {'█' * 40}",
        f"1,088 to 1,103       12  {'█' * 30}",
        "",
    ]


def test_a_sample_on_another_machine_is_refused():
    samples = Samples()
    samples.add(run(10, ("fc",)))
    other = Run(hwmodel.load("cnvlutin", lanes=32, brick=8), hwmodel.load("dadiannao"), {})
    message = (
        "Samples.add: the run is on cnvlutin:lanes=32,brick=8 against dadiannao, expected cnvlutin, as the samples before. "
        "Keep those of each machine apart."
    )
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        samples.add(other)
    assert samples.count == 1


def test_memory_grows_with_the_operators_and_not_with_the_samples():
    def numbers_after(count):
        samples = Samples()
        for sample in range(count):
            samples.add(run(1000 + 7 * sample, ("stem", f"expert{sample % 8}")))
        for counts in samples.histograms.values():
            counts.check()
        return len(samples.operators), len(samples.calls), len(samples.histograms["ticks"].bins) <= BINS, samples.disagreed

    assert numbers_after(20) == numbers_after(2000) == (9, 9, True, None)


def test_samples_that_disagree_are_counted_and_the_first_are_listed():
    samples = Samples()
    for sample in range(25):
        one = Run(hwmodel.load("cnvlutin"), None, {"values": "events"})
        verdict = Verdict("stem", "matmul", error_ratio=0.0, products_equal=True, integers_equal=sample % 2 == 0)
        one.records = [Record("stem", "matmul", ticks=10, verdict=verdict)]
        samples.add(one)
        if sample == 3:
            assert str(samples).splitlines()[-1] == "samples that DISAGREE with PyTorch: [1, 3]"
    assert (samples.disagreed, samples.disagreements) == ([1, 3, 5, 7, 9, 11, 13, 15, 17, 19], 12)
    listed = "samples that DISAGREE with PyTorch: [1, 3, 5, 7, 9, 11, 13, 15, 17, 19] and more, 12 in all"
    assert str(samples).splitlines()[-1] == listed


def test_a_spread_of_one_value_has_no_deviation():
    spread = Spread()
    assert spread.deviation == 0.0
    spread.add(3.0)
    assert (spread.mean, spread.deviation, spread.minimum, spread.maximum, spread.interval) == (3.0, 0.0, 3.0, 3.0, (3.0, 3.0))
