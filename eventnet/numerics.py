"""How hardware writes numbers down: what becomes of a product's operands, what its sum is judged against, what flows on.

An operator call is rounded once at its border. Its operands become numbers of the hardware, in the zero pattern of which the
events are; the products add up in an accumulator; PyTorch computes the same operator on the same numbers; and the result goes
back into the program in the type, shape and strides that PyTorch's own result has.

    Arithmetic              one operator call                                (eventnet/arithmetic.py)
      Numerics.operand      a tensor as the hardware has it
      Numerics.reference    PyTorch's operator on such operands
      Numerics.total        the sum that the events made, as it is judged
      Numerics.finish       the sum in the program's own type

A machine that brings numbers of its own derives from `Numerics`, as `Float` here and `Fixed16` in `eventnet/fixed16.py` do.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from eventnet.product import Product
from hwmodel.frozen import frozen

ROLES = ("activations", "weights", "outputs")


@frozen
class Rounded:
    """A tensor in the numbers of the hardware.

    Attributes
    ----------
    values
        The numbers themselves; of fixed point the integers.
    fraction_bits
        Where the binary point is: the number is ``values * 2**-fraction_bits``. None for floating point.
    saturated, vanished
        How many elements were out of range, and how many nonzero ones became zero.
    """

    values: Tensor
    fraction_bits: int | None = None
    saturated: int = 0
    vanished: int = 0


@frozen
class Total:
    """The sums of one product, scale and addend included, as they are judged; see `Rounded` for the binary point.

    ``infinities`` holds what is not in the sums because their numbers have no infinity, and zeros elsewhere.
    """

    values: Tensor
    fraction_bits: int | None = None
    infinities: Tensor | None = None


class Numerics(ABC):
    """The numbers of some hardware. Tensors that are not floating point stay what they are."""

    name: str

    @abstractmethod
    def rounds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor would become another one."""

    @abstractmethod
    def operand(self, tensor: Tensor, fraction_bits: int | None, where: str) -> Rounded:
        """Return an operand as the hardware has it; without a chosen binary point it is calibrated on the tensor."""

    @abstractmethod
    def addend(self, tensor: Tensor, where: str) -> Tensor:
        """Return what is added to the products, a bias for instance, in the type in which it can be added."""

    @abstractmethod
    def reference(self, func: Any, arguments: dict[str, Any], operands: Mapping[str, Rounded], addend: str, where: str) -> Any:
        """Return what PyTorch's own operator makes of the operands, and of the addend if there is one."""

    @abstractmethod
    def expected(self, product: Product, first: Rounded, second: Rounded, found: Tensor, where: str) -> Total:
        """Return one result of the reference as the sum that a product is judged against."""

    @abstractmethod
    def total(self, product: Product, first: Rounded, second: Rounded, outputs: Tensor, expected: Total) -> Total:
        """Return the sum that a task's outputs are, in the shape of the expected one."""

    @abstractmethod
    def finish(self, total: Total, fraction_bits: int | None, like: Tensor, where: str) -> Rounded:
        """Return a result as it flows on: in the type, shape and strides of ``like``."""

    def key(self, fraction_bits: int | None) -> Hashable:
        """Return all that `operand` depends on beside the tensor: rounded weights are kept under it."""
        return type(self), self.name, fraction_bits

    def chosen(self, module: str, role: str) -> int | None:
        """Return the binary point that somebody chose for a module's activations, weights or outputs; None to calibrate."""
        return None

    def modules(self) -> list[str]:
        """List the modules for which something was chosen."""
        return []

    def as_dict(self) -> Any:
        """Return a name, or everything that was chosen, for reports."""
        return self.name


@dataclass(frozen=True)
class Float(Numerics):
    """Floating point of one type, or each tensor's own: float64 is added in float64, everything narrower in float32.

    Operands and addend are rounded to the type, half to even, and the result is.
    """

    dtype: torch.dtype | None = None

    @property
    def name(self) -> str:  # type: ignore[override]  # follows from the type
        """Name the type; ``auto`` is each tensor's own."""
        return "auto" if self.dtype is None else str(self.dtype).removeprefix("torch.")

    def rounds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor has another type of floating point."""
        return self.dtype is not None and tensor.is_floating_point() and tensor.dtype != self.dtype

    def operand(self, tensor: Tensor, fraction_bits: int | None, where: str) -> Rounded:
        """Round to the type; a number beyond its range becomes infinite, as in PyTorch."""
        return Rounded(tensor.detach().to(self.dtype))

    def addend(self, tensor: Tensor, where: str) -> Tensor:
        """Round to the type, and widen to the accumulator's."""
        return tensor.detach().to(self.dtype).to(torch.float64 if self.dtype == torch.float64 else torch.float32)

    def reference(self, func: Any, arguments: dict[str, Any], operands: Mapping[str, Rounded], addend: str, where: str) -> Any:
        """Let PyTorch compute in the type."""
        changed = arguments | {name: rounded.values for name, rounded in operands.items()}
        if addend and changed[addend] is not None:
            changed[addend] = changed[addend].to(self.dtype)
        return func(**changed)

    def expected(self, product: Product, first: Rounded, second: Rounded, found: Tensor, where: str) -> Total:
        """Take PyTorch's result as it is."""
        return Total(found)

    def total(self, product: Product, first: Rounded, second: Rounded, outputs: Tensor, expected: Total) -> Total:
        """Round the accumulators to the type of PyTorch's result."""
        return Total(torch.empty_like(expected.values).copy_(product.result(outputs)))

    def finish(self, total: Total, fraction_bits: int | None, like: Tensor, where: str) -> Rounded:
        """Bring the result into the program's type."""
        if total.values.dtype == like.dtype:
            return Rounded(total.values)
        return Rounded(torch.empty_like(like).copy_(total.values))


OWN = Float()
