"""How the arrays that a caller gives lie in the one shape of work: windows, operands of a window, filters.

Inside a task the streamed operand is (frames, depth, height, width, channels), the other one (groups, operands of a window,
filters of a group), and the sums (groups * windows, filters of a group). A layout knows the way there and back.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from hwmodel.frozen import frozen
from hwmodel.lazy import lazy
from hwmodel.operands import Array

PADDING = -1  # a tap that reads outside the feature map, or writes outside the output

Taps = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""For frames, depth, height and width: int64 (positions, kernel positions), the position on the other side or PADDING."""


@frozen
class Layout(ABC):
    """The shapes of both operands and the output as the caller has them, and the groups that they divide into."""

    activations_shape: tuple[int, ...]
    weights_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    groups: int

    @abstractmethod
    def lay_activations(self, given: Array) -> Array:
        """Bring the streamed operand into (frames, depth, height, width, channels), contiguous."""

    @abstractmethod
    def give_activations(self, laid_out: Array) -> Array:
        """Bring it back into the shape that the caller gave."""

    @property
    @abstractmethod
    def laid_activations_shape(self) -> tuple[int, int, int, int, int]:
        """Give (frames, depth, height, width, channels)."""

    @abstractmethod
    def lay_planes(self, given: Array) -> Array:
        """Bring the streamed operand into (channels, positions), contiguous, positions in the order of the other form."""

    @property
    @abstractmethod
    def laid_weights_shape(self) -> tuple[int, int, int]:
        """Give (groups, operands of a window, filters of a group)."""

    @abstractmethod
    def lay_weights(self, given: Array) -> Array:
        """Bring the other operand into `laid_weights_shape`, contiguous."""

    @abstractmethod
    def give_weights(self, laid_out: Array) -> Array:
        """Bring it back into the shape that the caller gave."""

    @abstractmethod
    def give_outputs(self, blocks: Array) -> Array:
        """Bring the sums, (groups * windows, filters of a group), into the output's shape."""


@frozen
class MatmulLayout(Layout):
    """(B, M, K) by (B, K, N): one line of M windows, and a group for each of the B products."""

    def lay_activations(self, given: Array) -> Array:
        """Put the B rows that belong together side by side as channels."""
        rows, length = self._rows, self.weights_shape[-2]
        batched = given.reshape(self.groups, rows, length)
        return np.ascontiguousarray(batched.transpose(1, 0, 2)).reshape(1, 1, 1, rows, self.groups * length)

    @lazy
    def laid_activations_shape(self) -> tuple[int, int, int, int, int]:
        """Give (1, 1, 1, M, B * K)."""
        return 1, 1, 1, self._rows, self.groups * self.weights_shape[-2]

    def lay_planes(self, given: Array) -> Array:
        """Put each column by itself."""
        rows, length = self._rows, self.weights_shape[-2]
        batched = given.reshape(self.groups, rows, length)
        return np.ascontiguousarray(batched.transpose(0, 2, 1)).reshape(self.groups * length, rows)

    def give_activations(self, laid_out: Array) -> Array:
        """Take them apart again."""
        batched = laid_out.reshape(self._rows, self.groups, self.weights_shape[-2])
        return batched.transpose(1, 0, 2).reshape(self.activations_shape)

    @property
    def laid_weights_shape(self) -> tuple[int, int, int]:
        """Give (B, K, N)."""
        return self.groups, *self.weights_shape[-2:]  # type: ignore[return-value]  # two of them

    def lay_weights(self, given: Array) -> Array:
        """Leave the columns innermost."""
        return np.ascontiguousarray(given.reshape(self.laid_weights_shape))

    def give_weights(self, laid_out: Array) -> Array:
        """Drop the group of a single product."""
        return laid_out.reshape(self.weights_shape)

    def give_outputs(self, blocks: Array) -> Array:
        """Give (B, M, N)."""
        return blocks.reshape(self.output_shape)

    @property
    def _rows(self) -> int:
        return self.activations_shape[-2] if len(self.activations_shape) > 1 else 1


@frozen
class _FeatureMaps(Layout):
    """What convolutions have in common: ([frames,] C, *spatial) by filters, in one to three dimensions of space."""

    def lay_activations(self, given: Array) -> Array:
        """Put channels innermost; frames and dimensions that there are none of have size one."""
        return np.ascontiguousarray(self._spread(given).transpose(0, 2, 3, 4, 1))

    @lazy
    def laid_activations_shape(self) -> tuple[int, int, int, int, int]:
        """Give (frames, depth, height, width, channels)."""
        frames, channels, *space = self._spread_shape
        return frames, *space, channels  # type: ignore[return-value]  # three of space

    def lay_planes(self, given: Array) -> Array:
        """Put each channel by itself, frame after frame; a single frame lies so already."""
        frames, channels, *space = self._spread_shape
        return np.ascontiguousarray(self._spread(given).transpose(1, 0, 2, 3, 4)).reshape(channels, frames * math.prod(space))

    def give_activations(self, laid_out: Array) -> Array:
        """Put channels in front again."""
        return np.moveaxis(laid_out, -1, 1).reshape(self.activations_shape)

    def _spread(self, given: Array) -> Array:
        """Bring ([frames,] channels, *spatial) into (frames, channels, depth, height, width)."""
        return given.reshape(self._spread_shape)

    @lazy
    def _spread_shape(self) -> tuple[int, ...]:
        dimensions = len(self.weights_shape) - 2
        frames, channels, *space = (1,) * (dimensions + 2 - len(self.activations_shape)) + self.activations_shape
        return frames, channels, *(1,) * (3 - dimensions), *space


@frozen
class ConvolutionLayout(_FeatureMaps):
    """([frames,] C, *spatial) by (F, C / groups, *kernel): a window is what one output position reads."""

    @property
    def laid_weights_shape(self) -> tuple[int, int, int]:
        """Give (groups, kernel positions * channels of a group, filters of a group)."""
        filters, channels, *kernel = self.weights_shape
        return self.groups, math.prod(kernel) * channels, filters // self.groups

    def lay_weights(self, given: Array) -> Array:
        """Walk the kernel position by position with channels innermost."""
        filters, channels, *kernel = self.weights_shape
        grouped = given.reshape(self.groups, filters // self.groups, channels, math.prod(kernel))
        return np.ascontiguousarray(grouped.transpose(0, 3, 2, 1)).reshape(self.laid_weights_shape)

    def give_weights(self, laid_out: Array) -> Array:
        """Put filters in front again."""
        filters, channels, *kernel = self.weights_shape
        grouped = laid_out.reshape(self.groups, math.prod(kernel), channels, filters // self.groups)
        return grouped.transpose(0, 3, 2, 1).reshape(self.weights_shape)

    def give_outputs(self, blocks: Array) -> Array:
        """Put the filters of all groups in front of the positions."""
        dimensions = len(self.weights_shape) - 2
        frames = self.output_shape[0] if len(self.output_shape) == dimensions + 2 else 1
        grouped = blocks.reshape(self.groups, frames, *self.output_shape[-dimensions:], self.weights_shape[0] // self.groups)
        return np.ascontiguousarray(np.moveaxis(grouped, (1, -1), (0, 2))).reshape(self.output_shape)


@frozen
class TransposedLayout(_FeatureMaps):
    """([frames,] C, *spatial) by (C, F / groups, *kernel): a window is one input position, and what it sends to the output.

    Every input position meets all kernel positions of all filters, and its products are added at the output positions that
    ``targets`` names; those that fall outside of the output (padding) are dropped. No zeros are inserted anywhere.
    """

    targets: Taps

    @property
    def laid_weights_shape(self) -> tuple[int, int, int]:
        """Give (groups, channels of a group, kernel positions * filters of a group)."""
        channels, filters, *kernel = self.weights_shape
        return self.groups, channels // self.groups, math.prod(kernel) * filters

    def lay_weights(self, given: Array) -> Array:
        """Make a filter of every kernel position of every filter."""
        channels, filters, *kernel = self.weights_shape
        grouped = given.reshape(self.groups, channels // self.groups, filters, math.prod(kernel))
        return np.ascontiguousarray(grouped.transpose(0, 1, 3, 2)).reshape(self.laid_weights_shape)

    def give_weights(self, laid_out: Array) -> Array:
        """Put the kernel behind the filters again."""
        channels, filters, *kernel = self.weights_shape
        grouped = laid_out.reshape(self.groups, channels // self.groups, math.prod(kernel), filters)
        return grouped.transpose(0, 1, 3, 2).reshape(self.weights_shape)

    def give_outputs(self, blocks: Array) -> Array:
        """Add what the input positions send to each output position, kernel position by kernel position."""
        sizes = tuple(len(table) for table in self.targets)
        kernel = tuple(table.shape[1] for table in self.targets)
        filters = self.weights_shape[1]
        sent = blocks.reshape(self.groups, *sizes, *kernel, filters)
        dimensions = len(self.weights_shape) - 2
        space = (1,) * (3 - dimensions) + self.output_shape[-dimensions:]
        outputs = np.zeros((self.groups, sizes[0], *space, filters), dtype=blocks.dtype)
        for position in np.ndindex(*kernel):
            tables = [table[:, tap] for table, tap in zip(self.targets, position, strict=True)]
            inside = [np.flatnonzero(table != PADDING) for table in tables]
            here = np.ix_(np.arange(self.groups), *inside)
            there = np.ix_(np.arange(self.groups), *(table[kept] for table, kept in zip(tables, inside, strict=True)))
            outputs[there] += sent[(slice(None), *(slice(None),) * 4, *position)][here]
        return np.ascontiguousarray(np.moveaxis(outputs, (1, -1), (0, 2))).reshape(self.output_shape)


@frozen
class WeightGradientLayout(_FeatureMaps):
    """(1, C, *spatial) by the output's gradient (1, F, *output): a window is one weight, its operands all output positions.

    Channels become frames, since every channel has weights of its own, and groups become channels.
    """

    def lay_activations(self, given: Array) -> Array:
        """Bring (1, C, *spatial) into (C / groups, depth, height, width, groups)."""
        spread = self._spread(given)
        grouped = spread.reshape(self.groups, spread.shape[1] // self.groups, *spread.shape[2:])
        return np.ascontiguousarray(np.moveaxis(grouped, 0, -1))

    @lazy
    def laid_activations_shape(self) -> tuple[int, int, int, int, int]:
        """Give (channels of a group, depth, height, width, groups)."""
        _, channels, *space = self._spread_shape
        return channels // self.groups, *space, self.groups  # type: ignore[return-value]  # three of space

    def lay_planes(self, given: Array) -> Array:
        """Put each group by itself, channel after channel, as they lie already."""
        return np.ascontiguousarray(given).reshape(self.groups, given.size // max(1, self.groups))

    def give_activations(self, laid_out: Array) -> Array:
        """Put all channels side by side again."""
        return np.moveaxis(laid_out, -1, 0).reshape(self.activations_shape)

    @property
    def laid_weights_shape(self) -> tuple[int, int, int]:
        """Give (groups, output positions, filters of a group)."""
        return self.groups, math.prod(self.weights_shape[2:]), self.weights_shape[1] // self.groups

    def lay_weights(self, given: Array) -> Array:
        """Take the gradient as weights, output position by output position."""
        groups, positions, filters = self.laid_weights_shape
        return np.ascontiguousarray(given.reshape(groups, filters, positions).transpose(0, 2, 1))

    def give_weights(self, laid_out: Array) -> Array:
        """Put the filters in front again."""
        return laid_out.transpose(0, 2, 1).reshape(self.weights_shape)

    def give_outputs(self, blocks: Array) -> Array:
        """Give the gradient of the weights, (F, C / groups, *kernel)."""
        filters, channels, *kernel = self.output_shape
        grouped = blocks.reshape(self.groups, channels, *kernel, filters // self.groups)
        return np.ascontiguousarray(np.moveaxis(grouped, -1, 1)).reshape(self.output_shape)
