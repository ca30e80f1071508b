"""Vector operators: no products, so they are not computed from events, only counted. PyTorch's kernel runs on what flows.

What a form says of an operator is how many elements go into a machine's vector lanes; the rest is `hwmodel.vector`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from hwmodel.compiled import compiled
from hwmodel.frozen import frozen
from hwmodel.operands import Array

if TYPE_CHECKING:
    from eventnet.operator import OperatorCall

COUNTED = (torch.float32, torch.float64)  # PyTorch takes twenty times as long for these
FEW = 512  # elements, that numpy has counted before another function is called


def nonzeros(tensor: torch.Tensor) -> int:
    """Count the nonzero elements of a tensor. Cost: a look at each, several at once where they lie side by side."""
    if tensor.dtype in COUNTED:
        if tensor.numel() <= FEW:
            return int(np.count_nonzero(tensor.numpy(force=True)))
        if tensor.is_contiguous() and not tensor.is_neg():
            return int(_count_nonzeros(tensor.detach().view(-1).numpy()))
    signed = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}.get(tensor.dtype)
    return int(torch.count_nonzero(tensor if signed is None else tensor.view(signed)))  # PyTorch counts no unsigned ones


@compiled
def _count_nonzeros(values: Array) -> int:
    found = 0
    for one in range(values.size):
        found += values[one] != 0
    return found


@frozen
class VectorCall:
    """One call of a vector operator, forward or backward.

    Attributes
    ----------
    call
        What was called.
    operands
        The tensors among its arguments that are no parameters, each once; numbers (0-dimensional tensors) left out, unless
        there is nothing else.
    results
        What PyTorch computed; of a sparse tensor what it stores.
    """

    call: "OperatorCall"
    operands: tuple[torch.Tensor, ...]
    results: tuple[torch.Tensor, ...]

    @property
    def arguments(self) -> dict[str, Any]:
        """Every argument by its name, defaults included."""
        return self.call.arguments


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

    def elements(self, activations: int, call: VectorCall) -> int:
        """Count the elements that go into the lanes, of those that a call reads."""
        return max(activations, 0, *map(torch.Tensor.numel, call.results)) if self.broadcasts else activations


def with_backward(*names: str) -> tuple[str, ...]:
    """List operators together with those backwards that aten has under their names."""
    backward = (f"{name}_backward" for name in names)
    return (*names, *(name for name in backward if hasattr(torch.ops.aten, name)))


def distinct_elements(tensor: torch.Tensor) -> int:
    """Count a tensor's elements, those that ``expand`` repeats once."""
    strides = tensor.stride()
    if 0 not in strides:
        return tensor.numel()
    count = 1
    for size, stride in zip(tensor.shape, strides, strict=True):
        count *= size if stride or not size else 1
    return count
