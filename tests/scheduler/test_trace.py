"""Traces: every job at the tick that the law of time gives it, and nothing left behind."""

import copy
import os
import pickle
import re
import tempfile
import threading
from itertools import pairwise
from random import Random

import numpy as np
import pytest

import hwmodel
import scheduler
from hwmodel import EARLIEST, Task, VectorTask
from hwmodel.products import Products
from scheduler import trace as trace_file
from scheduler.ticks import TickEnvironment
from scheduler.trace import BUFFER_BYTES, CHUNK_ROWS, ROW_BYTES, Trace

LARGEST = np.iinfo(np.int64).max
TASK = Task.convolution(np.arange(3 * 8 * 8).reshape(3, 8, 8) % 3, np.ones((4, 3, 3, 3)))


def rows_of(span) -> list[list[int]]:
    return [row for rows in span.rows() for row in rows.tolist()]


def traced(plan, **keywords):
    trace = Trace()
    trace.begin()
    outcome = scheduler.play(plan, trace=trace, **keywords)
    trace.add(outcome)
    trace.check()
    return outcome, trace.spans[0]


def test_a_job_is_traced_with_its_copy_round_arrival_start_ticks_and_useful_ticks(stage, plan_of):
    """Depth 2: copy 0 is in round 1 from tick 4 on, and round 2, issued at 6, waits for nobody."""
    one = stage([[(0, 3), (1, 5)], [(0, 4), (1, 1)], [(1, 2)]], copies=2, depth=2, latency=1)
    _, span = traced(plan_of(one))
    assert rows_of(span) == [
        [0, 0, 1, 1, 3, 1],
        [1, 0, 1, 1, 5, 2],
        [1, 1, 1, 6, 1, 0],
        [0, 1, 1, 4, 4, 2],
        [1, 2, 7, 7, 2, 1],
    ]


def test_a_job_for_the_earliest_copy_is_traced_with_the_copy_that_took_it(stage, plan_of):
    first = stage([[(0, 1)]])
    second = stage([[(EARLIEST, 4), (EARLIEST, 1), (EARLIEST, 2), (EARLIEST, 0)]], copies=2, earliest=True)
    _, span = traced(plan_of(first, second))
    assert sorted(rows_of(span)) == [
        [0, 0, 0, 0, 1, 0],
        [1, 0, 1, 1, 4, 2],
        [2, 0, 1, 1, 1, 0],
        [2, 0, 1, 2, 2, 1],
        [2, 0, 1, 4, 0, 0],  # free before copy 1, which ends at 5
    ]


@pytest.mark.parametrize("seed", range(150))
def test_every_job_is_where_the_law_of_time_puts_it(seed, random_plan, law):
    plain = random_plan(Random(seed))
    outcome, span = traced(plain.plan())
    judge, expected, first_copy = law(plain), [], 0
    for place, one in enumerate(plain.stages):
        for number, played in enumerate(judge.rounds(place)):
            arrival = judge.issue(place, number) + one.latency
            for taken, start, finish in zip(played.copies, played.starts, played.finishes, strict=True):
                ticks = finish - start
                expected.append([first_copy + taken, number, arrival, start, ticks, ticks // 2])
        first_copy += one.copies
    assert sorted(rows_of(span)) == sorted(expected)
    assert (outcome.ticks, span.ticks, span.jobs) == (judge.ticks, judge.ticks, outcome.jobs)
    untraced = scheduler.play(plain.plan())
    for name in ("busy_ticks", "stall_ticks", "idle_ticks"):
        assert (getattr(outcome, name) == getattr(untraced, name)).all()
    assert outcome.ledger == untraced.ledger


def test_the_jobs_of_a_copy_do_not_overlap_and_add_up_to_its_busy_ticks(random_plan):
    for seed in range(150, 200):
        _, span = traced(random_plan(Random(seed)).plan())
        for number, busy in enumerate(span.busy_ticks):
            jobs = [(start, start + ticks) for taken, _, _, start, ticks, _ in rows_of(span) if taken == number]
            assert sum(stop - start for start, stop in jobs) == busy
            assert all(before[1] <= after[0] for before, after in pairwise(jobs))


def test_a_trace_that_starts_late_counts_from_its_task(stage, plan_of):
    env, trace = TickEnvironment(1000), Trace()
    process = env.process(scheduler.play_process(env, plan_of(stage([[(0, 2)], [(0, 3)]])), None, trace))
    env.run()
    trace.add(process.value)
    assert [row[3] for row in rows_of(trace.spans[0])] == [0, 2]


def test_tasks_follow_each_other_in_one_trace():
    machine, trace = hwmodel.load("cnvlutin"), Trace()
    for task in (TASK, VectorTask("pool", 1000), TASK):
        scheduler.run(machine, task, trace=trace)
    trace.check()
    first, pool, again = trace.spans
    assert rows_of(first) == rows_of(again)
    assert [one.jobs for one in trace.spans] == [len(rows_of(one)) for one in trace.spans]
    assert pool.jobs == 16
    assert [unit.name for unit in first.units] == ["lane"]


def test_a_trace_of_operators_asks_for_no_jobs_and_takes_any_engine():
    machine = hwmodel.load("cnvlutin")
    spans = []
    for engine in ("auto", "bulk", "event"):
        trace = Trace(jobs=False)
        scheduler.run(machine, TASK, engine, trace=trace)
        spans += trace.spans
    assert [(one.ticks, one.jobs, one.busy_ticks.tolist()) for one in spans[1:]] == [
        (spans[0].ticks, 0, spans[0].busy_ticks.tolist())
    ] * 2


def test_bulk_plays_no_jobs():
    message = (
        "scheduler.run: engine is 'bulk' and the trace asks for jobs, expected engine 'event' or 'auto'. The bulk engine plays no "
        "jobs; scheduler.Trace(jobs=False) asks for the times of unit copies only."
    )
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        scheduler.run(hwmodel.load("cnvlutin"), TASK, "bulk", trace=Trace())


def long_plan(stage, plan_of):
    return plan_of(stage([[(0, 1), (1, 2)]] * (CHUNK_ROWS + 5), copies=2))


def test_a_long_trace_goes_to_disk_and_comes_back(stage, plan_of, monkeypatch):
    files = []
    make = tempfile.TemporaryFile
    monkeypatch.setattr(trace_file.tempfile, "TemporaryFile", lambda **how: files.append(make(**how)) or files[-1])
    _, span = traced(long_plan(stage, plan_of))
    assert span.jobs == 2 * (CHUNK_ROWS + 5)
    assert span.jobs * ROW_BYTES > BUFFER_BYTES
    assert [len(rows) for rows in span.rows()] == [CHUNK_ROWS, CHUNK_ROWS, 10]
    assert rows_of(span)[-1] == [1, CHUNK_ROWS + 4, 2 * (CHUNK_ROWS + 4), 2 * (CHUNK_ROWS + 4), 2, 1]
    assert os.fstat(files[0].fileno()).st_size > 0
    del span
    assert files[0].closed


@pytest.mark.parametrize("when", ["made", "written"])
def test_a_full_disk_costs_the_jobs_and_nothing_else(when, stage, plan_of, monkeypatch):
    class Full:
        def seek(self, place):
            pass

        def write(self, data):
            raise OSError(28, "No space left on device")

        def close(self):
            self.closed = True

    def make(**how):
        if when == "made":
            raise OSError(28, "No space left on device")
        return Full()

    monkeypatch.setattr(trace_file.tempfile, "TemporaryFile", make)
    plan = long_plan(stage, plan_of)
    outcome, span = traced(plan)
    assert outcome.ticks == scheduler.play(plan).ticks == span.ticks
    assert (span.jobs, list(span.rows()), span.spool.failed) == (0, [], "No space left on device")


def test_a_short_write_is_carried_on(stage, plan_of, monkeypatch):
    make = tempfile.TemporaryFile

    class Short:
        def __init__(self):
            self.file = make(buffering=0)
            self.seek, self.read, self.close = self.file.seek, self.file.read, self.file.close

        def write(self, data):
            return self.file.write(data[:1000])

    monkeypatch.setattr(trace_file.tempfile, "TemporaryFile", lambda **how: Short())
    _, span = traced(long_plan(stage, plan_of))
    assert [row[1] for row in rows_of(span)] == [number for number in range(CHUNK_ROWS + 5) for _ in range(2)]


def test_an_interrupt_leaves_no_file_and_no_thread(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(trace_file, "BUFFER_BYTES", 1)
    machine, trace, threads = hwmodel.load("cnvlutin"), Trace(), threading.enumerate()
    scheduler.run(machine, TASK, trace=trace)
    made = []

    def interrupted(self, block):
        def add(job):
            made.append(job)
            if len(made) == 20:
                raise KeyboardInterrupt

        return add

    with monkeypatch.context() as patched:
        patched.setattr(Products, "adder_of", interrupted)
        with pytest.raises(KeyboardInterrupt):
            scheduler.run(machine, TASK, trace=trace)
    assert list(tmp_path.iterdir()) == []
    assert threading.enumerate() == threads
    scheduler.run(machine, TASK, trace=trace)  # what the interrupted task has left is no part of any
    trace.check()
    assert len(trace.spans) == 2
    assert rows_of(trace.spans[0]) == rows_of(trace.spans[1])


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda trace: pickle.loads(pickle.dumps(trace))])
def test_a_copied_trace_has_no_jobs_and_says_so(copied):
    trace = Trace()
    scheduler.run(hwmodel.load("cnvlutin"), TASK, trace=trace)
    other = copied(trace)
    assert (other.spans[0].jobs, other.failed) == (0, "a copied trace has no jobs")
    assert other.spans[0].busy_ticks.tolist() == trace.spans[0].busy_ticks.tolist()
    assert trace.spans[0].jobs
    assert copied(Trace(jobs=False)).failed == ""


def test_a_job_that_ends_beyond_64_bits_is_one_sentence(stage, plan_of):
    message = "scheduler.run: a task takes more than 2^63 ticks, expected fewer. Cut it into smaller ones."
    with pytest.raises(hwmodel.CountError, match=f"^{re.escape(message)}$"):
        traced(plan_of(stage([[(0, LARGEST)], [(0, LARGEST)]])))
