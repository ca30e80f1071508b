"""Which positions an output position reads, or an input position writes, in each dimension; and the numbers that say so."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwmodel.errors import ParameterError, ShapeError
from hwmodel.layout import PADDING, Taps

Pair = int | Sequence[int]


def all_taps(frames: int, space: Sequence[NDArray[np.int64]]) -> Taps:
    """Complete the tables of one to three dimensions with one-to-one tables for frames and the missing dimensions."""
    depth, height, width = [whole(1)] * (3 - len(space)) + list(space)
    return whole(frames), depth, height, width


@lru_cache(maxsize=256)
def whole(size: int) -> NDArray[np.int64]:
    """Return the table of a dimension in which every position reads itself."""
    return _kept(np.arange(size, dtype=np.int64)[:, None])


def convolution_taps(where: str, size: int, kernel: int, stride: int, pad: int, dilation: int) -> NDArray[np.int64]:
    """Return which input position each window reads at each kernel position: (windows, kernel positions)."""
    reach = dilation * (kernel - 1) + 1
    outputs = (size + 2 * pad - reach) // stride + 1
    if kernel < 1 or outputs < 1:
        raise ShapeError(
            f"{where}: a kernel that spans {reach} does not fit an input of {size} with padding {pad}, "
            "expected at least one window."
        )
    return _taps(size, outputs, kernel, stride, pad, dilation)


@lru_cache(maxsize=256)
def _taps(size: int, outputs: int, kernel: int, stride: int, pad: int, dilation: int) -> NDArray[np.int64]:
    positions = np.arange(outputs)[:, None] * stride - pad + np.arange(kernel)[None, :] * dilation
    return _kept(np.where((positions >= 0) & (positions < size), positions, PADDING).astype(np.int64))


def _kept(table: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return a table that layers of the same geometry share, so that nobody can write into it."""
    table.setflags(write=False)
    return table


def transposed_targets(
    where: str, size: int, kernel: int, stride: int, pad: int, more: int, dilation: int
) -> tuple[int, NDArray[np.int64]]:
    """Return the size of a transposed convolution's output, and where each input position writes at each kernel position."""
    outputs = (size - 1) * stride - 2 * pad + dilation * (kernel - 1) + more + 1
    if kernel < 1 or outputs < 1:
        raise ShapeError(
            f"{where}: an input of {size} with a kernel of {kernel}, stride {stride} and padding {pad} gives {outputs} "
            "positions, expected at least one."
        )
    positions = np.arange(size)[:, None] * stride - pad + np.arange(kernel)[None, :] * dilation
    return outputs, np.where((positions >= 0) & (positions < outputs), positions, PADDING).astype(np.int64)


def check_integer(where: str, what: str, value: object, minimum: int) -> int:
    """Return an integer that a caller gave; raise ParameterError if it is none or too small."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ParameterError(f"{where}: {what} is {value!r}, expected an integer of at least {minimum}.")
    return int(value)


def per_dimension(where: str, what: str, value: Pair, dimensions: int, minimum: int) -> tuple[int, ...]:
    """Return one integer for each dimension; a single one stands for all."""
    if not isinstance(value, Sequence):
        return (check_integer(where, what, value, minimum),) * dimensions
    if len(value) != dimensions:
        raise ShapeError(f"{where}: {what} has {len(value)} entries, expected one for each of {dimensions} dimensions.")
    return tuple(check_integer(where, what, one, minimum) for one in value)
