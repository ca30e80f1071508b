"""Which events the windows of a task reach: whole runs of them, since events are compressed row by row.

The taps of a row of the kernel read neighbouring positions of one row of the feature map, so their events lie side by side;
with dilation, each tap is a run of its own.
"""

from dataclasses import field
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwmodel.frozen import frozen
from hwmodel.lazy import lazy

Indices = NDArray[np.int64]
OUTSIDE = -1


@frozen
class Reach:
    """What each window reads, row by row; a row is a position in frames, depth and height, a column one in width.

    Attributes
    ----------
    rows
        int64 (rows of windows, rows of the kernel): which row of the feature map is read, or `OUTSIDE`.
    pointers
        int64 (columns of windows + 1): column x of the windows has the runs from ``pointers[x]`` up to ``pointers[x + 1]``.
    runs
        int64 (runs, 3): the first column of the feature map that a run reads, the one after the last, and how far the kernel's
        column is from the feature map's.
    columns
        int64 (columns of windows, columns of the kernel): which column of the feature map is read, or `OUTSIDE`.
    """

    rows: Indices
    pointers: Indices
    runs: Indices
    columns: Indices
    _read: dict[tuple[str, int], Indices] = field(default_factory=dict, init=False, repr=False)

    @staticmethod
    def of(taps: tuple[Indices, Indices, Indices, Indices], sizes: tuple[int, ...]) -> "Reach":
        """Find the rows and runs of a task's taps over a feature map of these sizes (frames, depth, height, ...).

        Cost: a look at each tap of each dimension, and at each row of the kernel in each row of windows; none for tables that
        were asked for before.
        """
        return _reach(tuple(map(_Same, taps)), tuple(sizes[:3]))

    @staticmethod
    def _find(taps: tuple[Indices, ...], sizes: tuple[int, ...]) -> "Reach":
        rows = np.zeros((1, 1), dtype=np.int64)
        for table, size in zip(taps[:3], sizes, strict=False):
            if table.shape == (1, 1) and size == 1 and table[0, 0] != OUTSIDE:
                continue  # a dimension that the operator lacks
            spread = rows[:, None, :, None] * size + table[None, :, None, :]
            outside = (rows[:, None, :, None] == OUTSIDE) | (table[None, :, None, :] == OUTSIDE)
            rows = np.where(outside, OUTSIDE, spread).reshape(len(rows) * len(table), rows.shape[1] * table.shape[1])
        columns = taps[3].copy()
        inside = columns != OUTSIDE
        joined = inside[:, 1:] & (columns[:, 1:] == columns[:, :-1] + 1) & inside[:, :-1]
        begins, ends = inside.copy(), inside.copy()
        begins[:, 1:] &= ~joined
        ends[:, :-1] &= ~joined
        first = columns[begins]
        return Reach(
            rows=rows,
            pointers=np.concatenate([[0], np.cumsum(np.count_nonzero(begins, axis=1))]),
            runs=np.stack([first, columns[ends] + 1, np.nonzero(begins)[1] - first], axis=1),
            columns=columns,
        )

    @lazy
    def operands_inside(self) -> Indices:
        """Count the kernel positions that are not padding in all windows before each one: int64 (windows + 1,)."""
        inside = np.multiply.outer((self.rows != OUTSIDE).sum(axis=1), (self.columns != OUTSIDE).sum(axis=1))
        return np.concatenate([[0], np.cumsum(inside.reshape(-1))])

    @lazy
    def spans(self) -> Indices | None:
        """Say which windows of a row read a position at each column of the kernel, and which.

        int64 (columns of the kernel, 4): the first such window, one past the last, what the first one reads, and how far apart
        these positions are; None if these windows do not lie side by side, or what they read is not equally far apart.
        """
        spans = np.zeros((self.kernel_columns, 4), dtype=np.int64)
        for tap, read in enumerate(self.columns.T):
            inside = np.flatnonzero(read != OUTSIDE)
            if not inside.size:
                continue
            begin, end = int(inside[0]), int(inside[-1]) + 1
            stride = int(read[begin + 1] - read[begin]) if inside.size > 1 else 1
            if end - begin != inside.size or (np.diff(read[begin:end]) != stride).any():
                return None
            spans[tap] = begin, end, read[begin], stride
        return spans

    def row_reads(self, rows: int) -> Indices:
        """Count how often each kernel row reads each row of the feature map: (rows of the kernel, rows)."""
        return self._reads("rows", rows)

    def column_reads(self, columns: int) -> Indices:
        """Count how often each kernel column reads each column of the feature map: (columns of the kernel, columns)."""
        return self._reads("columns", columns)

    def _reads(self, of: Literal["rows", "columns"], size: int) -> Indices:
        if (of, size) not in self._read:
            table = self.rows if of == "rows" else self.columns
            reads = np.zeros((table.shape[1], size), dtype=np.int64)
            windows, taps = np.nonzero(table != OUTSIDE)
            np.add.at(reads, (taps, table[windows, taps]), 1)
            self._read[of, size] = reads
        return self._read[of, size]

    @property
    def kernel_columns(self) -> int:
        """Count the columns of the kernel."""
        return int(self.columns.shape[1])

    @property
    def window_columns(self) -> int:
        """Count the windows of a row."""
        return self.pointers.size - 1

    @lazy
    def columns_per_run(self) -> float:
        """Give how many columns a run reads on average."""
        return float((self.runs[:, 1] - self.runs[:, 0]).sum() / max(1, len(self.runs)))


class _Same:
    """An array as a key: equal to itself alone. The tables of a layer are the same arrays each time it runs."""

    __slots__ = ("array",)

    def __init__(self, array: Indices) -> None:
        self.array = array

    def __hash__(self) -> int:
        return id(self.array)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.array is other.array


@lru_cache(maxsize=256)
def _reach(taps: tuple[_Same, ...], sizes: tuple[int, ...]) -> Reach:
    return Reach._find(tuple(table.array for table in taps), sizes)
