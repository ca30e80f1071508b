"""Statistics over samples as text."""

import hwmodel
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
    assert lines[4].split() == ["exit1", "matmul", "2", "of", "2", "15.0", "7.1", "10.0", "20.0", "4.0", "2.00", "uJ"]
    assert lines[5].split()[:8] == ["exit2", "matmul", "1", "of", "2", "20.0", "0.0", "20.0"]
    assert lines[-1] == "agreement not checked"


def test_a_spread_of_one_value_has_no_deviation():
    spread = Spread()
    assert spread.deviation == 0.0
    spread.add(3.0)
    assert (spread.mean, spread.deviation, spread.minimum, spread.maximum, spread.interval) == (3.0, 0.0, 3.0, 3.0, (3.0, 3.0))
