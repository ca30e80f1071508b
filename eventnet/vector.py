"""Vector operators: no products, so they are not computed from events, only counted. PyTorch's kernel runs on what flows.

What a form says of an operator is how many elements go into a machine's vector lanes; the rest is `hwmodel.vector`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from eventnet.aten import has_values, stored, tensors_in
from hwmodel.compiled import compiled
from hwmodel.operands import Array

COUNTED = (torch.float32, torch.float64)  # PyTorch takes twenty times as long for these


def nonzeros(tensor: torch.Tensor) -> int:
    """Count the nonzero elements of a tensor. Cost: a look at each, several at once where they lie side by side."""
    tensor = tensor.detach()
    if tensor.dtype in COUNTED and tensor.is_contiguous() and not tensor.is_neg():  # a sparse tensor has no strides to ask for
        return int(_count_nonzeros(tensor.view(-1).numpy()))
    signed = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}.get(tensor.dtype)
    return int(torch.count_nonzero(tensor if signed is None else tensor.view(signed)))  # PyTorch counts no unsigned ones


@compiled
def _count_nonzeros(values: Array) -> int:
    found = 0
    for one in range(values.size):
        found += values[one] != 0
    return found


@dataclass(frozen=True, eq=False)
class VectorCall:
    """One call of a vector operator, forward or backward.

    Attributes
    ----------
    arguments
        Every argument by its name, defaults included.
    operands
        The tensors among them that are no parameters, each once; numbers (0-dimensional tensors) left out, unless there is
        nothing else.
    result
        What PyTorch computed.
    """

    arguments: dict[str, Any]
    operands: tuple[torch.Tensor, ...]
    result: Any

    @cached_property
    def results(self) -> tuple[torch.Tensor, ...]:
        """List the tensors among the results; of a sparse one what it stores."""
        return tuple(stored(tensor) for tensor in tensors_in(self.result) if has_values(tensor))


def operands(call: VectorCall) -> tuple[torch.Tensor, ...]:
    """Give every operand: most operators read all of them."""
    return call.operands


def results(call: VectorCall) -> tuple[torch.Tensor, ...]:
    """Give the results: a gather reads as many elements as it gives, however large what it reads from is."""
    return call.results


@dataclass(frozen=True)
class VectorForm:
    """The vector form of operators.

    Attributes
    ----------
    op
        What records call it; empty for the operator's own name.
    aten
        The aten operators it takes, without the marks of their in-place and out= variants.
    tag
        Or the tag that aten gives to all operators it takes; names come first.
    reads
        The tensors of a call whose elements go into the vector lanes.
    broadcasts
        Whether operands are repeated to make results: then as many elements go into the lanes as there are results, at least.
    elementwise
        Whether a result depends on one element of each operand: such a function of a single product that has just been made
        runs in the last stage of that product's pipeline.
    beside
        Names of arguments that do not go into the lanes: addresses, and what is written over.
    """

    op: str
    aten: tuple[str, ...] = ()
    tag: torch.Tag | None = None
    reads: Callable[[VectorCall], tuple[torch.Tensor, ...]] = operands
    broadcasts: bool = False
    elementwise: bool = False
    beside: tuple[str, ...] = ()

    def elements(self, read: tuple[torch.Tensor, ...], call: VectorCall) -> int:
        """Count the elements of what a call reads that go into the lanes; what ``expand`` repeats counts once."""
        count = sum(distinct_elements(tensor) for tensor in read)
        return max(count, 0, *(tensor.numel() for tensor in call.results)) if self.broadcasts else count


def with_backward(*names: str) -> tuple[str, ...]:
    """List operators together with those backwards that aten has under their names."""
    backward = (f"{name}_backward" for name in names)
    return (*names, *(name for name in backward if hasattr(torch.ops.aten, name)))


def distinct_elements(tensor: torch.Tensor) -> int:
    """Count a tensor's elements, those that ``expand`` repeats once."""
    count = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= size if stride or not size else 1
    return count
