"""The shape of a product: its windows, what each of them reads, and how the caller's arrays lie in that.

Every sample and every step of a loop has products of the same shapes again, so a geometry is made once and shared, with
all that follows from it alone.
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Literal

import numpy as np

from hwmodel.errors import ShapeError
from hwmodel.frozen import frozen
from hwmodel.kernels import Reach
from hwmodel.layout import ConvolutionLayout, Layout, MatmulLayout, Taps, TransposedLayout, WeightGradientLayout
from hwmodel.lazy import lazy
from hwmodel.taps import all_taps, convolution_taps, transposed_targets, whole

Kind = Literal["convolution", "matmul"]
Shape = tuple[int, ...]
KEPT = 256  # geometries of one kind; a weight gradient's of 64 channels and 100 x 100 positions holds 8 MB


@frozen
class Geometry:
    """All of a product that does not depend on what its operands hold.

    Attributes
    ----------
    kind
        ``"convolution"`` or ``"matmul"``: machines such as Cnvlutin treat fully connected layers on their own.
    taps
        For frames, depth, height and width: the input position that an output position reads at a kernel position.
    layout
        How the caller's arrays lie in this.
    """

    kind: Kind
    taps: Taps
    layout: Layout

    @lazy
    def window_shape(self) -> tuple[int, int, int, int]:
        """Give the number of windows of one group in each of frames, depth, height and width."""
        frames, depth, height, width = (len(table) for table in self.taps)
        return frames, depth, height, width

    @lazy
    def kernel_shape(self) -> tuple[int, int, int, int]:
        """Give the number of kernel positions in each of frames, depth, height and width."""
        frames, depth, height, width = (table.shape[1] for table in self.taps)
        return frames, depth, height, width

    @lazy
    def windows(self) -> int:
        """Count the windows of one group."""
        return math.prod(self.window_shape)

    @lazy
    def groups(self) -> int:
        """Count the groups of channels, each with its own filters."""
        return self.layout.laid_weights_shape[0]

    @lazy
    def operands(self) -> int:
        """Count the operands of one window: kernel positions times the channels of a group."""
        return self.layout.laid_weights_shape[1]

    @lazy
    def filters(self) -> int:
        """Count the filters of one group."""
        return self.layout.laid_weights_shape[2]

    @lazy
    def group_channels(self) -> int:
        """Count the channels that one group's filters see."""
        return self.layout.laid_activations_shape[-1] // max(1, self.groups)

    @lazy
    def macs(self) -> int:
        """Count the products of the dense operator, padding included."""
        return self.groups * self.windows * self.operands * self.filters

    @lazy
    def terms(self) -> int:
        """Count the products that an element of the output can be the sum of, at most."""
        sent = math.prod(self.layout.weights_shape[2:]) if isinstance(self.layout, TransposedLayout) else 1
        return self.operands * sent

    @lazy
    def activations(self) -> int:
        """Count the elements of the streamed operand."""
        return math.prod(self.layout.laid_activations_shape)

    @lazy
    def weights(self) -> int:
        """Count the elements of the other operand."""
        return math.prod(self.layout.laid_weights_shape)

    @lazy
    def reads_each_once(self) -> bool:
        """Tell whether every activation is an operand of exactly one window, as in a matrix product."""
        reach = self.reach
        return all(
            np.array_equal(table[:, 0], np.arange(size)) and table.shape[1] == 1
            for table, size in (
                (reach.rows, math.prod(self.layout.laid_activations_shape[:3])),
                (reach.columns, self.layout.laid_activations_shape[3]),
            )
        )

    @lazy
    def reach(self) -> Reach:
        """Say which events each window reads."""
        return Reach.of(self.taps, self.layout.laid_activations_shape)


def _kept(make: Callable[..., Geometry]) -> Callable[..., Geometry]:
    """Keep what is made of the same shapes and numbers; ``where``, the first argument, is only for an error's sentence."""
    known: dict[tuple[object, ...], Geometry] = {}

    @wraps(make)
    def found(where: str, *shapes: object) -> Geometry:
        geometry = known.get(shapes)
        if geometry is None:
            geometry = make(where, *shapes)
            if len(known) >= KEPT:
                known.clear()
            known[shapes] = geometry
        return geometry

    return found


@_kept
def convolution(
    where: str, activations: Shape, weights: Shape, strides: Shape, pads: Shape, dilations: Shape, groups: int
) -> Geometry:
    """Make the geometry of a cross-correlation; see `Task.convolution`."""
    dimensions = len(weights) - 2
    with_frames = len(activations) == dimensions + 2
    if not with_frames and len(activations) != dimensions + 1:
        raise ShapeError(
            f"{where}: activations have {len(activations)} dimensions, expected {dimensions + 1} "
            f"(channels and {dimensions} of space) or one more for frames, because weights have {dimensions + 2}."
        )
    frames, channels, *space = activations if with_frames else (1, *activations)
    filters, group_channels, *kernel = weights
    if channels != groups * group_channels:
        raise ShapeError(
            f"{where}: activations have {channels} channels, expected {groups * group_channels} "
            f"({groups} groups of {group_channels}, as the weights say)."
        )
    if filters % groups:
        raise ShapeError(f"{where}: {filters} filters do not divide into {groups} groups, expected a multiple.")
    taps = [convolution_taps(where, *one) for one in zip(space, kernel, strides, pads, dilations, strict=True)]
    lead: Shape = (frames,) if with_frames else ()
    outputs = (*lead, filters, *(len(table) for table in taps))
    return Geometry("convolution", all_taps(frames, taps), ConvolutionLayout(activations, weights, outputs, groups))


@_kept
def matmul(where: str, activations: Shape, weights: Shape) -> Geometry:
    """Make the geometry of a matrix product; see `Task.matmul`."""
    if (len(activations), len(weights)) not in ((1, 2), (2, 2), (3, 3)):
        raise ShapeError(
            f"{where}: operands have {len(activations)} and {len(weights)} dimensions, "
            "expected (K) or (M, K) with (K, N), or (B, M, K) with (B, K, N)."
        )
    batch, rows, length = (1,) * (3 - len(activations)) + activations
    other_batch, other_length, columns = (1,) * (3 - len(weights)) + weights
    if batch != other_batch:
        raise ShapeError(
            f"{where}: operands of shape {activations} and {weights} are batches of {batch} and {other_batch} matrices, "
            "expected as many in both. Repeat the shorter one."
        )
    if length != other_length:
        raise ShapeError(
            f"{where}: operands of shape {activations} and {weights} do not multiply, expected {weights[-2]} columns in "
            "the first, as the second has rows. Transpose a weight that is stored as (outputs, inputs)."
        )
    return Geometry(
        "matmul", all_taps(1, [whole(rows)]), MatmulLayout(activations, weights, (*activations[:-1], columns), batch)
    )


@_kept
def transposed_convolution(
    where: str,
    activations: Shape,
    weights: Shape,
    strides: Shape,
    pads: Shape,
    output_pads: Shape,
    dilations: Shape,
    groups: int,
) -> Geometry:
    """Make the geometry of a transposed convolution; see `Task.transposed_convolution`."""
    dimensions = len(weights) - 2
    with_frames = len(activations) == dimensions + 2
    frames, channels, *space = activations if with_frames else (1, *activations)
    if dimensions not in (1, 2, 3) or len(space) != dimensions or channels != weights[0] or channels % groups:
        raise ShapeError(
            f"{where}: activations of shape {activations} and weights of shape {weights} do not fit with {groups} groups, "
            "expected ([frames,] C, *spatial) and (C, F / groups, *kernel) with one to three dimensions of space."
        )
    sizes = zip(space, weights[2:], strides, pads, output_pads, dilations, strict=True)
    targets = [transposed_targets(where, *one) for one in sizes]
    lead: Shape = (frames,) if with_frames else ()
    outputs = (*lead, weights[1] * groups, *(size for size, _ in targets))
    scattered = all_taps(frames, [table for _, table in targets])
    layout = TransposedLayout(activations, weights, outputs, groups, scattered)
    return Geometry("convolution", all_taps(frames, [whole(size) for size in space]), layout)


@_kept
def weight_gradient(
    where: str, activations: Shape, gradient: Shape, kernel: Shape, strides: Shape, pads: Shape, dilations: Shape, groups: int
) -> Geometry:
    """Make the geometry of the gradient of a convolution's weights; see `Task.weight_gradient`."""
    dimensions = len(kernel)
    if {len(activations), len(gradient)} != {dimensions + 2} or activations[1] % groups or gradient[1] % groups:
        raise ShapeError(
            f"{where}: an input of shape {activations} and a gradient of shape {gradient} do not fit a kernel of {dimensions} "
            f"dimensions and {groups} groups, expected (1, C, *spatial) and (1, F, *output), C and F multiples of {groups}."
        )
    taps = [convolution_taps(where, *one) for one in zip(activations[2:], kernel, strides, pads, dilations, strict=True)]
    if activations[0] != 1 or gradient[0] != 1 or gradient[2:] != tuple(len(table) for table in taps):
        raise ShapeError(
            f"{where}: a gradient of shape {gradient} does not fit an input of shape {activations} and a kernel of "
            f"{tuple(kernel)}, expected (1, filters, {', '.join(str(len(table)) for table in taps)})."
        )
    channels = activations[1] // groups
    layout = WeightGradientLayout(activations, gradient, (gradient[1], channels, *kernel), groups)
    return Geometry("convolution", all_taps(channels, [table.T for table in taps]), layout)
