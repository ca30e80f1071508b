"""Static operands laid out for the kernels, kept from one use to the next.

Laying out AlexNet's weights and looking at each costs more than its forward, so the result is kept by storage and
version. ``_version`` misses writes through ``.data``, so the first use in each run compares a checksum as well: a sum of
the values weighed by their place, in one pass, in which a NaN or an infinity shows too.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from eventnet.provenance import storage_key
from hwmodel.errors import ValuesError
from hwmodel.operands import Array, Weights

ROW = 4096


@dataclass
class _Entry:
    reference: StorageWeakRef
    checksum: float
    version: int
    laid_out: dict[Hashable, Weights] = field(default_factory=dict)


_ENTRIES: dict[int, _Entry] = {}


class WeightCache:
    """The static operands of one run; what they hold is shared with later runs while their storage lives."""

    def __init__(self) -> None:
        self._checked: dict[int, int] = {}  # storage -> version at which this run compared the checksum

    def get(self, tensor: torch.Tensor, layout: Hashable, where: str, lay_out: Callable[[Array], Weights]) -> Weights:
        """Return a static operand as the kernels want it.

        Parameters
        ----------
        tensor
            A parameter, a buffer or a tensor computed from such, in any layout.
        layout
            What, beside the tensor's shape and strides, `lay_out` depends on.
        where
            The tensor's name for an error.
        lay_out
            Makes the operand from the tensor as an array.

        Raises
        ------
        ValuesError
            If the tensor holds NaN or infinite values.
        """
        key, version = storage_key(tensor), _version(tensor)
        entry = _ENTRIES.get(key)
        if entry is None or self._checked.get(key) != version:
            checksum = _checksum(tensor, where)
            if entry is None or entry.version != version or entry.checksum != checksum:
                _drop_dead_entries()
                entry = _ENTRIES[key] = _Entry(StorageWeakRef(tensor.untyped_storage()), checksum, version)
            self._checked[key] = version
        view = (layout, tuple(tensor.shape), tensor.stride(), tensor.storage_offset(), tensor.dtype)
        if view not in entry.laid_out:
            entry.laid_out[view] = _own(lay_out(as_array(tensor)), tensor)
        return entry.laid_out[view]


def as_array(tensor: torch.Tensor) -> Array:
    """Return a tensor's values as a numpy array; 16-bit floats travel as float32."""
    detached = tensor.detach()
    if detached.dtype in (torch.bfloat16, torch.float16):
        detached = detached.float()
    return detached.resolve_conj().resolve_neg().numpy()


def require_finite(tensor: torch.Tensor, where: str) -> None:
    """Raise ValuesError if a tensor holds NaN or infinite values."""
    if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
        bad = int((~torch.isfinite(tensor)).sum())
        raise ValuesError(
            f"{where}: {bad} of {tensor.numel()} weights are NaN or infinite, expected finite ones. A zero activation times "
            "such a weight is NaN in PyTorch and an event that is not sent here; repair the parameter first."
        )


def _own(weights: Weights, tensor: torch.Tensor) -> Weights:
    """Copy values that are the tensor's own memory, which would keep it alive for as long as they are kept."""
    if weights.values is not None and np.may_share_memory(weights.values, as_array(tensor)):
        return replace(weights, values=weights.values.copy())
    return weights


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _checksum(tensor: torch.Tensor, where: str) -> float:
    """Weigh all values of the tensor's whole storage by their place; NaN and infinity are refused."""
    storage = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
    flat = storage.float() if storage.dtype not in (torch.float32, torch.float64) else storage
    rows, rest = divmod(flat.numel(), ROW)
    places = torch.linspace(1.0, 2.0, ROW, dtype=flat.dtype)
    total = float(flat[rows * ROW :] @ places[:rest])
    if rows:
        per_row = flat[: rows * ROW].view(rows, ROW) @ places
        total += float(per_row @ torch.linspace(1.0, 2.0, rows, dtype=flat.dtype))
    if not abs(total) < float("inf"):
        require_finite(tensor, where)
    return total


def _drop_dead_entries() -> None:
    for key in [key for key, entry in _ENTRIES.items() if entry.reference.expired()]:
        del _ENTRIES[key]
