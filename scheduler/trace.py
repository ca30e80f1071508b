"""Traces: when each unit copy worked in each task, and when each job was served if the event engine played it.

Of a task, a trace keeps two numbers a unit copy (`Span`). Jobs go to a `Spool`: rows of integers in a temporary file without
a name, which is gone when the trace is, or its process, however that ends. So memory does not grow with the jobs.

    Trace.log             one for each stage of a plan: what its blocks were (`StageLog`)
      StageLog.book       the jobs of a block that is done, as rows into the spool
    Trace.add             the task is over: its span, with the rows that are its jobs
    Span.rows             the jobs back from the spool, some thousand at a time
"""

import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwmodel.frozen import frozen
from hwmodel.ledger import Ledger
from hwmodel.plan import Unit
from scheduler.outcome import Outcome
from scheduler.waiting import too_many_ticks

if TYPE_CHECKING:
    from scheduler.dispatch import BlockWork

Integers = NDArray[np.int64]

# Columns of a row: the unit copy as `Outcome` counts them, the round of its stage, the tick from which the job could have
# started, that in which it did, its service ticks, and those of them spent on nonzero operands. Ticks are the task's.
COPY, ROUND, ARRIVAL, START, TICKS, USEFUL = range(6)
ROW_BYTES = 6 * 8
BUFFER_BYTES = 1 << 20
CHUNK_ROWS = 1 << 14


class Spool:
    """Rows of integers, one after the other, in a buffer and behind it in a temporary file without a name.

    Attributes
    ----------
    rows
        How many were written.
    failed
        Why there are none any more; empty if there are.
    """

    def __init__(self) -> None:
        self.rows = 0
        self.failed = ""
        self._file: IO[bytes] | None = None
        self._buffer = bytearray()
        self._written = 0  # bytes in the file

    def write(self, rows: Integers) -> None:
        """Append rows; if the disk is full or missing, drop all of them and say why in ``failed``."""
        if self.failed:
            return
        self._buffer += rows.tobytes()
        self.rows += len(rows)
        if len(self._buffer) >= BUFFER_BYTES:
            try:
                self._flush()
            except OSError as error:
                self._give_up(error.strerror or str(error))

    def read(self, first: int, stop: int) -> Integers:
        """Return rows by their numbers; OSError if the file cannot be read."""
        beginning, end = first * ROW_BYTES, stop * ROW_BYTES
        data = b""
        if self._file is not None and beginning < self._written:
            self._file.seek(beginning)
            data = self._file.read(min(end, self._written) - beginning)
        data += self._buffer[max(0, beginning - self._written) : max(0, end - self._written)]
        return np.frombuffer(data, dtype=np.int64).reshape(stop - first, -1)

    def _flush(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # it lives as long as the spool does
            weakref.finalize(self, self._file.close)
        self._file.seek(self._written)
        while self._buffer:
            with memoryview(self._buffer) as view:
                written = self._file.write(view)
            del self._buffer[:written]
            self._written += written

    def _give_up(self, why: str) -> None:
        self.failed = why
        self._buffer.clear()
        if self._file is not None:
            self._file.close()

    def __getstate__(self) -> dict[str, Any]:
        """Leave the rows behind: a file without a name belongs to one process."""
        left = "a copied trace has no jobs" if self.rows else ""
        return {**self.__dict__, "failed": self.failed or left, "_file": None, "_buffer": bytearray()}

    def check(self) -> None:
        """Assert that every row is in the file or in the buffer."""
        assert self.failed or self._written + len(self._buffer) == self.rows * ROW_BYTES


@frozen
class Span:
    """One task in a trace.

    Attributes
    ----------
    ticks
        What it took.
    units
        The units whose copies the arrays list, in this order.
    busy_ticks, stall_ticks
        int64 (copies,): how long each unit copy served jobs, and waited while it had or awaited work; else it was idle.
    spool, first, stop
        Where its jobs are.
    """

    ticks: int
    units: tuple[Unit, ...]
    busy_ticks: Integers
    stall_ticks: Integers
    spool: Spool
    first: int = 0
    stop: int = 0

    @property
    def jobs(self) -> int:
        """Count the jobs that the trace has of it: 0 where it has only the task."""
        return 0 if self.spool.failed else self.stop - self.first

    def rows(self) -> Iterator[Integers]:
        """Yield its jobs, int64 (up to 16,384, 6): `COPY`, `ROUND`, `ARRIVAL`, `START`, `TICKS` and `USEFUL` of each.

        Those of one copy come in the order in which it served them.
        """
        for first in range(self.first, self.first + self.jobs, CHUNK_ROWS):
            yield self.spool.read(first, min(first + CHUNK_ROWS, self.stop))


class Trace:
    """What happened in the tasks of a machine, one after the other.

    Attributes
    ----------
    jobs
        Whether it asks for every job, which only the event engine can tell.
    spans
        The tasks, in the order in which they were done.
    """

    def __init__(self, jobs: bool = True) -> None:
        self.jobs = jobs
        self.spans: list[Span] = []
        self._spool = Spool()
        self._first = 0  # row of the task that is being done

    @property
    def failed(self) -> str:
        """Say why jobs are missing although they were asked for; empty if none are."""
        return self._spool.failed

    def begin(self) -> None:
        """Begin a task: what one that never ended has left is no part of it."""
        self._first = self._spool.rows

    def log(self, first_copy: int, started: int) -> "StageLog":
        """Return where the blocks of a stage are booked, whose first copy is that of the outcome's copies."""
        return StageLog(self._spool, first_copy, started)

    def add(self, outcome: Outcome) -> None:
        """End a task."""
        times = outcome.ticks, outcome.units, outcome.busy_ticks, outcome.stall_ticks
        self.spans.append(Span(*times, self._spool, self._first, self._spool.rows))
        self.begin()

    def repeat(self, span: Span) -> None:
        """Add a task that took exactly what another one did, where jobs are not traced."""
        self.spans.append(span)

    def check(self) -> None:
        """Assert that no job is lost, and that tasks do not share any."""
        self._spool.check()
        ends = [end for span in self.spans for end in (span.first, span.stop)]
        assert ends == sorted(ends)


class StageLog:
    """Notes the jobs of one stage, block by block, as the event engine retires them."""

    def __init__(self, spool: Spool, first_copy: int, started: int) -> None:
        self._spool = spool
        self._first_copy = first_copy
        self._started = started
        self._rounds = 0  # of the blocks before

    def book(self, work: "BlockWork", latency: int) -> None:
        """Write the jobs of a block that is done, in the order in which they were."""
        block, jobs = work.block, np.array(work.served, dtype=np.int64)
        round_of = np.searchsorted(block.round_pointers, jobs, side="right") - 1
        rows = np.empty((jobs.size, 6), dtype=np.int64)
        try:
            ends = np.array(work.ends, dtype=np.int64)
            arrivals = np.array(work.issued, dtype=np.int64) + latency
        except OverflowError:
            raise too_many_ticks() from None
        rows[:, COPY] = self._first_copy + np.array(work.copies, dtype=np.int64)[jobs]
        rows[:, ROUND] = self._rounds + round_of
        rows[:, ARRIVAL] = arrivals[round_of] - self._started
        rows[:, TICKS] = block.ticks[jobs]
        rows[:, START] = ends - rows[:, TICKS] - self._started
        rows[:, USEFUL] = block.useful_ticks[jobs]
        self._rounds += block.rounds
        self._spool.write(rows)

    def book_lost(self, lost: Ledger, start: int, stop: int) -> None:
        """Take an attempt at a job that ended when its unit failed; rows are of jobs that were done."""
