"""Which events the windows of a task reach: whole runs of them, since events are compressed row by row.

The taps of a row of the kernel read neighbouring positions of one row of the feature map, so their events lie side by side;
with dilation, each tap is a run of its own.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
OUTSIDE = -1


@dataclass(frozen=True, eq=False)
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

    @staticmethod
    def of(taps: tuple[Indices, Indices, Indices, Indices], sizes: tuple[int, ...]) -> "Reach":
        """Find the rows and runs of a task's taps over a feature map of these sizes (frames, depth, height, ...).

        Cost: a look at each tap of each dimension, and at each row of the kernel in each row of windows.
        """
        rows = np.zeros((1, 1), dtype=np.int64)
        for table, size in zip(taps[:3], sizes, strict=False):
            if table.shape == (1, 1) and size == 1 and table[0, 0] != OUTSIDE:
                continue  # a dimension that the operator lacks
            spread = rows[:, None, :, None] * size + table[None, :, None, :]
            outside = (rows[:, None, :, None] == OUTSIDE) | (table[None, :, None, :] == OUTSIDE)
            rows = np.where(outside, OUTSIDE, spread).reshape(len(rows) * len(table), rows.shape[1] * table.shape[1])
        columns = taps[3]
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

    @property
    def kernel_columns(self) -> int:
        """Count the columns of the kernel."""
        return int(self.columns.shape[1])

    @property
    def window_columns(self) -> int:
        """Count the windows of a row."""
        return self.pointers.size - 1

    @cached_property
    def columns_per_run(self) -> float:
        """Give how many columns a run reads on average."""
        return float((self.runs[:, 1] - self.runs[:, 0]).sum() / max(1, len(self.runs)))
