"""An operator call as an event form sees it: named arguments, roles of the operands, the module it belongs to."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from eventnet.modules import Place
from eventnet.product import Product
from hwmodel.frozen import frozen
from hwmodel.given import Operand
from hwmodel.operands import Array, Weights


@frozen
class Call:
    """One call of an aten operator.

    Attributes
    ----------
    arguments
        Every argument by the name it has in the operator's schema, defaults included.
    place
        The module that it belongs to.
    static
        Names of the arguments that are static operands.
    first_layer
        Whether its streamed operand is the program's input with no multiply-accumulate in between.
    stream
        Makes an array of a streamed operand, in the numbers of the hardware.
    lay_out
        Makes the second operand of a tensor, and keeps it if it is static: (tensor, what the layout depends on, function of
        its array).
    """

    arguments: dict[str, Any]
    place: Place
    static: frozenset[str]
    first_layer: bool
    stream: Callable[[torch.Tensor], Array]
    lay_out: Callable[[torch.Tensor, Hashable, Callable[[Operand], Weights]], Weights]

    def __getitem__(self, argument: str) -> Any:
        return self.arguments[argument]


@dataclass(frozen=True)
class Form:
    """The event form of an operator.

    Attributes
    ----------
    op
        What records call it.
    aten
        The aten operators it takes, without the marks of their in-place and out= variants.
    operands
        The names of the arguments that are multiplied; if all of them are static, the first is taken as streamed.
    products
        Makes the products of a call, each under the number of the result that it gives (0 if there is one result); several
        may give parts of one result. What no product gives is PyTorch's. No products at all: this call has no event form, and
        is vector work or runs as ``other``.
    addend
        The name of the argument that is added to the product; empty if there is none.
    sparse
        Whether an operand may be a sparse tensor.
    """

    op: str
    aten: tuple[str, ...]
    operands: tuple[str, ...]
    products: Callable[[Call], Mapping[int, Product | tuple[Product, ...]]]
    addend: str = ""
    sparse: bool = False
