"""The numbers of one operator call: its operands as the hardware has them, PyTorch's word on them, and what flows on."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from eventnet.aten import has_storage
from eventnet.call import Form
from eventnet.fixed16 import Fixed16
from eventnet.numerics import OWN, Float, Numerics, Rounded, Total
from eventnet.product import Product
from eventnet.weights import as_array
from hwmodel.given import Operand
from hwmodel.operands import Array, Weights

Keep = Callable[[Tensor, Hashable, Callable[[], Rounded]], Rounded]
LayOut = Callable[[Tensor, Hashable, Callable[[Operand], Weights]], Weights]

NUMERICS: dict[str, Numerics] = {
    one.name: one for one in (OWN, Float(torch.bfloat16), Fixed16(), Float(torch.float32), Float(torch.float64))
}


def numerics_of(chosen: str | Numerics) -> Numerics:
    """Return the numerics of a name, or themselves."""
    return NUMERICS[chosen] if isinstance(chosen, str) else chosen


@dataclass(frozen=True)
class Rounding:
    """What a record says of how a product was rounded; ``numerics`` is empty if it was computed in the tensors' own type."""

    numerics: str = ""
    activation_fraction_bits: int | None = None
    weight_fraction_bits: int | None = None
    output_fraction_bits: int | None = None
    saturated: int = 0
    vanished: int = 0


AS_IT_IS = Rounding()


class Arithmetic:
    """The numerics of one operator call: each operand is rounded once, and PyTorch is asked once.

    Parameters
    ----------
    numerics
        How numbers are written; the tensors' own type if it would change none of the operands.
    form
        The operator's event form.
    arguments
        Every argument of the call by name, in the program's types.
    static
        Names of the operands that are static.
    module
        The module that the call belongs to.
    backward
        Whether it is part of a backward.
    where
        Operator and module for an error.
    keep
        Makes the rounded operand of a tensor, and keeps it if it is static: (tensor, what it depends on, function).
    lay_out
        As in `Call`.
    multiplied
        Whether events are multiplied, and not only counted: then operands need no values.
    """

    def __init__(
        self,
        numerics: Numerics,
        form: Form,
        arguments: dict[str, Any],
        static: frozenset[str],
        module: str,
        backward: bool,
        where: str,
        keep: Keep,
        lay_out: LayOut,
        multiplied: bool = True,
    ) -> None:
        operands = {name: arguments[name] for name in form.operands}
        more = arguments.get("beta", 0) != 0 or arguments.get("alpha", 1) != 1
        added_to_sparse = form.sparse and more and not all(map(has_storage, operands.values()))
        changes = numerics is not OWN and any(map(numerics.rounds, operands.values())) and not added_to_sparse
        self._numerics = numerics if changes else OWN
        self._form, self._operands, self._static = form, operands, static
        self._module, self._backward, self._where = module, backward, where
        self._keep, self._lay_out, self._multiplied = keep, lay_out, multiplied
        self._rounded: dict[tuple[int, str], tuple[Tensor, Rounded]] = {}
        self.arguments = arguments if self._numerics is OWN else dict(arguments)
        addend = arguments[form.addend] if form.addend else None
        if addend is not None and self._numerics is not OWN:
            read = addend if arguments.get("beta", 1) != 0 else torch.zeros_like(addend)  # beta 0: it is not read, NaN or not
            self.arguments[form.addend] = self._numerics.addend(read, where)

    def stream(self, tensor: Tensor) -> Array:
        """Return a streamed operand as the kernels take it, or where it is nonzero."""
        values = self._operand(tensor, "activations").values
        array = as_array(values)
        return array if self._multiplied else array != 0  # in numpy: PyTorch's own comparison is no vector loop

    def lay_out(self, tensor: Tensor, layout: Hashable, lay_out: Callable[[Operand], Weights]) -> Weights:
        """Return the second operand as the kernels want it, or where it is nonzero; see `Call`."""
        role = self._role_of_second(tensor)
        values = self._operand(tensor, role).values
        rounded = () if values is tensor else (self._key(role),)
        if not self._multiplied:
            return self._lay_out(tensor, (layout, *rounded, "zeros"), lambda _: lay_out(_nonzero(values)))
        if not rounded:
            return self._lay_out(tensor, layout, lay_out)
        return self._lay_out(tensor, (layout, *rounded), lambda _: lay_out(as_array(values)))

    def reference(self, func: Any, found: Any, gathered: bool = False) -> list[Tensor]:
        """Return PyTorch's results on the rounded operands; ``found`` are those on the program's own.

        Of products of ``gathered`` rows, which are rounded as they are gathered, PyTorch is asked one by one.
        """
        if self._numerics is not OWN and not gathered:
            operands = {
                name: self._operand(tensor, "weights" if name in self._static else "activations")
                for name, tensor in self._operands.items()
            }
            found = self._numerics.reference(func, self.arguments, operands, self._form.addend, self._where)
        return list(found) if isinstance(found, tuple) else [found]

    def judged(self, product: Product) -> Product:
        """Return a product of the operands as the hardware has them."""
        if self._numerics is OWN:
            return product
        first, second = self._both(product)
        if first.values is product.first and second.values is product.second:
            return product
        return replace(product, first=first.values, second=second.values)

    def expected(self, product: Product, found: Tensor) -> Total:
        """Return the sum that a product is judged against, given PyTorch's result."""
        if self._numerics is OWN:
            return Total(found)
        first, second = self._both(product)
        if product.gathered_from is not None:
            found = self._numerics.reference(product.bare, {}, {"first": first, "second": second}, "", self._where)
        return self._numerics.expected(product, first, second, found, self._where)

    def total(self, product: Product, outputs: Tensor, expected: Total) -> Total:
        """Return the sum that a task's outputs are."""
        return self._numerics.total(product, *self._both(product), outputs, expected)

    def finish(self, product: Product, total: Total, like: Tensor) -> tuple[Tensor, Rounding]:
        """Return what flows on, and what is to be told of the numbers."""
        if self._numerics is OWN:
            return total.values, AS_IT_IS
        result = self._numerics.finish(total, self._chosen("outputs"), like, self._where)
        first, second = both = self._both(product)
        rounding = Rounding(
            numerics=self._numerics.name,
            activation_fraction_bits=first.fraction_bits,
            weight_fraction_bits=second.fraction_bits,
            output_fraction_bits=result.fraction_bits,
            saturated=sum(one.saturated for one in (*both, result)),
            vanished=sum(one.vanished for one in (*both, result)),
        )
        return result.values, rounding

    def _both(self, product: Product) -> tuple[Rounded, Rounded]:
        second = "activations" if product.task.two_activations else "weights"
        return self._operand(product.first, "activations"), self._operand(product.second, second)

    def _operand(self, tensor: Tensor, role: str) -> Rounded:
        """Round a tensor the first time that this call needs it in a role."""
        if self._numerics is OWN:
            return Rounded(tensor)
        found = self._rounded.get((id(tensor), role))
        if found is None:
            rounded = Rounded(tensor)
            if self._numerics.rounds(tensor):
                rounded = self._keep(
                    tensor, self._key(role), lambda: self._numerics.operand(tensor, self._chosen(role), self._where)
                )
            found = self._rounded[id(tensor), role] = (tensor, rounded)  # held, so that its id stays its own
        return found[1]

    def _role_of_second(self, tensor: Tensor) -> str:
        names = [name for name, operand in self._operands.items() if operand is tensor]
        static = names[-1] in self._static if names else bool(self._static)  # a view, in a matrix product of two operands
        return "weights" if static else "activations"

    def _chosen(self, role: str) -> int | None:
        """Return a chosen binary point: in backward, only the weights have the one that was meant for them."""
        return None if self._backward and role != "weights" else self._numerics.chosen(self._module, role)

    def _key(self, role: str) -> Hashable:
        return self._numerics.key(self._chosen(role))


def _nonzero(values: Tensor) -> Operand:
    """Return where an operand is nonzero, or its shape if it is so everywhere."""
    nonzero: Array = as_array(values) != 0
    return nonzero.shape if nonzero.all() else nonzero
