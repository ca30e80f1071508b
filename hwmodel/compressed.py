"""Compressed weights: columns of codes and zero runs, dealt row by row to processing elements.

Source: S. Han et al., "EIE: Efficient Inference Engine on Compressed Deep Neural Network", ISCA 2016, section III, and "Deep
Compression", ICLR 2016. Output r belongs to element r mod N and is its row r // N there. Each element stores, column
by column, an entry for each of its nonzero weights: a code into a codebook of 16 values and the number of zeros before it in
this element's rows of this column. A run that is too long for its bits is cut by fillers: entries of code 0, the zero weight,
with the longest run.
"""

import numpy as np
from numpy.typing import NDArray

from hwmodel.compiled import compiled
from hwmodel.errors import ParameterError, ValuesError
from hwmodel.frozen import frozen
from hwmodel.lazy import lazy
from hwmodel.operands import Array, as_values

CODES = 16  # a code has four bits
CODE_BITS = 4
RUN_BITS = 4
MOVES = 1000  # of the centroids, at most

_HOW = "Make one with Compressed.from_dense."


@frozen
class Compressed:
    """A weight matrix of (inputs, outputs) in EIE's format.

    Attributes
    ----------
    codebook
        Real numbers (16,): what the codes stand for; entry 0 is the zero weight.
    column_pointers
        Integers (elements, inputs + 1): where each column starts among an element's entries, and where the last one ends.
    entry_offsets
        Integers (elements + 1,): where each element's entries start in the two arrays below, and where the last ones end.
    entry_codes, entry_zero_runs
        Integers (entries,): the code of each entry, and how many zeros are before it.
    outputs
        How many outputs there are; None for as many as the entries reach.
    run_bits
        How many bits a zero run has.

    Raises
    ------
    ParameterError
        If the arrays contradict each other or the format.
    """

    codebook: Array
    column_pointers: NDArray[np.integer]
    entry_offsets: NDArray[np.integer]
    entry_codes: NDArray[np.integer]
    entry_zero_runs: NDArray[np.integer]
    outputs: int | None = None
    run_bits: int = RUN_BITS

    def __post_init__(self) -> None:
        self._check_codebook()
        self._check_pointers()
        for name, least, most in (("entry_codes", 0, CODES - 1), ("entry_zero_runs", 0, (1 << self.run_bits) - 1)):
            entries = getattr(self, name)
            if entries.size and not least <= int(entries.min()) <= int(entries.max()) <= most:
                raise _refused(f"{name} hold {_outside(entries, most)}, expected numbers from {least} to {most}")
        if self.outputs is not None and self._reached > self.outputs:
            raise _refused(
                f"the zero runs lead to output {self._reached - 1}, expected at most {self.outputs - 1}, the last of "
                f"{self.outputs} outputs"
            )

    @staticmethod
    def from_dense(matrix: Array, pes: int = 64, codebook: Array | None = None, run_bits: int = RUN_BITS) -> "Compressed":
        """Compress a dense matrix.

        Parameters
        ----------
        matrix
            (inputs, outputs): real numbers, as `Task.matmul` takes them.
        pes
            Over how many processing elements the outputs are dealt.
        codebook
            (16,): each nonzero weight becomes the nearest of entries 1 to 15. None for the matrix's own values, if at most
            15 different ones are not zero, and for `kmeans_codebook` otherwise.
        run_bits
            How many bits a zero run has.

        Raises
        ------
        ParameterError
            If the matrix is no matrix of real numbers, or a number is out of range.
        ValuesError
            If it is not finite.
        """
        values = as_values(matrix) if isinstance(matrix, np.ndarray) and matrix.ndim == 2 else None
        if values is None:
            raise ParameterError(
                "hwmodel.Compressed.from_dense: expected a matrix of real numbers, (inputs, outputs), as a numpy array. "
                "Masks and shapes have no values to compress."
            )
        if not np.isfinite(values).all():
            raise ValuesError(
                "hwmodel.Compressed.from_dense: the matrix holds NaN or infinite values, expected finite ones. An entry can "
                "only stand for a number."
            )
        if not isinstance(pes, int | np.integer) or pes < 1 or run_bits not in range(1, 9):
            raise ParameterError(
                f"hwmodel.Compressed.from_dense: pes is {pes!r} and run_bits {run_bits!r}, expected an integer of at least "
                "1 and one from 1 to 8."
            )
        chosen = kmeans_codebook(values[values != 0]) if codebook is None else np.asarray(codebook)
        codes = _nearest(values, chosen)
        entries, _ = count_entries(codes != 0, pes, run_bits)
        offsets = np.concatenate([[0], np.cumsum(entries.sum(axis=0))])
        pointers = np.concatenate([np.zeros((1, pes), dtype=np.int64), np.cumsum(entries, axis=0)]).T
        entry_codes, entry_zero_runs = np.zeros((2, int(offsets[-1])), dtype=np.uint8)
        _fill(codes, np.ascontiguousarray(pointers[:, :-1] + offsets[:-1, None]), 1 << run_bits, entry_codes, entry_zero_runs)
        return Compressed(chosen, pointers, offsets, entry_codes, entry_zero_runs, values.shape[1], run_bits)

    @property
    def pes(self) -> int:
        """Count the processing elements."""
        return int(self.column_pointers.shape[0])

    @property
    def inputs(self) -> int:
        """Count the columns, one for each activation."""
        return int(self.column_pointers.shape[1]) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Give (inputs, outputs), the shape of the dense matrix."""
        return self.inputs, self._reached if self.outputs is None else self.outputs

    def codes(self) -> NDArray[np.uint8]:
        """Return the code of every weight, 0 for those that are not stored: (inputs, outputs)."""
        dense = np.zeros(self.shape, dtype=np.uint8)
        stored = self.entry_codes != 0  # a filler may stand beyond the last output, and says nothing
        dense[self._columns[stored], self._outputs[stored]] = self.entry_codes[stored]
        return dense

    def to_dense(self) -> Array:
        """Return the weights: (inputs, outputs), in the type of the codebook."""
        return self.codebook[self.codes()]

    def entries(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count the entries of each column in each element, and those whose code is not 0: both (inputs, elements)."""
        pointers = self.column_pointers.astype(np.int64)
        counted = (pointers[:, 1:] - pointers[:, :-1]).T
        stored = self.entry_codes != 0
        where = self._columns[stored] * self.pes + self._elements[stored]
        return counted, np.bincount(where, minlength=counted.size).reshape(counted.shape).astype(np.int64)

    @lazy
    def _elements(self) -> NDArray[np.int64]:
        """Say for each entry to which element it belongs."""
        return np.repeat(np.arange(self.pes), np.diff(self.entry_offsets))

    @lazy
    def _columns(self) -> NDArray[np.int64]:
        """Say for each entry in which column it is."""
        return np.repeat(np.tile(np.arange(self.inputs), self.pes), np.diff(self.column_pointers, axis=1).reshape(-1))

    @lazy
    def _outputs(self) -> NDArray[np.int64]:
        """Say for each entry for which output it is: the runs before it in its column and element, and the entries."""
        steps = np.concatenate([[0], np.cumsum(self.entry_zero_runs.astype(np.int64) + 1)])
        starts = self.column_pointers[:, :-1].astype(np.int64) + np.asarray(self.entry_offsets, dtype=np.int64)[:-1, None]
        before = np.repeat(steps[starts.reshape(-1)], np.diff(self.column_pointers, axis=1).reshape(-1))
        rows: NDArray[np.int64] = steps[1:] - before - 1
        return rows * self.pes + self._elements

    @lazy
    def _reached(self) -> int:
        return int(self._outputs[self.entry_codes != 0].max(initial=-1)) + 1

    def _check_codebook(self) -> None:
        if self.codebook.shape != (CODES,):
            raise _refused(
                f"the codebook has shape {self.codebook.shape}, expected ({CODES},), a value for each code of four bits"
            )
        if self.codebook.dtype.kind not in "iuf" or not np.isfinite(self.codebook).all() or self.codebook[0]:
            raise _refused(
                f"the codebook starts {self.codebook[:3]}, expected finite numbers of which the first is the zero weight"
            )
        if self.run_bits not in range(1, 9):
            raise _refused(f"run_bits is {self.run_bits!r}, expected an integer from 1 to 8")

    def _check_pointers(self) -> None:
        pointers, offsets, entries = self.column_pointers, self.entry_offsets, self.entry_codes.size
        for name in ("column_pointers", "entry_offsets", "entry_codes", "entry_zero_runs"):
            array, dimensions = getattr(self, name), 2 if name == "column_pointers" else 1
            if array.dtype.kind not in "iu" or array.ndim != dimensions:
                raise _refused(
                    f"{name} has dtype {array.dtype} and shape {array.shape}, expected integers in {dimensions} dimensions"
                )
        if not pointers.size or offsets.shape != (self.pes + 1,):
            raise _refused(
                f"column_pointers have shape {pointers.shape} and entry_offsets {offsets.shape}, expected "
                "(elements, inputs + 1) and (elements + 1,)"
            )
        if self.entry_zero_runs.size != entries:
            raise _refused(f"there are {entries} entry_codes and {self.entry_zero_runs.size} entry_zero_runs, expected as many")
        shares = np.diff(offsets.astype(np.int64))
        if offsets[0] != 0 or offsets[-1] != entries or (shares < 0).any():
            raise _refused(
                f"entry_offsets do not divide {entries} entries among {self.pes} elements, expected 0 to {entries}, rising"
            )
        steps = np.diff(pointers.astype(np.int64), axis=1)
        wrong = np.flatnonzero((pointers[:, 0] != 0) | (pointers[:, -1] != shares) | (steps < 0).any(axis=1))
        if wrong.size:
            raise _refused(
                f"column_pointers do not divide the {shares[wrong[0]]} entries of element {wrong[0]} into columns, expected 0 "
                f"to {shares[wrong[0]]}, rising"
            )


def kmeans_codebook(weights: Array) -> Array:
    """Choose a codebook for nonzero weights: entry 0 the zero weight, the others their own values or 15 centroids.

    The centroids are those of k-means, started evenly between the least and the greatest weight as in Deep Compression, and
    moved until no weight changes its centroid (or a thousand times). A centroid without weights stays where it
    is. Cost: a sort of the weights.
    """
    values, counts = np.unique(weights, return_counts=True)
    if values.size < CODES:
        return np.concatenate([[0], values, np.zeros(CODES - 1 - values.size)]).astype(weights.dtype)
    exact = values.astype(np.float64)
    sums, numbers = (np.concatenate([[0], np.cumsum(one)]) for one in (exact * counts, counts.astype(np.float64)))
    centroids = np.linspace(exact[0], exact[-1], CODES - 1)
    bounds = np.zeros(0, dtype=np.int64)
    for _ in range(MOVES):
        middles = np.searchsorted(exact, (centroids[1:] + centroids[:-1]) / 2, side="right")
        before, bounds = bounds, np.concatenate([[0], middles, [exact.size]])
        if np.array_equal(before, bounds):
            break
        weight = numbers[bounds[1:]] - numbers[bounds[:-1]]
        centroids = np.where(weight > 0, (sums[bounds[1:]] - sums[bounds[:-1]]) / np.maximum(weight, 1), centroids)
    return np.concatenate([[0], centroids]).astype(weights.dtype if weights.dtype.kind == "f" else np.float64)


def count_entries(nonzero: NDArray[np.bool_], elements: int, run_bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count what each column of (inputs, outputs) takes in each element: entries with fillers, and those without.

    Cost: a look at every weight. Both counts are (inputs, elements).
    """
    entries, stored = np.zeros((2, nonzero.shape[0], elements), dtype=np.int64)
    _count(nonzero, 1 << run_bits, entries, stored)
    return entries, stored


@compiled
def _count(nonzero: NDArray[np.bool_], reach: int, entries: NDArray[np.int64], stored: NDArray[np.int64]) -> None:
    elements = entries.shape[1]
    before = np.empty(elements, dtype=np.int64)
    for column in range(nonzero.shape[0]):
        before[:] = -1
        element = row = 0
        for output in range(nonzero.shape[1]):
            if nonzero[column, output]:
                entries[column, element] += (row - before[element] - 1) // reach + 1
                stored[column, element] += 1
                before[element] = row
            element += 1
            if element == elements:
                element = 0
                row += 1


@compiled
def _fill(
    codes: NDArray[np.uint8],
    starts: NDArray[np.int64],
    reach: int,
    entry_codes: NDArray[np.uint8],
    entry_zero_runs: NDArray[np.uint8],
) -> None:
    elements = starts.shape[0]
    for column in range(codes.shape[0]):
        for element in range(elements):
            entry, zeros = starts[element, column], 0
            for output in range(element, codes.shape[1], elements):
                if not codes[column, output]:
                    zeros += 1
                    continue
                while zeros >= reach:
                    entry_zero_runs[entry] = reach - 1
                    entry, zeros = entry + 1, zeros - reach
                entry_codes[entry], entry_zero_runs[entry] = codes[column, output], zeros
                entry, zeros = entry + 1, 0


def _nearest(values: Array, codebook: Array) -> NDArray[np.uint8]:
    """Return the code of the nearest codebook entry for each nonzero weight, the lower value on a tie, and 0 for zeros."""
    if codebook.shape != (CODES,):
        raise _refused(f"the codebook has shape {codebook.shape}, expected ({CODES},), a value for each code of four bits")
    order = np.argsort(codebook[1:], kind="stable")
    rising = codebook[1:][order].astype(np.float64)
    codes = (order + 1)[np.searchsorted((rising[1:] + rising[:-1]) / 2, values)]
    return np.where(values == 0, 0, codes).astype(np.uint8)


def _outside(entries: NDArray[np.integer], most: int) -> int:
    """Return the first number that is out of range."""
    return int(entries[(entries < 0) | (entries > most)][0])


def _refused(what: str) -> ParameterError:
    return ParameterError(f"hwmodel.Compressed: {what}. {_HOW}")
