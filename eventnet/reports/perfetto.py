"""A run as a trace that Perfetto (ui.perfetto.dev) and Chrome show: a track for each unit copy, and counters.

Source of the format: "Trace Event Format", the Chrome project. Tasks stand one after the other, as `Run.ticks` adds them up.

- The track ``operators`` has a slice for each record that took time, and an instant for each that took none; the track
  ``modules`` has the modules that they belong to, nested.
- The track of a unit copy has a slice for each task in which the copy had work, with its busy, stall and idle ticks; at job
  level, each job it served is a slice within that.
- ``power`` is the chip's, in watts: static power, and the dynamic energy of a task, spread evenly over the time of the task,
  or at job level over the busy ticks of its unit copies. ``queue`` is the number of jobs that could start and wait for their
  copy, at job level. A task is cut into at most 1,024 pieces of equal length; a counter is the mean over its piece.

Times are decimals of microseconds, made of integers and exact to the picosecond however long a run is. The file is written
record by record, and jobs a chunk at a time: memory does not grow with the trace.
"""

import json
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventnet.progress import Bar
from eventnet.record import Record
from eventnet.reports.whole_file import whole_file
from eventnet.run import Run
from hwmodel.errors import ParameterError
from scheduler.trace import ARRIVAL, COPY, ROUND, START, TICKS, USEFUL, Span

PIECES = 1024
OF_OPERATOR = (
    "call", "macs", "effectual_macs", "executed_macs", "activations", "events",
    "ticks", "busy_ticks", "stall_ticks", "idle_ticks", "dynamic_pj", "static_pj", "offchip_pj", "offchip_bytes", "bound",
)  # fmt: skip
OPERATORS, MODULES, FIRST_COPY = 1, 2, 3  # numbers of tracks

Integers = NDArray[np.int64]


def write_perfetto(run: Run, path: str | Path) -> None:
    """Write a run's trace as JSON, whole or not at all.

    Raises
    ------
    ParameterError
        If the run has no machine, and so no time.
    DataError
        If the file cannot be written.
    """
    if run.machine is None:
        raise ParameterError(
            "Run.to_perfetto: the run has no machine, expected one, whose time a trace shows. Simulate with machine=...."
        )
    total = len(run.records) + sum(span.jobs for span in run.spans.values())
    with whole_file(path) as file, Bar(total=total, unit=" slices", disable=not run.settings.get("progress", True)) as bar:
        file.write(f'{{"displayTimeUnit": "ns", "otherData": {json.dumps(_about(run))}, "traceEvents": [\n')
        lines = _Lines(run)
        file.write(",\n".join(lines.names()))
        for line, shown in lines.of_records():
            file.write(",\n" + line)
            bar.update(shown)
        file.write("\n]}\n")


def _about(run: Run) -> dict[str, Any]:
    assert run.machine is not None
    return {
        "machine": run.machine.name,
        "parameters": run.machine.parameters(),
        "ticks": run.ticks,
        "level": "job" if any(span.jobs for span in run.spans.values()) else "operator",
        "remarks": list(run.remarks),
        "eventnet": version("eventnet"),
    }


class _Clock:
    """Ticks as decimal microseconds."""

    def __init__(self, hz: float) -> None:
        picoseconds = Fraction(10**12) / Fraction(hz)
        self._numerator, self._denominator = 2 * picoseconds.numerator, 2 * picoseconds.denominator
        self._half = picoseconds.denominator

    def between(self, start: int, stop: int) -> str:
        """Write a slice's beginning and length; what ends at a tick ends where the next begins, after any rounding."""
        begins, ends = self._picoseconds(start), self._picoseconds(stop)
        return f'"ts":{_decimal(begins)},"dur":{_decimal(ends - begins)}'

    def at(self, tick: int) -> str:
        """Write a moment."""
        return f'"ts":{_decimal(self._picoseconds(tick))}'

    def _picoseconds(self, tick: int) -> int:
        return (tick * self._numerator + self._half) // self._denominator


def _decimal(picoseconds: int) -> str:
    whole, rest = divmod(picoseconds, 10**6)
    return f"{whole}.{rest:06}"


class _Lines:
    """The events of a run, each a line of JSON."""

    def __init__(self, run: Run) -> None:
        assert run.machine is not None
        self._run = run
        self._clock = _Clock(run.machine.clock_hz)
        self._hz = run.machine.clock_hz
        self._tracks = _tracks(run.spans.values())
        self._modules = _Modules()
        self._shown: dict[str, str] = {}  # the last value of each counter

    def names(self) -> Iterator[str]:
        """Name the machine and the tracks, in the order in which they are to stand."""
        assert self._run.machine is not None
        yield _meta("process_name", 0, {"name": self._run.machine.name})
        named = {OPERATORS: "operators", MODULES: "modules"}
        for (name, nth), (first, copies) in self._tracks.items():
            unit = name if nth == 1 else f"{name} ({nth})"
            named.update({first + copy: f"{unit} {copy}" for copy in range(copies)})
        for track, name in named.items():
            yield _meta("thread_name", track, {"name": name})
            yield _meta("thread_sort_index", track, {"sort_index": track})

    def of_records(self) -> Iterator[tuple[str, int]]:
        """Yield the events of all records, each with the number of slices by which it carries the work on."""
        now = 0
        for record in self._run.records:
            name = label(record)
            if not record.ticks:
                yield self._instant(record, name, now), 1
                continue
            for line in self._modules_until(record, now):
                yield line, 0
            yield self._slice(OPERATORS, now, now + record.ticks, "operator", name, _of_operator(record)), 1
            yield from self._of_task(record, name, now)
            now += record.ticks
        for line in self._modules_until(None, now):
            yield line, 0
        yield from self._counter("power", now, {"dynamic": 0.0, "static": 0.0})
        if "queue" in self._shown:
            yield from self._counter("queue", now, {"jobs": 0.0})

    def _of_task(self, record: Record, name: str, now: int) -> Iterator[tuple[str, int]]:
        span = self._run.spans.get(record)
        static_w, dynamic_w = (pj * 1e-12 * self._hz / record.ticks for pj in (record.static_pj, record.dynamic_pj))
        if span is not None:
            yield from self._of_copies(record, span, name, now)
        if span is None or not span.jobs:
            yield from self._counter("power", now, {"dynamic": dynamic_w, "static": static_w})
            return
        busy, waiting = Pieces(record.ticks), Pieces(record.ticks)
        tracks = self._of_span(span)
        for rows in span.rows():
            starts, stops = rows[:, START], rows[:, START] + rows[:, TICKS]
            busy.add(starts, stops)
            waiting.add(rows[:, ARRIVAL], starts)
            yield self._of_jobs(rows, tracks, now), len(rows)
        all_busy = record.busy_ticks
        for start, ticks, worked, waited in zip(busy.starts, busy.lengths, busy.ticks, waiting.ticks, strict=True):
            share = worked * record.ticks / (ticks * all_busy) if all_busy else 1.0
            yield from self._counter("power", now + start, {"dynamic": dynamic_w * share, "static": static_w})
            yield from self._counter("queue", now + start, {"jobs": waited / ticks})

    def _of_copies(self, record: Record, span: Span, name: str, now: int) -> Iterator[tuple[str, int]]:
        waited = record.ticks - span.ticks  # for what came from off the chip
        times = zip(self._of_span(span), span.busy_ticks.tolist(), span.stall_ticks.tolist(), strict=True)
        for track, busy, stall in times:
            if busy or stall:
                stall += waited
                shares = {"busy_ticks": busy, "stall_ticks": stall, "idle_ticks": record.ticks - busy - stall}
                yield self._slice(track, now, now + record.ticks, "operator", name, shares), 0

    def _of_jobs(self, rows: Integers, tracks: list[int], now: int) -> str:
        between = self._clock.between
        return ",\n".join(
            f'{{"ph":"X","pid":1,"tid":{tracks[row[COPY]]},{between(now + row[START], now + row[START] + row[TICKS])},'
            f'"cat":"job","name":"round {row[ROUND]}","args":{{"ticks":{row[TICKS]},"useful_ticks":{row[USEFUL]},'
            f'"waited_ticks":{row[START] - row[ARRIVAL]}}}}}'
            for row in rows.tolist()
        )

    def _of_span(self, span: Span) -> list[int]:
        """List the tracks of a span's copies."""
        return [self._tracks[key][0] + copy for key, copies in _units(span) for copy in range(copies)]

    def _modules_until(self, record: Record | None, now: int) -> Iterator[str]:
        for path, start in self._modules.go_to(record, now):
            yield self._slice(MODULES, start, now, "module", path, {})

    def _slice(self, track: int, start: int, stop: int, category: str, name: str, arguments: dict[str, Any]) -> str:
        return (
            f'{{"ph":"X","pid":1,"tid":{track},{self._clock.between(start, stop)},"cat":"{category}","name":{json.dumps(name)},'
            f'"args":{json.dumps(arguments)}}}'
        )

    def _instant(self, record: Record, name: str, now: int) -> str:
        timed = "in the pipeline of the product before" if record.timed else record.why or "in PyTorch, without ticks"
        return (
            f'{{"ph":"i","s":"t","pid":1,"tid":{OPERATORS},{self._clock.at(now)},"cat":"operator","name":{json.dumps(name)},'
            f'"args":{json.dumps({"runs": timed})}}}'
        )

    def _counter(self, name: str, now: int, values: dict[str, float]) -> Iterator[tuple[str, int]]:
        shown = json.dumps({key: float(f"{value:.6g}") for key, value in values.items()})
        if self._shown.get(name) != shown:
            self._shown[name] = shown
            yield f'{{"ph":"C","pid":1,"tid":0,{self._clock.at(now)},"name":"{name}","args":{shown}}}', 0


class _Modules:
    """The modules that are open, outermost first, each with the tick of its first task."""

    def __init__(self) -> None:
        self._open: list[tuple[str, int, int]] = []  # path, call, start

    def go_to(self, record: Record | None, now: int) -> list[tuple[str, int]]:
        """Enter the modules of a record; return those that were left for it, innermost last, with their starts."""
        parts = record.name.split(".") if record is not None and record.name else []
        paths = [".".join(parts[: end + 1]) for end in range(len(parts))]
        calls = [0] * (len(paths) - 1) + [record.call] if record is not None and paths else []
        wanted = list(zip(paths, calls, strict=True))
        same = 0
        while same < min(len(wanted), len(self._open)) and wanted[same] == self._open[same][:2]:
            same += 1
        left = [(path, start) for path, _, start in self._open[same:]]
        self._open[same:] = [(path, call, now) for path, call in wanted[same:]]
        return left


class Pieces:
    """A task's time in at most `PIECES` pieces, and how many ticks of given intervals lie in each.

    Attributes
    ----------
    starts, lengths
        Where each piece begins, and its ticks.
    """

    def __init__(self, ticks: int) -> None:
        self._width = -(-ticks // PIECES)
        edges = np.minimum(np.arange(-(-ticks // self._width) + 1, dtype=np.int64) * self._width, ticks)
        self._stops = edges[1:]
        self.starts: list[int] = edges[:-1].tolist()
        self.lengths: list[int] = np.diff(edges).tolist()
        self._open = np.zeros(self._stops.size, dtype=np.int64)  # intervals that began in a piece, less those that ended
        self._rest = np.zeros(self._stops.size, dtype=np.int64)  # the ticks from there to the piece's end

    def add(self, starts: Integers, stops: Integers) -> None:
        """Take intervals in. Cost: some nanoseconds each, however many pieces they go through."""
        for sign, points in ((1, starts), (-1, stops)):
            pieces = np.minimum(points // self._width, self._stops.size - 1)
            np.add.at(self._open, pieces, sign)
            np.add.at(self._rest, pieces, sign * (self._stops[pieces] - points))

    @property
    def ticks(self) -> list[int]:
        """Add up, for each piece, the ticks of all intervals in it."""
        running = np.cumsum(self._open) - self._open
        whole: Integers = running * np.array(self.lengths, dtype=np.int64) + self._rest
        return [int(one) for one in whole]


def label(record: Record) -> str:
    """Name a record: module, operator, and the part of the call if it is not forward."""
    part = "" if record.part == "forward" else record.part
    return " ".join(one for one in (record.name, record.op, part) if one)


def _of_operator(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in OF_OPERATOR}


def _units(span: Span) -> Iterator[tuple[tuple[str, int], int]]:
    """Yield each unit of a span, its name with the number of units of that name so far, and its copies."""
    seen: Counter[str] = Counter()
    for unit in span.units:
        seen[unit.name] += 1
        yield (unit.name, seen[unit.name]), unit.copies


def _tracks(spans: Any) -> dict[tuple[str, int], tuple[int, int]]:
    """Give each unit its tracks, the number of the first and how many, in the order in which units were first seen."""
    most: dict[tuple[str, int], int] = {}
    for span in spans:
        for key, copies in _units(span):
            most[key] = max(most.get(key, 0), copies)
    tracks, free = {}, FIRST_COPY
    for key, copies in most.items():
        tracks[key] = free, copies
        free += copies
    return tracks


def _meta(what: str, track: int, arguments: dict[str, Any]) -> str:
    return json.dumps({"ph": "M", "pid": 1, "tid": track, "name": what, "args": arguments})
