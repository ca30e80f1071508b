"""What a caller gives as an operand: an array of numbers, a mask of the nonzeros, or the shape of a dense one.

Weights may be compressed, or laid out before.
"""

from collections.abc import Sequence

import numpy as np

from hwmodel.compressed import Compressed
from hwmodel.errors import ParameterError, ShapeError, ValuesError
from hwmodel.layout import ConvolutionLayout, Layout, MatmulLayout, TransposedLayout
from hwmodel.operands import Activations, Array, Weights, as_values
from hwmodel.taps import all_taps

Operand = Array | Sequence[int]
GivenWeights = Operand | Weights | Compressed


def convolution_weights(operand: Operand, groups: int) -> Weights:
    """Lay (F, C / groups, *kernel) out as (groups, kernel positions * channels of a group, filters of a group)."""
    return weights_of(operand, ConvolutionLayout((), shape_of(operand), (), groups))


def transposed_weights(operand: Operand, groups: int) -> Weights:
    """Lay (C, F / groups, *kernel) out as (groups, channels of a group, kernel positions * filters of a group)."""
    nowhere = all_taps(0, [])
    return weights_of(operand, TransposedLayout((), shape_of(operand), (), groups, nowhere))


def matmul_weights(operand: Operand | Compressed) -> Weights:
    """Lay (K, N) or (B, K, N) out as (B, K, N), columns innermost."""
    shape = shape_of(operand)
    return weights_of(operand, MatmulLayout((), shape, (), shape[0] if len(shape) == 3 else 1))


def shape_of(operand: GivenWeights) -> tuple[int, ...]:
    """Return an operand's shape as the caller has it; raise ParameterError if it is no operand."""
    if isinstance(operand, Weights):
        return operand.given_shape
    if isinstance(operand, np.ndarray | Compressed):
        return operand.shape
    if not isinstance(operand, tuple | list) or not all(isinstance(size, int | np.integer) and size >= 0 for size in operand):
        raise ParameterError(
            f"hwmodel.Task: an operand is {type(operand).__name__}, expected a numpy array of numbers, a boolean mask, or a "
            "shape of integers that are not negative. Convert it first."
        )
    return tuple(int(size) for size in operand)


def activations_of(operand: Operand, layout: Layout) -> Activations:
    """Lay a streamed operand out; raise ParameterError if it is compressed."""
    if isinstance(operand, Compressed):
        raise ParameterError(
            "hwmodel.Task: the activations are hwmodel.Compressed, expected an array, a mask or a shape. Only weights come "
            "compressed; use to_dense() for activations."
        )
    if not isinstance(operand, np.ndarray):
        return Activations(layout, np.ones(shape_of(operand), dtype=np.uint8))
    values = as_values(operand)
    if values is None:
        return Activations(layout, operand.view(np.uint8))
    return Activations(layout, (values != 0).view(np.uint8), layout.lay_activations(values))


def weights_of(operand: GivenWeights, layout: Layout) -> Weights:
    """Lay the other operand out, or check that it was laid out for this; raise ValuesError if it is not finite."""
    if isinstance(operand, Weights):
        return _laid_out_before(operand, layout)
    if isinstance(operand, Compressed):
        dense = as_values(operand.to_dense())
        assert dense is not None
        return Weights(layout.laid_weights_shape, layout.lay_weights(dense), None, operand.shape, operand)
    shape = shape_of(operand)
    if not isinstance(operand, np.ndarray):
        return Weights(layout.laid_weights_shape, None, None, shape)
    values = as_values(operand)
    if values is None:
        return Weights(layout.laid_weights_shape, None, layout.lay_weights(operand), shape)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValuesError(
            "hwmodel.Task: the weights hold NaN or infinite values, expected finite ones. "
            "A zero activation times such a weight is NaN, and no event would carry it."
        )
    return Weights(layout.laid_weights_shape, layout.lay_weights(values), None, shape)


def _laid_out_before(weights: Weights, layout: Layout) -> Weights:
    if weights.shape != layout.laid_weights_shape:
        raise ShapeError(
            f"hwmodel.Task: weights were laid out as {weights.shape} (groups, operands, filters), expected "
            f"{layout.laid_weights_shape}. Lay them out for this task."
        )
    return weights
