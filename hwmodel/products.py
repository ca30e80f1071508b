"""Multiply events by weights and add the products into the output, a job at a time.

This is the plain form of the event-driven kernel: a job visits only its events, and each of them meets the weights of
its filters. Which job adds to which output block is the job's own word, so a lost, doubled or misdirected job shows.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.operands import Array
from hwmodel.plan import Block, Events
from hwmodel.task import Task
from hwmodel.walk import interleaved
from hwmodel.windows import lane_events, window_ranges


class Products:
    """The outputs of one run of a task, as its jobs add to them.

    Parameters
    ----------
    task
        A task whose operands both have values, unless only the integers are wanted.
    values
        Whether to add the products of the values.
    integers
        Whether to add the products of small positive integers in the same zero pattern as well, for the exact check.

    Attributes
    ----------
    blocks
        (groups * windows, filters): the sums, in float32, float64 or int64; None without values.
    integer_blocks
        int32, the same shape: the sums of the small integers; None if they were not asked for.
    added
        int64 (groups * windows,): how many products each output block received.
    """

    def __init__(self, task: Task, values: bool = True, integers: bool = False) -> None:
        self.task = task
        rows = task.groups * task.windows
        self.blocks: Array | None = None
        self.integer_blocks: NDArray[np.int32] | None = None
        self.added = np.zeros(rows, dtype=np.int64)
        if values:
            assert task.activations.values is not None
            assert task.weights.values is not None
            kind = np.result_type(task.activations.values, task.weights.values)
            self.blocks = np.zeros((rows, task.filters), dtype=kind)
            self._values = task.activations.values.reshape(-1).astype(kind, copy=False)
            self._weights = task.weights.values.astype(kind, copy=False)
        if integers:
            self.integer_blocks = np.zeros((rows, task.filters), dtype=np.int32)
            self._integers = task.activations.integers.reshape(-1)
            self._integer_weights = task.weights.integers

    @staticmethod
    def possible(task: Task) -> bool:
        """Tell whether both operands of a task have values."""
        return task.activations.values is not None and task.weights.values is not None

    def adder_of(self, block: Block) -> Callable[[int], None] | None:
        """Return a function that adds the products of one job of the block; None if its jobs carry no events.

        Cost: two microseconds a job, and a fraction of a nanosecond a product.
        """
        return None if block.carried is None else self.adder(block.carried)

    def adder(self, events: Events) -> Callable[[int], None]:
        """Return a function that adds the products of one job."""
        pointers, positions, operands, rows = events.pointers, events.positions, events.operands, events.output_block
        first, stop, step = events.filters.indices(self.task.filters)
        windows = max(1, self.task.windows)
        added, out, integer_out = self.added, self.blocks, self.integer_blocks

        def add(job: int) -> None:
            begin, end, row = pointers[job], pointers[job + 1], rows[job]
            if begin == end:
                return
            group = row // windows
            if out is not None:
                _add(self._values, self._weights[group], positions, operands, begin, end, first, stop, step, out[row])
            if integer_out is not None:
                _add(
                    self._integers,
                    self._integer_weights[group],
                    positions,
                    operands,
                    begin,
                    end,
                    first,
                    stop,
                    step,
                    integer_out[row],
                )
            added[row] += (end - begin) * len(range(first, stop, step))

        return add

    @property
    def outputs(self) -> Array | None:
        """Return the sums of the values in the shape that the task's caller expects; None without values."""
        return None if self.blocks is None else self.arrange(self.blocks)

    @property
    def integer_outputs(self) -> Array | None:
        """Return the sums of the small integers in the caller's shape; None if they were not asked for."""
        return None if self.integer_blocks is None else self.arrange(self.integer_blocks)

    def arrange(self, blocks: Array) -> Array:
        """Bring (groups * windows, filters) into the shape that the task's caller expects."""
        task = self.task
        if task.kind == "matmul":
            return blocks.reshape(task.output_shape)
        frames, depth, height, width = task.window_shape
        spread = blocks.reshape(task.groups, frames, depth, height, width, task.filters)
        return np.ascontiguousarray(spread.transpose(1, 0, 5, 2, 3, 4)).reshape(task.output_shape)


def multiply_all(task: Task, integers: bool = False) -> Products:
    """Add all products of a task up, window after window, without any machine."""
    products = Products(task, Products.possible(task), integers)
    walk = interleaved(task, lanes=1, packed=True)
    for group in range(task.groups):
        for first, stop in window_ranges(task):
            add = products.adder(lane_events(task, walk, group, first, stop))
            for job in range(stop - first):
                add(job)
    return products


@compiled
def _add(
    values: Array,
    weights: Array,
    positions: NDArray[np.int64],
    operands: NDArray[np.int64],
    begin: int,
    end: int,
    first: int,
    stop: int,
    step: int,
    out: Array,
) -> None:
    if step == 1:
        for event in range(begin, end):
            value = values[positions[event]]
            row = weights[operands[event]]
            for one in range(first, stop):
                out[one] += value * row[one]
    else:
        for event in range(begin, end):
            value = values[positions[event]]
            row = weights[operands[event]]
            for one in range(first, stop, step):
                out[one] += value * row[one]
