"""One piece of work as hardware sees it: a product of a streamed operand with another one.

Every product is one shape of work. A *window* is what one output position needs; its *operands* are the activations it
covers, walked kernel position by kernel position with channels innermost; each operand meets one weight of each filter.
A convolution in one, two or three dimensions has many windows over a feature map; a matrix product has one window a row,
whose operands are the whole row; a batched matrix product is a grouped one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwmodel.errors import ParameterError, ShapeError, ValuesError
from hwmodel.operands import Activations, Array, Weights, as_values

Operand = Array | Sequence[int]
_LayOut = Callable[[Array], Array]
Pair = int | Sequence[int]
Kind = Literal["convolution", "matmul"]

PADDING = -1  # a tap that reads outside the feature map


@dataclass(frozen=True, eq=False)
class Task:
    """One product, independent of any machine.

    Attributes
    ----------
    kind
        ``"convolution"`` or ``"matmul"``: machines such as Cnvlutin treat fully connected layers on their own.
    activations, weights
        The operands; see `Activations` and `Weights` for their shapes.
    taps
        Four int64 arrays, one for each of frames, depth, height and width, of shape (output size, kernel size): the
        input position that an output position reads at a kernel position, or `PADDING`.
    output_shape
        The shape of `Products.outputs` as the caller sees it.
    first_layer
        True when the operands are the program's inputs (Cnvlutin runs such a convolution as DaDianNao does).
    two_activations
        True when neither operand is static (attention, gating): the zeros of both are events not sent.
    activation_bits, weight_bits
        Widths as the hardware stores them.
    """

    kind: Kind
    activations: Activations
    weights: Weights
    taps: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
    output_shape: tuple[int, ...]
    name: str = ""
    part: str = "forward"
    first_layer: bool = False
    two_activations: bool = False
    activation_bits: int = 16
    weight_bits: int = 16

    @staticmethod
    def convolution(
        activations: Operand,
        weights: Operand | Weights,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        first_layer: bool = False,
        name: str = "",
        two_activations: bool = False,
    ) -> "Task":
        """Make a convolution (a cross-correlation, as PyTorch has it) in one, two or three dimensions.

        Parameters
        ----------
        activations
            (C, *spatial) or (frames, C, *spatial): an array of numbers, a boolean mask of the nonzeros (then there are
            no outputs), or a shape for a dense operand. Frames of one sample run one after the other.
        weights
            (F, C / groups, *kernel): the same choices, or what `convolution_weights` made of them before.
        stride, padding, dilation
            Integers, or one for each spatial dimension. Padding is with zeros, on both sides.
        groups
            Into how many groups channels and filters are divided.
        first_layer
            Whether the operands are the program's inputs.
        name
            What records call it.
        two_activations
            Whether the second operand is computed from the program's inputs too.

        Raises
        ------
        ShapeError
            If the shapes do not fit each other.
        ParameterError
            If a number is out of range.
        """
        where = f"Task.convolution {name!r}" if name else "Task.convolution"
        dimensions = len(_shape(weights)) - 2
        if dimensions not in (1, 2, 3):
            raise ShapeError(
                f"{where}: weights have {len(_shape(weights))} dimensions, expected 3, 4 or 5 "
                "(filters, channels of a group, and one to three of the kernel)."
            )
        with_frames = len(_shape(activations)) == dimensions + 2
        if not with_frames and len(_shape(activations)) != dimensions + 1:
            raise ShapeError(
                f"{where}: activations have {len(_shape(activations))} dimensions, expected {dimensions + 1} "
                f"(channels and {dimensions} of space) or one more for frames, because weights have {dimensions + 2}."
            )
        frames, channels, *space = _shape(activations) if with_frames else (1, *_shape(activations))
        filters, group_channels, *kernel = _shape(weights)
        _check_integer(where, "groups", groups, minimum=1)
        if channels != groups * group_channels:
            raise ShapeError(
                f"{where}: activations have {channels} channels, expected {groups * group_channels} "
                f"({groups} groups of {group_channels}, as the weights say)."
            )
        if filters % groups:
            raise ShapeError(f"{where}: {filters} filters do not divide into {groups} groups, expected a multiple.")
        steps = _per_dimension(where, "stride", stride, dimensions, minimum=1)
        pads = _per_dimension(where, "padding", padding, dimensions, minimum=0)
        spreads = _per_dimension(where, "dilation", dilation, dimensions, minimum=1)
        taps = [_convolution_taps(where, *one) for one in zip(space, kernel, steps, pads, spreads, strict=True)]
        out_space = tuple(len(table) for table in taps)
        lead: tuple[int, ...] = (frames,) if with_frames else ()
        return Task(
            kind="convolution",
            activations=convolution_activations(activations, dimensions, with_frames),
            weights=convolution_weights(weights, groups),
            taps=all_taps(frames, taps),
            output_shape=(*lead, filters, *out_space),
            name=name,
            first_layer=first_layer,
            two_activations=two_activations,
        )

    @staticmethod
    def matmul(activations: Operand, weights: Operand | Weights, name: str = "", two_activations: bool = False) -> "Task":
        """Make a matrix product ``activations @ weights``.

        Parameters
        ----------
        activations
            (K,), (M, K) or (B, M, K): an array of numbers, a boolean mask, or a shape. A row is one window.
        weights
            (K, N), or (B, K, N) with B products side by side: the same choices, or what `matmul_weights` made of them.
        name
            What records call it.
        two_activations
            Whether the second operand is computed from the program's inputs too.

        Raises
        ------
        ShapeError
            If the shapes do not fit each other.
        """
        where = f"Task.matmul {name!r}" if name else "Task.matmul"
        a_shape, w_shape = _shape(activations), _shape(weights)
        if (len(a_shape), len(w_shape)) not in ((1, 2), (2, 2), (3, 3)):
            raise ShapeError(
                f"{where}: operands have {len(a_shape)} and {len(w_shape)} dimensions, "
                "expected (K) or (M, K) with (K, N), or (B, M, K) with (B, K, N)."
            )
        batch, rows, length = (1,) * (3 - len(a_shape)) + a_shape
        w_batch, w_length, columns = (1,) * (3 - len(w_shape)) + w_shape
        if batch != w_batch:
            raise ShapeError(
                f"{where}: operands of shape {a_shape} and {w_shape} are batches of {batch} and {w_batch} matrices, expected "
                "as many in both. Repeat the shorter one."
            )
        if length != w_length:
            raise ShapeError(
                f"{where}: operands of shape {a_shape} and {w_shape} do not multiply, expected {w_shape[-2]} columns in "
                "the first, as the second has rows. Transpose a weight that is stored as (outputs, inputs)."
            )
        return Task(
            kind="matmul",
            activations=matmul_activations(activations, (batch, rows, length)),
            weights=matmul_weights(weights, (batch, length, columns)),
            taps=all_taps(1, [_whole(1), np.arange(rows, dtype=np.int64)[:, None]]),
            output_shape=(*a_shape[:-1], columns),
            name=name,
            two_activations=two_activations,
        )

    @property
    def groups(self) -> int:
        """Count the groups of channels, each with its own filters."""
        return self.weights.shape[0]

    @property
    def filters(self) -> int:
        """Count the filters of one group."""
        return self.weights.shape[2]

    @property
    def group_channels(self) -> int:
        """Count the channels that one group's filters see."""
        return int(self.activations.nonzero.shape[-1]) // max(1, self.groups)

    @cached_property
    def window_shape(self) -> tuple[int, int, int, int]:
        """Give the number of windows of one group in each of frames, depth, height and width."""
        frames, depth, height, width = (len(table) for table in self.taps)
        return frames, depth, height, width

    @cached_property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Give the number of kernel positions in each of frames, depth, height and width."""
        frames, depth, height, width = (table.shape[1] for table in self.taps)
        return frames, depth, height, width

    @property
    def windows(self) -> int:
        """Count the windows of one group."""
        return math.prod(self.window_shape)

    @property
    def operands(self) -> int:
        """Count the operands of one window: kernel positions times the channels of a group."""
        return self.weights.shape[1]

    @property
    def macs(self) -> int:
        """Count the products of the dense operator, padding included."""
        return self.groups * self.windows * self.operands * self.filters

    @property
    def activation_count(self) -> int:
        """Count the elements of the streamed operand, each once; of both operands if both are activations."""
        count = int(self.activations.nonzero.size)
        return count + math.prod(self.weights.shape) if self.two_activations else count

    @property
    def events(self) -> int:
        """Count the nonzero activations, each once; of both operands if both are activations."""
        events = self.activations.events
        return events + int(self.weights.nonzeros_per_operand.sum()) if self.two_activations else events

    @property
    def weight_bytes(self) -> int:
        """Give the size of the static operand as the hardware stores it; 0 if both operands are activations."""
        return 0 if self.two_activations else math.prod(self.weights.shape) * self.weight_bits // 8

    @cached_property
    def uses_per_operand(self) -> NDArray[np.int64]:
        """Count, for each operand of a window, the windows in which it is nonzero: (groups, operands).

        Cost: one pass over the mask for each kernel position.
        """
        nonzero = self.activations.nonzero
        uses = np.zeros((*self.kernel_shape, nonzero.shape[-1]), dtype=np.int64)
        for position in np.ndindex(*self.kernel_shape):
            index = [table[:, tap] for table, tap in zip(self.taps, position, strict=True)]
            seen = nonzero[np.ix_(*(one[one != PADDING] for one in index))]
            uses[position] = np.count_nonzero(seen, axis=(0, 1, 2, 3))
        per_group = uses.reshape(math.prod(self.kernel_shape), self.groups, self.group_channels).transpose(1, 0, 2)
        return np.ascontiguousarray(per_group).reshape(self.groups, self.operands)

    @cached_property
    def effectual_macs(self) -> int:
        """Count the products with both operands nonzero: a property of the tensors, the same on every machine."""
        return int((self.uses_per_operand * self.weights.nonzeros_per_operand).sum())

    @cached_property
    def zero_macs(self) -> int:
        """Count the products whose activation operand is zero, padding included; either one if both are activations."""
        if self.two_activations:
            return self.macs - self.effectual_macs
        return self.macs - int(self.uses_per_operand.sum()) * self.filters

    @cached_property
    def products_planned(self) -> NDArray[np.int64]:
        """Count the products each output block must receive: (groups * windows,), one per event and filter.

        Counted from the tensors by sums along each dimension, not by any machine's walk, so that it can judge them.
        """
        nonzero = self.activations.nonzero
        counts = nonzero.reshape(*nonzero.shape[:4], self.groups, self.group_channels).sum(axis=-1, dtype=np.int64)
        if not counts.size:
            return np.zeros(self.groups * self.windows, dtype=np.int64)
        for axis, table in enumerate(self.taps):
            padded = np.concatenate([counts, np.zeros_like(counts.take([0], axis=axis))], axis=axis)
            counts = sum(padded.take(table[:, tap], axis=axis) for tap in range(table.shape[1]))  # PADDING is the last
        return np.asarray(np.moveaxis(counts, -1, 0).reshape(-1) * self.filters, dtype=np.int64)

    def given_activations(self, laid_out: Array) -> Array:
        """Bring an array that is laid out as ``activations`` is back into the shape that the caller gave."""
        shape = self.activations.given_shape
        if self.kind == "convolution":
            return np.moveaxis(laid_out, -1, 1).reshape(shape)
        return laid_out.reshape(-1, self.groups, self.operands).transpose(1, 0, 2).reshape(shape)

    def given_weights(self, laid_out: Array) -> Array:
        """Bring an array that is laid out as ``weights`` is back into the shape that the caller gave."""
        shape = self.weights.given_shape
        if self.kind == "convolution":
            spread = laid_out.reshape(self.groups, -1, self.group_channels, self.filters)
            return spread.transpose(0, 3, 2, 1).reshape(shape)
        return laid_out.reshape(shape)


def convolution_activations(operand: Operand, dimensions: int, with_frames: bool) -> Activations:
    """Lay a convolution's streamed operand out as (frames, depth, height, width, channels)."""

    def lay_out(array: Array) -> Array:
        batched = array if with_frames else array[None]
        spread = batched.reshape(*batched.shape[:2], *(1,) * (3 - dimensions), *batched.shape[2:])
        return np.ascontiguousarray(np.moveaxis(spread, 1, -1))

    return _activations(operand, lay_out)


def matmul_activations(operand: Operand, shape: tuple[int, int, int]) -> Activations:
    """Lay (B, M, K) out as one line of M positions with B * K channels, a group for each of the B products."""
    batch, rows, length = shape

    def lay_out(array: Array) -> Array:
        return np.ascontiguousarray(array.reshape(shape).transpose(1, 0, 2)).reshape(1, 1, 1, rows, batch * length)

    return _activations(operand, lay_out)


def convolution_weights(operand: Operand | Weights, groups: int) -> Weights:
    """Lay (F, C / groups, *kernel) out as (groups, kernel positions * channels of a group, filters of a group)."""
    filters, group_channels, *kernel = _shape(operand)
    shape = (groups, math.prod(kernel) * group_channels, filters // groups)

    def lay_out(array: Array) -> Array:
        grouped = array.reshape(groups, filters // groups, group_channels, -1)
        return np.ascontiguousarray(grouped.transpose(0, 3, 2, 1)).reshape(shape)

    return _weights(operand, shape, lay_out)


def matmul_weights(operand: Operand | Weights, shape: tuple[int, int, int]) -> Weights:
    """Lay (K, N) or (B, K, N) out as (B, K, N), columns innermost."""
    return _weights(operand, shape, lambda array: np.ascontiguousarray(array.reshape(shape)))


def all_taps(
    frames: int, space: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Complete the tables of one to three dimensions with one-to-one tables for frames and the missing dimensions."""
    depth, height, width = [_whole(1)] * (3 - len(space)) + list(space)
    return _whole(frames), depth, height, width


def _whole(size: int) -> NDArray[np.int64]:
    return np.arange(size, dtype=np.int64)[:, None]


def _convolution_taps(where: str, size: int, kernel: int, stride: int, pad: int, dilation: int) -> NDArray[np.int64]:
    reach = dilation * (kernel - 1) + 1
    outputs = (size + 2 * pad - reach) // stride + 1
    if kernel < 1 or outputs < 1:
        raise ShapeError(
            f"{where}: a kernel that spans {reach} does not fit an input of {size} with padding {pad}, "
            "expected at least one window."
        )
    positions = np.arange(outputs)[:, None] * stride - pad + np.arange(kernel)[None, :] * dilation
    return np.where((positions >= 0) & (positions < size), positions, PADDING).astype(np.int64)


def _shape(operand: Operand | Weights) -> tuple[int, ...]:
    if isinstance(operand, Weights):
        return operand.given_shape
    return operand.shape if isinstance(operand, np.ndarray) else tuple(int(size) for size in operand)


def _activations(operand: Operand, lay_out: _LayOut) -> Activations:
    if not isinstance(operand, np.ndarray):
        return Activations(lay_out(np.ones(_shape(operand), dtype=np.uint8)), None, _shape(operand))
    values = as_values(operand)
    if values is None:
        return Activations(lay_out(operand).view(np.uint8), None, operand.shape)
    laid_out = lay_out(values)
    return Activations((laid_out != 0).view(np.uint8), laid_out, operand.shape)


def _weights(operand: Operand | Weights, shape: tuple[int, int, int], lay_out: _LayOut) -> Weights:
    if isinstance(operand, Weights):
        if operand.shape != shape:
            raise ShapeError(
                f"hwmodel.Task: weights were laid out as {operand.shape} (groups, operands, filters), expected {shape}. "
                "Lay them out for this task."
            )
        return operand
    if not isinstance(operand, np.ndarray):
        return Weights(shape, None, None, _shape(operand))
    values = as_values(operand)
    if values is None:
        return Weights(shape, None, lay_out(operand), operand.shape)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValuesError(
            "hwmodel.Task: the weights hold NaN or infinite values, expected finite ones. "
            "A zero activation times such a weight is NaN, and no event would carry it."
        )
    return Weights(shape, lay_out(values), None, operand.shape)


def _check_integer(where: str, what: str, value: object, minimum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise ParameterError(f"{where}: {what} is {value!r}, expected an integer of at least {minimum}.")
    return int(value)


def _per_dimension(where: str, what: str, value: Pair, dimensions: int, minimum: int) -> tuple[int, ...]:
    if not isinstance(value, Sequence):
        return (_check_integer(where, what, value, minimum),) * dimensions
    if len(value) != dimensions:
        raise ShapeError(f"{where}: {what} has {len(value)} entries, expected one for each of {dimensions} dimensions.")
    return tuple(_check_integer(where, what, one, minimum) for one in value)
