"""The two operands of a task: where they are nonzero, and their values when they have any."""

import math
from collections.abc import Hashable
from dataclasses import field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwmodel.errors import ParameterError
from hwmodel.frozen import frozen
from hwmodel.kernels import Tiles
from hwmodel.lazy import lazy

if TYPE_CHECKING:
    from hwmodel.compressed import Compressed
    from hwmodel.layout import Layout

Array = NDArray[Any]

# Small positive integers stand in for values in the exact comparison: nothing positive can cancel, so a product that is
# lost, doubled or moved always changes a sum. A prime number of them, so that no row of a layer repeats the row above.
SMALL_INTEGERS = np.random.default_rng(20161).integers(1, 8, size=8191, dtype=np.int8)


def small_integers(nonzero: Array) -> NDArray[np.int8]:
    """Return integers from 1 to 7 where ``nonzero`` is true, and 0 elsewhere, in the same shape."""
    size = math.prod(nonzero.shape)
    some = SMALL_INTEGERS[:size] if size <= SMALL_INTEGERS.size else np.resize(SMALL_INTEGERS, size)
    return some.reshape(nonzero.shape) * nonzero.astype(np.int8)


def as_values(array: Array) -> Array | None:
    """Return an array of numbers in the type its products are added in; None for a mask, which has no values."""
    if array.dtype == np.bool_:
        return None
    if array.dtype in (np.float32, np.float64, np.int64):
        return array
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    raise ParameterError(
        f"hwmodel.Task: an operand has dtype {array.dtype}, expected real numbers or a boolean mask. Convert it first."
    )


@frozen
class Activations:
    """The streamed operand: where it is nonzero, and its values if it has any. A NaN is an event, a negative zero is not.

    Attributes
    ----------
    layout
        How the caller's arrays lie in the two forms that are read here.
    mask
        uint8, in the shape that the caller gave: 1 for each event.
    values
        A number array of `shape`, or None.
    """

    layout: "Layout"
    mask: NDArray[np.uint8]
    values: Array | None = None

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Give frames, depth, height, width and channels; a dimension that the operator lacks has size one."""
        return self.layout.laid_activations_shape

    @lazy
    def nonzero(self) -> NDArray[np.uint8]:
        """Return the events channels innermost, as `shape` says."""
        if self.values is not None:
            events: NDArray[np.uint8] = (self.values != 0).view(np.uint8)
            return events
        laid_out: NDArray[np.uint8] = self.layout.lay_activations(self.mask)
        return laid_out

    @lazy
    def planes(self) -> NDArray[np.uint8]:
        """Return the events channel by channel: (channels, positions)."""
        laid_out: NDArray[np.uint8] = self.layout.lay_planes(self.mask)
        return laid_out

    @lazy
    def events(self) -> int:
        """Count the nonzero elements, each once."""
        return int(np.count_nonzero(self.mask.view(np.bool_)))

    @lazy
    def integers(self) -> NDArray[np.int8]:
        """Return small positive integers in the same zero pattern, for the exact comparison."""
        return small_integers(self.nonzero)


@frozen
class Weights:
    """The other operand: (groups, operands of a window, filters of a group), filters innermost.

    ``values`` is None for a mask or a shape; ``nonzero`` is None when the values tell, or when every weight is nonzero.
    ``given_shape`` is the shape that the caller gave, and ``compressed`` the compressed form if that is what was given.
    ``kept`` is for what a machine makes of them and needs again: it goes when they go.
    """

    shape: tuple[int, int, int]
    values: Array | None
    nonzero: NDArray[np.bool_] | None
    given_shape: tuple[int, ...]
    compressed: "Compressed | None" = None
    kept: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)

    @lazy
    def dense(self) -> bool:
        """Tell whether every weight is nonzero."""
        return int(self.nonzeros_per_operand.sum()) == math.prod(self.shape)

    @lazy
    def nonzeros_per_operand(self) -> NDArray[np.int64]:
        """Count, for each operand of a window, the filters that have a nonzero weight for it: (groups, operands)."""
        groups, operands, filters = self.shape
        if self.nonzero is not None:
            return np.asarray(np.count_nonzero(self.nonzero, axis=2), dtype=np.int64)
        if self.values is not None:
            return np.asarray(np.count_nonzero(self.values, axis=2), dtype=np.int64)
        return np.full((groups, operands), filters, dtype=np.int64)

    @lazy
    def integers(self) -> NDArray[np.int8]:
        """Return small positive integers in the same zero pattern, for the exact comparison."""
        if self.nonzero is not None:
            return small_integers(self.nonzero)
        if self.values is not None:
            return small_integers(self.values != 0)
        return small_integers(np.ones(self.shape, dtype=np.bool_))

    def tiles(self, kind: Any, cut: bool) -> Tiles:
        """Return the values, in a type, as the kernels read them; tiles of the values' own type are made once and kept."""
        assert self.values is not None
        if cut and kind == self.values.dtype:
            return self._tiles
        values = self.values.astype(kind, copy=False)
        return Tiles.cut(values) if cut else Tiles.uncut(values)

    def integer_tiles(self, cut: bool) -> Tiles:
        """Return the small integers as the kernels read them; tiles are made once and kept."""
        return self._integer_tiles if cut else Tiles.uncut(self.integers)

    @lazy
    def _tiles(self) -> Tiles:
        assert self.values is not None
        return Tiles.cut(self.values)

    @lazy
    def _integer_tiles(self) -> Tiles:
        return Tiles.cut(self.integers)
