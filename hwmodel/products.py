"""Multiply events by weights and add the products into the output, a job at a time.

A job visits only its events, and each of them meets the weights of its filters. Which job adds to which output block is the
job's own word, so a lost, doubled or misdirected job shows. Without a machine there are no jobs, and the kernels take all
windows at once.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.operands import Array
from hwmodel.plan import Block, Events, Rounds
from hwmodel.task import Task

_Sums = tuple[Array, Array, Array]  # flat activations, weights, and where their products are added


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
    carried
        int64 (groups * windows,): how many products the jobs of a plan carry to each output block, where it was not the jobs
        that added them; None where it was.
    """

    def __init__(self, task: Task, values: bool = True, integers: bool = False) -> None:
        self.task = task
        rows = task.groups * task.windows
        self.blocks: Array | None = None
        self.integer_blocks: NDArray[np.int32] | None = None
        self.added = np.zeros(rows, dtype=np.int64)
        self.carried: NDArray[np.int64] | None = None
        self._sums: _Sums | None = None
        self._integer_sums: _Sums | None = None
        if values:
            assert task.activations.values is not None
            assert task.weights.values is not None
            kind = np.result_type(task.activations.values, task.weights.values)
            self.blocks = np.zeros((rows, task.filters), dtype=kind)
            flat = task.activations.values.reshape(-1).astype(kind, copy=False)
            self._sums = flat, task.weights.values.astype(kind, copy=False), self.blocks
        if integers:
            self.integer_blocks = np.zeros((rows, task.filters), dtype=np.int32)
            self._integer_sums = task.activations.integers.reshape(-1), task.weights.integers, self.integer_blocks

    @staticmethod
    def possible(task: Task) -> bool:
        """Tell whether both operands of a task have values."""
        return task.activations.values is not None and task.weights.values is not None

    def adder_of(self, block: Block) -> Callable[[int], None] | None:
        """Return a function that adds the products of one job of the block; None if its jobs carry no events.

        Cost: a compiled call a job, two with integers, and one vector multiply-add for each event and vector of filters.
        """
        return None if block.carried is None else self.adder(block.carried)

    def adder(self, events: Events) -> Callable[[int], None]:
        """Return a function that adds the products of one job."""
        positions, operands = events.positions, events.operands
        pointers: list[int] = events.pointers.tolist()
        rows: list[int] = events.output_block.tolist()
        slices = (events.filters,) if isinstance(events.filters, slice) else events.filters
        filters = [one.indices(self.task.filters) for one in slices]
        products_per_event = [len(range(*one)) for one in filters]
        shares: list[int] = [0] * len(rows) if events.share is None else events.share.tolist()
        windows = max(1, self.task.windows)
        added = self.added
        sums = [side for side in (self._sums, self._integer_sums) if side is not None]

        def add(job: int) -> None:
            begin, end, row, share = pointers[job], pointers[job + 1], rows[job], shares[job]
            if begin < end:
                for values, weights, out in sums:
                    _add(values, weights, positions, operands, begin, end, row // windows, row, filters[share], out)
                added[row] += (end - begin) * products_per_event[share]

        return add

    def begin_counting(self) -> None:
        """Expect a plan whose jobs carry the products that somebody else has added."""
        self.carried = np.zeros_like(self.added)

    def count(self, block: Rounds) -> None:
        """Count the products that the jobs of a block carry, for `carried`. Cost: a look at each job."""
        shares = block.shared
        if shares is None:
            return
        assert self.carried is not None
        slices = (shares.filters,) if isinstance(shares.filters, slice) else shares.filters
        filters = np.array([len(range(*one.indices(self.task.filters))) for one in slices])
        products = shares.events * (filters[0] if shares.share is None else filters[shares.share])
        _count(products, shares.output_block, self.carried)

    @property
    def all_there(self) -> bool:
        """Tell whether every output block received, and every plan carried, as many products as the tensors say."""
        planned = self.task.products_planned
        return np.array_equal(self.added, planned) and (self.carried is None or np.array_equal(self.carried, planned))

    @property
    def outputs(self) -> Array | None:
        """Return the sums of the values in the shape that the task's caller expects; None without values."""
        return None if self.blocks is None else self.task.layout.give_outputs(self.blocks)

    @property
    def integer_outputs(self) -> Array | None:
        """Return the sums of the small integers in the caller's shape; None if they were not asked for."""
        return None if self.integer_blocks is None else self.task.layout.give_outputs(self.integer_blocks)


def multiply_all(task: Task, integers: bool = False, values: bool = True) -> Products:
    """Add all products of a task up without any machine, with the fast kernels.

    Cost: see `hwmodel.kernels`; nothing the second time, since a task keeps its sums for other machines.
    """
    products = Products(task, values=False)
    if integers:
        products.integer_blocks, products.added = task.integer_sums
    if values and Products.possible(task):
        products.blocks, products.added = task.sums
    return products


@compiled
def _count(products: NDArray[np.int64], output_block: NDArray[np.int64], carried: NDArray[np.int64]) -> None:
    for job in range(products.size):
        carried[output_block[job]] += products[job]


@compiled
def _add_interleaved(
    values: Array,
    weights: Array,
    positions: NDArray[np.int64],
    operands: NDArray[np.int64],
    begin: int,
    end: int,
    filters: tuple[int, int, int],
    sums: Array,
) -> None:
    first, stop, step = filters
    for event in range(begin, end):
        value = values[positions[event]]
        synapses = weights[operands[event]]
        for one in range(first, stop, step):
            sums[one] += value * synapses[one]


@compiled
def _add(
    values: Array,
    weights: Array,
    positions: NDArray[np.int64],
    operands: NDArray[np.int64],
    begin: int,
    end: int,
    group: int,
    row: int,
    filters: tuple[int, int, int],
    out: Array,
) -> None:
    first, stop, step = filters
    if step != 1:
        _add_interleaved(values, weights[group], positions, operands, begin, end, filters, out[row])
        return
    sums = out[row][first:stop]
    for event in range(begin, end):
        value = values[positions[event]]
        synapses = weights[group, operands[event]][first:stop]
        for one in range(sums.size):  # contiguous and counted from zero: the compiler uses vector instructions
            sums[one] += value * synapses[one]
