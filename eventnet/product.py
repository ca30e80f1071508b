"""One product of an operator call: its task, and what PyTorch says of it."""

from collections.abc import Callable
from typing import Any

import torch

from hwmodel.frozen import frozen
from hwmodel.task import Task


def _unchanged(tensor: torch.Tensor) -> torch.Tensor:
    return tensor


@frozen
class Product:
    """A product inside an operator call, and how the call's result comes of it.

    The result is ``finish(scale * (first x second)) + addend``.

    Attributes
    ----------
    task
        The product as hardware sees it, made of ``first`` and ``second``.
    multiply
        PyTorch's own product of two operands of these shapes, whatever their values.
    first, second
        The operands as the task has them: the streamed one first.
    finish
        Brings the task's outputs into the shape of the call's result.
    scale, addend
        The rest of the call, a bias for instance.
    gives
        The index of those elements of the call's result that this product gives; None for all of them.
    accumulator
        The type in which PyTorch adds up, where it is narrower than what that type's products are added in elsewhere.
    gathered_from
        The operand of the call that ``second`` holds some rows of, once or often; None if it is an operand as it is.
    """

    task: Task
    multiply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    first: torch.Tensor
    second: torch.Tensor
    finish: Callable[[torch.Tensor], torch.Tensor] = _unchanged
    scale: float = 1.0
    addend: torch.Tensor | None = None
    gives: Any = None
    gathered_from: torch.Tensor | None = None
    accumulator: torch.dtype | None = None

    def result(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the call's result for the task's outputs, in the accumulator's type."""
        done = self.finish(outputs)
        if self.scale != 1:
            done = done * self.scale
        return done if self.addend is None else done + self.addend.to(done.dtype)

    def bare(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """Return PyTorch's product of two operands in the shape of the call's result, neither scaled nor added to."""
        return self.finish(self.multiply(first, second))

    def magnitude(self) -> torch.Tensor:
        """Return the sum of the absolute values that each element of the result is the sum of, in float64."""
        first, second = (accumulated(operand).abs() for operand in (self.first, self.second))
        size = self.bare(first, second).double()
        if self.scale != 1:
            size = size * abs(self.scale)
        return size if self.addend is None else size + self.addend.abs().double()


def accumulated(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor in the type in which its products are added up: float32 for 16-bit floats."""
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor
