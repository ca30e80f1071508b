"""Where a tensor came from: parameters, the program's inputs, a product, or nothing that was seen.

Marks belong to storages, so that views carry them. A weak reference keeps a storage's address from being used again
while its mark is known, and does not keep its memory.
"""

from collections.abc import Iterable

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from eventnet.aten import STRIDED, stored


class Mark:
    """What is known of a tensor's origin, as bits of an integer; CONSTANT is a factory's output."""

    CONSTANT = 0
    STATIC = 1  # a parameter or buffer, or computed only from such
    STREAMED = 2  # changes with the sample
    INPUT = 4  # computed from the program's inputs
    PRODUCT = 8  # a multiply-accumulate operator lies between the inputs and this
    PARAMETER = 16  # a parameter or buffer itself
    DRAWN = 32  # made by random draws, from nothing that changes with the sample
    ELSEWHERE = 64  # its values do not lie in memory; said of an operand alone, and not kept


def combine(marks: Iterable[int]) -> int:
    """Return the mark of what is computed from tensors with these marks."""
    every = streamed = 0
    for mark in marks:
        every |= mark
        if mark & Mark.STREAMED:
            streamed |= mark
    return streamed & ~Mark.ELSEWHERE or every & Mark.DRAWN or every & Mark.STATIC


class Provenance:
    """The marks of the storages that one run has seen."""

    def __init__(self) -> None:
        self._marks: dict[int, int] = {}  # by storage
        self._references: dict[int, StorageWeakRef] = {}
        self._in_pipeline: set[int] = set()
        self._purge_at = 1024

    def get(self, tensor: torch.Tensor) -> int | None:
        """Return a tensor's mark; None if nothing that was seen made it."""
        return self._marks.get(storage_key(tensor))

    def set(self, tensor: torch.Tensor, mark: int, in_pipeline: bool = False) -> None:
        """Mark a tensor's storage; a parameter or buffer stays static whatever is written into it.

        ``in_pipeline`` says that a product, or a function of one in the same pipeline, has just made it.
        """
        key = storage_key(tensor)
        if in_pipeline:
            self._in_pipeline.add(key)
        found = self._marks.get(key)
        if found is None:
            self._references[key] = StorageWeakRef(stored(tensor).untyped_storage())
        elif found & Mark.PARAMETER:
            return
        self._marks[key] = mark
        if len(self._marks) > self._purge_at:
            self._references = {key: one for key, one in self._references.items() if not one.expired()}
            self._marks = {key: self._marks[key] for key in self._references}
            self._in_pipeline &= self._marks.keys()
            self._purge_at = max(1024, 2 * len(self._marks))

    def task_begins(self) -> None:
        """Take note that machines turn to another task: what the one before made has left the pipeline."""
        self._in_pipeline.clear()

    def is_in_pipeline(self, tensor: torch.Tensor) -> bool:
        """Tell whether a tensor is a product that has just been made, or a view of one."""
        return storage_key(tensor) in self._in_pipeline


def storage_key(tensor: torch.Tensor) -> int:
    """Return what identifies a tensor's storage, or that of a sparse one's values, while somebody refers to it."""
    held = tensor if tensor.layout is STRIDED else stored(tensor)
    key: int = held.untyped_storage()._cdata
    return key
