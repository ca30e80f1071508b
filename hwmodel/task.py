"""One piece of work as hardware sees it: a product of a streamed operand with another one.

Every product is one shape of work. A *window* is what one output position needs; its *operands* are the activations it
covers, walked kernel position by kernel position with channels innermost; each operand meets one weight of each filter.
A convolution in one, two or three dimensions has many windows over a feature map; a matrix product has one window a row,
whose operands are the whole row; a batched matrix product is a grouped one.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwmodel import geometry
from hwmodel.errors import ShapeError
from hwmodel.frozen import frozen
from hwmodel.geometry import Geometry, Kind
from hwmodel.given import GivenWeights, Operand, activations_of, shape_of, weights_of
from hwmodel.kernels import Reach, Tiles, multiply, worth_cutting
from hwmodel.layout import Layout, Taps
from hwmodel.lazy import lazy
from hwmodel.operands import Activations, Array, Weights
from hwmodel.tally import Steps, Tally
from hwmodel.taps import Pair, check_integer, per_dimension
from hwmodel.uses import count_uses, count_window_events


@frozen
class Task:
    """One product, independent of any machine.

    Attributes
    ----------
    geometry
        Its shape, and all that follows from that alone.
    activations, weights
        The operands; see `Activations` and `Weights` for their shapes.
    first_layer
        True when the operands are the program's inputs (Cnvlutin runs such a convolution as DaDianNao does).
    two_activations
        True when neither operand is static (attention, gating): the zeros of both are events not sent.
    activation_bits, weight_bits
        Widths as the hardware stores them.
    """

    geometry: Geometry
    activations: Activations
    weights: Weights
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
        dimensions = len(shape_of(weights)) - 2
        if dimensions not in (1, 2, 3):
            raise ShapeError(
                f"{where}: weights have {len(shape_of(weights))} dimensions, expected 3, 4 or 5 "
                "(filters, channels of a group, and one to three of the kernel)."
            )
        groups = check_integer(where, "groups", groups, minimum=1)
        shape = geometry.convolution(
            where,
            shape_of(activations),
            shape_of(weights),
            per_dimension(where, "stride", stride, dimensions, minimum=1),
            per_dimension(where, "padding", padding, dimensions, minimum=0),
            per_dimension(where, "dilation", dilation, dimensions, minimum=1),
            groups,
        )
        return Task(
            geometry=shape,
            activations=activations_of(activations, shape.layout),
            weights=weights_of(weights, shape.layout),
            name=name,
            first_layer=first_layer,
            two_activations=two_activations,
        )

    @staticmethod
    def matmul(activations: Operand, weights: GivenWeights, name: str = "", two_activations: bool = False) -> "Task":
        """Make a matrix product ``activations @ weights``.

        Parameters
        ----------
        activations
            (K,), (M, K) or (B, M, K): an array of numbers, a boolean mask, or a shape. A row is one window.
        weights
            (K, N), or (B, K, N) with B products side by side: the same choices, or what `matmul_weights` made of them; (K, N)
            may be a `Compressed`, whose form machines of compressed weights use and whose values everybody multiplies.
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
        shape = geometry.matmul(where, shape_of(activations), shape_of(weights))
        return Task(
            geometry=shape,
            activations=activations_of(activations, shape.layout),
            weights=weights_of(weights, shape.layout),
            name=name,
            two_activations=two_activations,
        )

    @staticmethod
    def transposed_convolution(
        activations: Operand,
        weights: Operand | Weights,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        name: str = "",
        two_activations: bool = False,
        part: str = "forward",
    ) -> "Task":
        """Make a transposed convolution, which is also the gradient of a convolution's input.

        A window is one input position: it meets every kernel position of every filter, and no zeros are inserted.

        Parameters
        ----------
        activations
            (C, *spatial) or (frames, C, *spatial): an array of numbers, a boolean mask, or a shape.
        weights
            (C, F / groups, *kernel): the same choices, or what `transposed_weights` made of them before.
        stride, padding, output_padding, dilation, groups, name, two_activations
            As in `convolution`; ``output_padding`` adds that many positions at the far end of the output.
        part
            Which part of an operator call this is.

        Raises
        ------
        ShapeError
            If the shapes do not fit each other.
        ParameterError
            If a number is out of range.
        """
        where = f"Task.transposed_convolution {name!r}" if name else "Task.transposed_convolution"
        dimensions = len(shape_of(weights)) - 2
        groups = check_integer(where, "groups", groups, minimum=1)
        shape = geometry.transposed_convolution(
            where,
            shape_of(activations),
            shape_of(weights),
            per_dimension(where, "stride", stride, dimensions, minimum=1),
            per_dimension(where, "padding", padding, dimensions, minimum=0),
            per_dimension(where, "output_padding", output_padding, dimensions, minimum=0),
            per_dimension(where, "dilation", dilation, dimensions, minimum=1),
            groups,
        )
        return Task(
            geometry=shape,
            activations=activations_of(activations, shape.layout),
            weights=weights_of(weights, shape.layout),
            name=name,
            part=part,
            two_activations=two_activations,
        )

    @staticmethod
    def weight_gradient(
        activations: Operand,
        gradient: Operand,
        kernel: Sequence[int],
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        name: str = "",
    ) -> "Task":
        """Make the gradient of a convolution's weights: a product of its input and its output's gradient.

        Parameters
        ----------
        activations
            (1, C, *spatial): what the convolution read.
        gradient
            (1, F, *output): the gradient of what it gave; a zero in either is skipped.
        kernel
            Sizes of the kernel.
        stride, padding, dilation, groups, name
            Those of the convolution.

        Raises
        ------
        ShapeError
            If the gradient is not as large as the convolution's output, or there are several samples.
        ParameterError
            If a number is out of range.
        """
        where = f"Task.weight_gradient {name!r}" if name else "Task.weight_gradient"
        dimensions = len(kernel)
        groups = check_integer(where, "groups", groups, minimum=1)
        shape = geometry.weight_gradient(
            where,
            shape_of(activations),
            shape_of(gradient),
            per_dimension(where, "kernel", tuple(kernel), dimensions, minimum=1),
            per_dimension(where, "stride", stride, dimensions, minimum=1),
            per_dimension(where, "padding", padding, dimensions, minimum=0),
            per_dimension(where, "dilation", dilation, dimensions, minimum=1),
            groups,
        )
        return Task(
            geometry=shape,
            activations=activations_of(activations, shape.layout),
            weights=weights_of(gradient, shape.layout),
            name=name,
            part="weight_gradient",
            two_activations=True,
        )

    @property
    def kind(self) -> Kind:
        """Give ``"convolution"`` or ``"matmul"``."""
        return self.geometry.kind

    @property
    def taps(self) -> Taps:
        """Say which input position an output position reads at a kernel position; see `Geometry`."""
        return self.geometry.taps

    @property
    def layout(self) -> Layout:
        """Say how the caller's arrays lie in this."""
        return self.geometry.layout

    @property
    def reach(self) -> Reach:
        """Say which events each window reads."""
        return self.geometry.reach

    @property
    def window_shape(self) -> tuple[int, int, int, int]:
        """Give the number of windows of one group in each of frames, depth, height and width."""
        return self.geometry.window_shape

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Give the number of kernel positions in each of frames, depth, height and width."""
        return self.geometry.kernel_shape

    @property
    def windows(self) -> int:
        """Count the windows of one group."""
        return self.geometry.windows

    @property
    def groups(self) -> int:
        """Count the groups of channels, each with its own filters."""
        return self.geometry.groups

    @property
    def operands(self) -> int:
        """Count the operands of one window: kernel positions times the channels of a group."""
        return self.geometry.operands

    @property
    def filters(self) -> int:
        """Count the filters of one group."""
        return self.geometry.filters

    @property
    def group_channels(self) -> int:
        """Count the channels that one group's filters see."""
        return self.geometry.group_channels

    @property
    def macs(self) -> int:
        """Count the products of the dense operator, padding included."""
        return self.geometry.macs

    @property
    def terms(self) -> int:
        """Count the products that an element of the output can be the sum of, at most."""
        return self.geometry.terms

    @lazy
    def tallies(self) -> dict[Steps, Tally | None]:
        """Keep what the lanes of a walk find at each position, for other machines that walk in the same steps."""
        return {}

    @property
    def activation_count(self) -> int:
        """Count the elements of the streamed operand, each once; of both operands if both are activations."""
        return self.geometry.activations + (self.geometry.weights if self.two_activations else 0)

    @property
    def events(self) -> int:
        """Count the nonzero activations, each once; of both operands if both are activations."""
        events = self.activations.events
        return events + int(self.weights.nonzeros_per_operand.sum()) if self.two_activations else events

    @property
    def weight_bytes(self) -> int:
        """Give the size of the static operand as the hardware stores it; 0 if both operands are activations."""
        return 0 if self.two_activations else self.geometry.weights * self.weight_bits // 8

    @lazy
    def sums(self) -> tuple[Array, NDArray[np.int64]]:
        """Add all products up with the fast kernels: sums and products received, as `hwmodel.kernels.accumulate` gives them.

        They do not depend on a machine, so the machines of a run share them.
        """
        assert self.activations.values is not None
        assert self.weights.values is not None
        kind = np.result_type(self.activations.values, self.weights.values)
        return self._multiply(self.activations.values.astype(kind, copy=False), self.weights.tiles(kind, self._cut))

    @lazy
    def integer_sums(self) -> tuple[Array, NDArray[np.int64]]:
        """Add the products of small integers up in the same way: (groups * windows, filters) in int32."""
        return self._multiply(self.activations.integers, self.weights.integer_tiles(self._cut))

    @property
    def _cut(self) -> bool:
        return worth_cutting(self.windows, self.filters)

    def _multiply(self, activations: Array, tiles: Tiles) -> tuple[Array, NDArray[np.int64]]:
        return multiply(activations, self.activations.nonzero, self.groups, tiles, self.reach)

    @lazy
    def uses_per_operand(self) -> NDArray[np.int64]:
        """Count, for each operand of a window, the windows in which it is nonzero: (groups, operands).

        Cost: see `hwmodel.uses`.
        """
        counts = count_uses(self.activations.nonzero, self.reach)
        per_group = counts.reshape(math.prod(self.kernel_shape), self.groups, self.group_channels).transpose(1, 0, 2)
        return np.ascontiguousarray(per_group).reshape(self.groups, self.operands)

    @lazy
    def events_of_windows(self) -> NDArray[np.int64]:
        """Count the events that each window covers: (groups * windows,).

        Counted from the tensors, position by position and then dimension by dimension, not by any machine's walk, so that it
        can judge them.
        """
        return count_window_events(self.activations.planes, self.groups, self.activations.shape[3], self.reach)

    @lazy
    def events_covered(self) -> int:
        """Count the events that all windows cover, each as often as one does."""
        return self.activations.events if self.geometry.reads_each_once else int(self.events_of_windows.sum())

    @lazy
    def effectual_macs(self) -> int:
        """Count the products with both operands nonzero: a property of the tensors, the same on every machine."""
        if self.weights.dense:
            return self.events_covered * self.filters
        return int((self.uses_per_operand * self.weights.nonzeros_per_operand).sum())

    @lazy
    def zero_macs(self) -> int:
        """Count the products whose activation operand is zero, padding included; either one if both are activations."""
        if self.two_activations:
            return self.macs - self.effectual_macs
        return self.macs - self.events_covered * self.filters

    @lazy
    def products_planned(self) -> NDArray[np.int64]:
        """Count the products each output block must receive: (groups * windows,), one per event and filter."""
        return self.events_of_windows * self.filters
