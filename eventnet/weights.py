"""Static operands laid out for the kernels, kept from one use to the next.

Laying out AlexNet's weights and looking at each costs more than its forward, so the result is kept by storage. Whether it still
holds is seen from a checksum over the bits of every value and its place, compared at the first use in each run and after every
watched operator that writes into the storage: ``_version`` misses writes through ``.data`` and those of fused optimizers.

Reading all weights again takes as long as a fully connected forward. Where nothing is multiplied and only the places of zeros
count, it is a line of every 16 KiB that is compared in storages above 1 MiB: what writes to rows or through a mask is seen.
"""

from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch.multiprocessing.reductions import StorageWeakRef

from eventnet.provenance import storage_key
from hwmodel.compiled import compiled
from hwmodel.errors import ValuesError
from hwmodel.given import Operand
from hwmodel.operands import Array, Weights

# For values of so many bytes, a word with the lowest bit of each set: times a pattern, it repeats that for each of them.
LINE, PAGE = 8, 2048  # words of 64 bits: of so many the first are looked at, where not all are
SAMPLED = 1 << 17  # words from which on a page is not read whole
ONES = {16: 1, 8: 1, 4: 0x1_0000_0001, 2: 0x1_0001_0001_0001, 1: 0x101_0101_0101_0101}
LARGE = 1 << 20  # words that are worth another thread
# The bits of the exponent, all of which are set in an infinity or a NaN; 0 for types that have none.
EXPONENT = {
    torch.float64: 0x7FF0000000000000,
    torch.float32: 0x7F800000,
    torch.float16: 0x7C00,
    torch.bfloat16: 0x7F80,
}


T = TypeVar("T")


@dataclass
class _Entry:
    reference: StorageWeakRef
    checksums: dict[bool, int]  # of all words, and of a line of every page
    kept: dict[Hashable, Any] = field(default_factory=dict)


_ENTRIES: dict[int, _Entry] = {}


class WeightCache:
    """The static operands of one run; what they hold is shared with later runs while their storage lives.

    Parameters
    ----------
    multiplied
        Whether their values are, so that every one of them is compared.
    name
        Names a tensor for an error.
    """

    def __init__(self, multiplied: bool, name: Callable[[torch.Tensor], str]) -> None:
        self._every, self._name = multiplied, name
        self._checked: set[int] = set()  # storages whose checksum was compared since they were last written
        _drop_dead_entries()

    def written(self, tensor: torch.Tensor) -> None:
        """Take note that an operator has written into a tensor's storage."""
        self._checked.discard(storage_key(tensor))

    def get(self, tensor: torch.Tensor, layout: Hashable, lay_out: Callable[[Operand], Weights]) -> Weights:
        """Return a static operand as the kernels want it.

        Parameters
        ----------
        tensor
            A parameter, a buffer or a tensor computed from such, in any layout.
        layout
            What, beside the tensor's shape and strides, `lay_out` depends on.
        lay_out
            Makes the operand from the tensor as an array.

        Raises
        ------
        ValuesError
            If the tensor holds NaN or infinite values.
        """
        return self.keep(tensor, layout, lambda: _own(lay_out(as_array(tensor)), tensor))

    def keep(self, tensor: torch.Tensor, what: Hashable, make: Callable[[], T]) -> T:
        """Return what is made of a static operand, kept for as long as its storage lives unchanged; see `get`.

        What is made may share no memory with the tensor.
        """
        key = storage_key(tensor)
        entry = _ENTRIES.get(key)
        if entry is None or key not in self._checked:
            self._check(key, entry, tensor)
            self._checked.add(key)
            entry = _ENTRIES[key]
        view = (what, tensor.shape, tensor.stride(), tensor.storage_offset(), tensor.dtype)
        kept: T | None = entry.kept.get(view)
        if kept is None:
            kept = entry.kept[view] = make()
        return kept

    def _check(self, key: int, entry: _Entry | None, tensor: torch.Tensor) -> None:
        """See that an entry still holds, or begin a new one."""
        where = self._name(tensor)
        every = self._every or tensor.untyped_storage().nbytes() < 8 * SAMPLED
        if entry is not None and every in entry.checksums and entry.checksums[every] == _checksum(tensor, every, where):
            return
        _drop_dead_entries()
        checksums = {
            one: _checksum(tensor, one, where) for one in {every, True}
        }  # every value is looked at once: all are finite
        _ENTRIES[key] = _Entry(StorageWeakRef(tensor.untyped_storage()), checksums)


def as_array(tensor: torch.Tensor) -> Array:
    """Return a tensor's values as a numpy array; 16-bit floats travel as float32."""
    if tensor.dtype in (torch.bfloat16, torch.float16):
        tensor = tensor.detach().float()
    array: Array = tensor.numpy(force=True)  # whatever autograd, conjugation or negation is pending
    return array


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


def _checksum(tensor: torch.Tensor, every: bool, where: str) -> int:
    """Return a number that changes with the bits or the place of a value in the tensor's whole storage; refuse NaN.

    Of ``every`` value, or of a line of every page.
    """
    storage = torch.empty(0, dtype=tensor.dtype).set_(tensor.untyped_storage())
    size = storage.element_size()
    exponent = EXPONENT.get(storage.dtype, 0) * ONES[size]
    data = storage.view(torch.uint8).numpy()
    whole = data.size // 8 * 8
    words = data[:whole].view(np.uint64)
    rest = np.zeros(8, dtype=np.uint8)
    rest[: data.size - whole] = data[whole:]
    pieces = torch.get_num_threads() if every and words.size >= LARGE else 1
    edges = [words.size * piece // pieces for piece in range(pieces + 1)]
    page = max(1, words.size) if every else PAGE

    def weigh(first: int, stop: int) -> tuple[int, bool]:
        return _weigh(words[first:stop], np.uint64(exponent), np.uint64(2 * first + 1), page, page if every else LINE)

    found = [_weigh(rest.view(np.uint64), np.uint64(exponent), np.uint64(2 * words.size + 1), 1, 1)]
    if pieces == 1:
        found.append(weigh(0, words.size))
    else:  # as many threads as PyTorch may use: reading memory takes the time
        with ThreadPoolExecutor(pieces) as threads:
            found += threads.map(weigh, edges, edges[1:])
    if exponent and not all(finite for _, finite in found):
        require_finite(tensor, where)
    return sum(int(checksum) for checksum, _ in found) % (1 << 64)


@compiled
def _weigh(words: Array, exponent: Any, place: Any, page: int, read: int) -> tuple[Any, bool]:
    """Add up the first words of every page, each times an odd number that tells its place, modulo 2**64.

    Also tell whether all values are finite. An odd number has an inverse, so a change within one word always changes the sum. A
    value is infinite or NaN if all bits of its exponent are set: then, and only then, adding the exponent's lowest bit to these
    carries out of them.
    """
    total = np.uint64(0)
    carries = np.uint64(0)
    sign = (exponent << np.uint64(1)) & ~exponent  # where an exponent carries to
    step = exponent & ~(exponent << np.uint64(1))  # its lowest bit
    for first in range(0, words.size, page):
        some = words[first : min(first + read, words.size)]
        here = place + np.uint64(2 * first)
        for one in range(some.size):
            total += some[one] * (here + np.uint64(2 * one))
            carries |= ((some[one] & exponent) + step) & sign
    return total, carries == np.uint64(0)


def _drop_dead_entries() -> None:
    for key in [key for key, entry in _ENTRIES.items() if entry.reference.expired()]:
        del _ENTRIES[key]
