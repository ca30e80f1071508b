"""The trace for Perfetto: exact events of a hand-made run, and what holds of every trace."""

import json
import re
import tempfile
import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

import eventnet
import hwmodel
from eventnet.record import Record
from eventnet.reports import perfetto, whole_file
from eventnet.reports.perfetto import PIECES, Pieces
from eventnet.run import Run
from hwmodel import Unit
from scheduler import trace as trace_file
from scheduler.trace import Span, Spool, Trace


def events_of(run, path) -> list[dict]:
    run.to_perfetto(path)
    return json.loads(path.read_text())["traceEvents"]


LANES = (Unit("lane", 2),)


def span_of(rows, ticks, busy, stall, units=LANES) -> Span:
    spool = Spool()
    spool.write(np.array(rows, dtype=np.int64).reshape(-1, 6))
    return Span(ticks, units, np.array(busy), np.array(stall), spool, 0, len(rows))


@pytest.fixture
def hand_made():
    """Make a run at 1 MHz, where a tick is a microsecond: two convolutions of one module, and what took no time."""
    run = Run(hwmodel.load("dadiannao", clock_hz=1e6), None, {"progress": False})
    first = Record("features.conv", "convolution", ticks=4, lanes=2, busy_ticks=4, stall_ticks=4, dynamic_pj=8e6, static_pj=4e6)
    second = Record("features.conv", "convolution", call=1, ticks=3, lanes=2, busy_ticks=1, stall_ticks=2, idle_ticks=3)
    run.records = [first, Record("features.relu", "relu", vector=True), second, Record("", "sort", timed=False, why="it sorts")]
    run.spans[first] = span_of([[0, 0, 0, 0, 3, 2], [1, 0, 0, 2, 1, 0]], 4, [3, 1], [1, 3])
    run.spans[second] = span_of([], 2, [1, 0], [1, 0])  # a tick later, since its weights came from off the chip
    return run


def test_a_hand_made_run_gives_exactly_these_events(hand_made, tmp_path):
    events = events_of(hand_made, tmp_path / "trace.json")
    names = [(one["tid"], one["args"]["name"]) for one in events if one["ph"] == "M" and "name" in one["args"]]
    assert names == [(0, "dadiannao"), (1, "operators"), (2, "modules"), (3, "lane 0"), (4, "lane 1")]
    order = [(one["tid"], one["args"]["sort_index"]) for one in events if one["name"] == "thread_sort_index"]
    assert order == [(1, 1), (2, 2), (3, 3), (4, 4)]
    slices = [(one["tid"], one["ts"], one["dur"], one["cat"], one["name"]) for one in events if one["ph"] == "X"]
    conv = "features.conv convolution"
    assert slices == [
        (1, 0, 4, "operator", conv),
        (3, 0, 4, "operator", conv),
        (4, 0, 4, "operator", conv),
        (3, 0, 3, "job", "round 0"),
        (4, 2, 1, "job", "round 0"),
        (2, 0, 4, "module", "features.conv"),
        (1, 4, 3, "operator", conv),
        (3, 4, 3, "operator", conv),
        (2, 0, 7, "module", "features"),
        (2, 4, 3, "module", "features.conv"),
    ]
    arguments = [one["args"] for one in events if one["ph"] == "X" and one["tid"] > 2]
    assert arguments == [
        {"busy_ticks": 3, "stall_ticks": 1, "idle_ticks": 0},
        {"busy_ticks": 1, "stall_ticks": 3, "idle_ticks": 0},
        {"ticks": 3, "useful_ticks": 2, "waited_ticks": 0},
        {"ticks": 1, "useful_ticks": 0, "waited_ticks": 2},
        {"busy_ticks": 1, "stall_ticks": 2, "idle_ticks": 0},
    ]
    instants = [(one["ts"], one["name"], one["args"]["runs"]) for one in events if one["ph"] == "i"]
    assert instants == [(4, "features.relu relu", "in the pipeline of the product before"), (7, "sort", "it sorts")]


def test_counters_of_jobs_are_shares_of_the_energy_and_jobs_that_wait(hand_made, tmp_path):
    """8 uJ over 4 busy ticks of a microsecond are 2 W for a busy lane; 4 uJ of static energy are 1 W."""
    events = events_of(hand_made, tmp_path / "trace.json")
    power = [(one["ts"], *one["args"].values()) for one in events if one["name"] == "power"]
    assert power == [(0, 2, 1), (2, 4, 1), (3, 0, 1), (4, 0, 0)]
    queue = [(one["ts"], one["args"]["jobs"]) for one in events if one["name"] == "queue"]
    assert queue == [(0, 1), (2, 0)]


def test_without_jobs_power_is_the_mean_of_the_operator(hand_made, tmp_path):
    hand_made.spans.clear()
    events = events_of(hand_made, tmp_path / "trace.json")
    assert [(one["ts"], *one["args"].values()) for one in events if one["ph"] == "C"] == [(0, 2, 1), (4, 0, 0)]
    assert {one["tid"] for one in events if one["ph"] == "X"} == {1, 2}


def test_units_of_one_name_in_one_plan_have_tracks_of_their_own(tmp_path):
    run = Run(hwmodel.load("dadiannao", clock_hz=1e6), None, {"progress": False})
    run.records = [Record("a", "matmul", ticks=2), Record("b", "matmul", ticks=1)]
    twice = (Unit("bus", 1), Unit("lane", 1), Unit("bus", 1))
    run.spans[run.records[0]] = span_of([], 2, [2, 1, 1], [0, 1, 1], units=twice)
    run.spans[run.records[1]] = span_of([], 1, [1, 1], [0, 0], units=(Unit("lane", 2),))
    events = events_of(run, tmp_path / "trace.json")
    names = {one["tid"]: one["args"]["name"] for one in events if one["name"] == "thread_name"}
    slices = [(names[one["tid"]], one["ts"], one["dur"]) for one in events if one["ph"] == "X" and one["tid"] > 2]
    assert slices == [("bus 0", 0, 2), ("lane 0", 0, 2), ("bus (2) 0", 0, 2), ("lane 0", 2, 1), ("lane 1", 2, 1)]


class Network(nn.Module):
    """Convolutions, pooling, a layer whose weights do not fit, and one module called twice."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 20, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(20, 8, 3, padding=1), nn.ReLU()
        )
        self.again = nn.Linear(200, 200)

    def forward(self, x):
        return self.again(self.again(self.features(x).flatten(1)).relu())


def simulated(machine, **flags):
    torch.manual_seed(3)
    network, image = Network(), torch.randn(1, 3, 12, 12)
    with torch.no_grad():
        return eventnet.simulate(network, image, machine=machine, values="reference", progress=False, **flags)


MACHINES = {
    "cnvlutin": {},
    "dadiannao": {"synapse_bytes_per_unit": 0},
    "eie": {"clock_hz": 7.77e8},
}


@pytest.mark.parametrize("flags", [{"trace": "job"}, {"engine": "event"}, {"engine": "event", "trace": "operator"}, {}])
@pytest.mark.parametrize("offchip", ["energy", "time"])
@pytest.mark.parametrize("machine", sorted(MACHINES))
def test_what_holds_of_every_trace(machine, offchip, flags, tmp_path):
    run = simulated(hwmodel.load(machine, **MACHINES[machine]), offchip=offchip, **flags)
    events = events_of(run, tmp_path / "trace.json")
    jobs_asked = flags.get("trace") == "job" or flags == {"engine": "event"}

    def ticks(microseconds) -> int:
        exact = Fraction(microseconds) * Fraction(run.machine.clock_hz) / 10**6
        assert abs(exact - round(exact)) < Fraction(1, 100)
        return round(exact)

    slices = [one for one in events if one["ph"] == "X"]
    assert max(ticks(one["ts"]) + ticks(one["dur"]) for one in slices) == run.ticks
    busy: dict[int, int] = {}
    for track in {one["tid"] for one in slices}:
        for category in ("operator", "job"):
            spans = [(ticks(one["ts"]), ticks(one["dur"])) for one in slices if (one["tid"], one["cat"]) == (track, category)]
            assert all(start + length <= after for (start, length), (after, _) in pairwise(spans))
            if category == "job":
                busy[track] = sum(length for _, length in spans)
    booked: dict[int, int] = {}
    for one in slices:
        if one["cat"] == "operator" and one["tid"] > 2:
            assert sum(one["args"].values()) == ticks(one["dur"])
            booked[one["tid"]] = booked.get(one["tid"], 0) + one["args"]["busy_ticks"]
    assert sum(booked.values()) == sum(record.busy_ticks for record in run.records)
    assert any(busy.values()) == jobs_asked
    if jobs_asked:
        assert {track: count for track, count in busy.items() if track > 2} == booked
        assert_inside([one for one in slices if one["tid"] > 2], ticks)
    assert_power(events, run, ticks)
    assert ("queue" in {one["name"] for one in events}) == jobs_asked


def assert_inside(slices, ticks) -> None:
    """Every job lies within the slice of its task on the same track."""
    tasks = {}
    for one in slices:
        start, stop = ticks(one["ts"]), ticks(one["ts"]) + ticks(one["dur"])
        if one["cat"] == "operator":
            tasks[one["tid"]] = start, stop
        else:
            first, last = tasks[one["tid"]]
            assert first <= start <= stop <= last


def assert_power(events, run, ticks) -> None:
    """The counter adds up to the chip's energy: each value holds until the next."""
    counted = [(ticks(one["ts"]), sum(one["args"].values())) for one in events if one["name"] == "power"]
    energy = sum(watts * (after - tick) for (tick, watts), (after, _) in pairwise(counted)) / run.machine.clock_hz
    assert counted[-1] == (run.ticks, 0)
    assert energy == pytest.approx(run.chip_pj * 1e-12, rel=1e-5)


def test_the_trace_is_the_same_with_both_ways_to_ask_for_jobs(tmp_path):
    documents = [
        json.dumps(events_of(simulated("eie", **flags), tmp_path / "trace.json"))
        for flags in ({"trace": "job"}, {"engine": "event"})
    ]
    assert documents[0] == documents[1]


def test_each_machine_of_a_list_has_a_trace_and_the_baseline_does_not_mix_in(tmp_path):
    runs = simulated(["cnvlutin", "dadiannao"], baseline="dadiannao", trace="job")
    for run, alone in zip(runs, ("cnvlutin", "dadiannao"), strict=True):
        ours = [one for one in events_of(run, tmp_path / "both.json") if one["ph"] != "M"]
        assert ours == [one for one in events_of(simulated(alone, trace="job"), tmp_path / "one.json") if one["ph"] != "M"]


def test_times_are_exact_however_long_a_run_is():
    clock = perfetto._Clock(606e6)
    late = 10**15
    assert clock.between(late, late + 1) == '"ts":1650165016501.650165,"dur":0.001650'
    assert clock.between(late + 1, late + 2) == '"ts":1650165016501.651815,"dur":0.001650'
    assert clock.between(late + 2, late + 3) == '"ts":1650165016501.653465,"dur":0.001651'
    assert perfetto._Clock(1e9).at(12_345_678) == '"ts":12345.678000'


@pytest.mark.parametrize("ticks", [1, 7, PIECES, PIECES + 1, 5 * PIECES - 3])
def test_pieces_hold_the_ticks_of_intervals(ticks):
    generator = np.random.default_rng(ticks)
    starts = generator.integers(0, ticks + 1, 300)
    stops = np.minimum(starts + generator.integers(0, ticks + 1, 300), ticks)
    pieces = Pieces(ticks)
    pieces.add(starts[:100], stops[:100])
    pieces.add(starts[100:], stops[100:])
    running = [int(((starts <= tick) & (tick < stops)).sum()) for tick in range(ticks)]
    assert pieces.ticks == [
        sum(running[start : start + length]) for start, length in zip(pieces.starts, pieces.lengths, strict=True)
    ]
    assert sum(pieces.lengths) == ticks
    assert len(pieces.lengths) <= PIECES


def peak_bytes(jobs: int, path) -> int:
    run = Run(hwmodel.load("dadiannao"), None, {"progress": False})
    run.trace = Trace()
    log = np.zeros((1000, 6), dtype=np.int64)
    log[:, 4] = 1
    for first in range(0, jobs, 1000):
        log[:, 2] = log[:, 3] = np.arange(first, first + 1000)
        run.trace._spool.write(log)
    span = Span(jobs, (Unit("lane", 1),), np.array([jobs]), np.array([0]), run.trace._spool, 0, jobs)
    record = Record("layer", "matmul", ticks=jobs, busy_ticks=jobs)
    run.records, run.spans = [record], {record: span}
    tracemalloc.start()
    run.to_perfetto(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_trace(tmp_path):
    peak_bytes(1000, tmp_path / "warm.json")
    few, many = peak_bytes(40_000, tmp_path / "few.json"), peak_bytes(160_000, tmp_path / "many.json")
    assert (tmp_path / "many.json").stat().st_size > 15e6
    assert many < 1.1 * few


def test_an_interrupt_while_writing_leaves_nothing(tmp_path, monkeypatch):
    run = simulated("cnvlutin", trace="job")

    def interrupted(self, first, stop):
        raise KeyboardInterrupt

    monkeypatch.setattr(Spool, "read", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.to_perfetto(tmp_path / "trace.json")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path, monkeypatch):
    run = simulated("cnvlutin")
    path = tmp_path / "trace.json"
    path.write_text("old")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_file.os, "fsync", full)
    message = (
        f"writing {str(path)!r}: No space left on device, expected a file that can be written. Choose another path; nothing was "
        "changed."
    )
    with pytest.raises(hwmodel.DataError, match=f"^{re.escape(message)}$"):
        run.to_perfetto(path)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_run_whose_jobs_found_no_room_goes_on_and_says_so(tmp_path, monkeypatch):
    def full(**how):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    monkeypatch.setattr(trace_file, "BUFFER_BYTES", 100)
    run = simulated("dadiannao", trace="job")
    said = "the trace has operators only, since its jobs are not in their temporary file: No space left on device"
    assert run.remarks == (said,)
    assert f"remark     {said}" in str(run)
    monkeypatch.undo()
    run.to_perfetto(tmp_path / "trace.json")
    document = json.loads((tmp_path / "trace.json").read_text())
    assert document["otherData"]["level"] == "operator"
    assert document["otherData"]["remarks"] == [said]
    assert not [one for one in document["traceEvents"] if one.get("cat") == "job"]


def test_a_run_without_a_machine_has_no_trace(tmp_path):
    message = "Run.to_perfetto: the run has no machine, expected one, whose time a trace shows. Simulate with machine=...."
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        Run(None, None).to_perfetto(tmp_path / "trace.json")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"trace": "job", "engine": "bulk"},
            "eventnet.simulate: trace is 'job' and engine is 'bulk', expected engine 'event' or 'auto' for a trace of jobs, since "
            "the bulk engine plays none. Leave the engine out.",
        ),
        (
            {"trace": "jobs"},
            "eventnet.simulate: trace is 'jobs', expected one of auto, job, operator. Did you mean 'job'?",
        ),
        (
            {"trace": "job", "samples": [torch.ones(1, 4)]},
            "eventnet.simulate: samples are given and trace is 'job', expected a trace of one sample, since statistics keep no "
            "runs. Simulate that sample by itself.",
        ),
    ],
)
def test_what_cannot_be_traced_is_refused_in_one_sentence(flags, message):
    inputs = () if "samples" in flags else (torch.ones(1, 4),)
    with pytest.raises(hwmodel.EventNetError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(nn.Linear(4, 3), *inputs, **flags)
