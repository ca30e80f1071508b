"""Matrix products: linear layers, matrix times vector, products of batches, with either operand static or none.

The streamed operand's rows are the windows. If only the first operand is static the roles swap, by transposing both.
"""

from collections.abc import Callable
from dataclasses import replace

import torch

from eventnet.call import Call, Form
from eventnet.ops.sparse import sparse_product
from eventnet.product import Product, accumulated
from hwmodel.given import matmul_weights
from hwmodel.task import Task


def matrix_product(
    call: Call, first_name: str, second_name: str, scale: float = 1.0, addend: torch.Tensor | None = None
) -> Product:
    """Make the product of two arguments that are matrices, vectors or batches of matrices; scaled and added to."""
    first, second = call[first_name], call[second_name]
    row_vector, column_vector = first.dim() == 1, second.dim() == 1
    if row_vector:
        first = first[None, :]
    if column_vector:
        second = second[:, None]
    swapped = first_name in call.static and second_name not in call.static
    if swapped:
        first, second = second.mT, first.mT
    two_activations = not call.static & {first_name, second_name}
    weights = call.lay_out(second, "matmul", matmul_weights)
    task = Task.matmul(call.stream(first), weights, name=call.place.name, two_activations=two_activations)

    def finish(outputs: torch.Tensor) -> torch.Tensor:
        done = outputs.mT if swapped else outputs
        if column_vector:
            done = done[..., 0]
        return done[0] if row_vector else done

    return Product(task=task, multiply=torch.matmul, first=first, second=second, finish=finish, scale=scale, addend=addend)


Products = dict[int, Product | tuple[Product, ...]]


def _plain(first: str, second: str) -> Callable[[Call], Products]:
    def products(call: Call) -> Products:
        if _one_is_sparse(call, first, second):
            return _given(sparse_product(call, first, second))
        return {0: matrix_product(call, first, second)}

    return products


def _with_addend(first: str, second: str) -> Callable[[Call], Products]:
    def products(call: Call) -> Products:
        beta, alpha = call["beta"], call["alpha"]
        # With beta 0 it is not read, NaN or not; otherwise it enters the accumulator, which is wider than 16 bits.
        addend = None if beta == 0 else accumulated(call["self"].detach())
        if beta not in (0, 1):
            addend = addend * beta
        if _one_is_sparse(call, first, second):
            parts = sparse_product(call, first, second)
            return _given(
                tuple(
                    replace(part, scale=alpha, addend=None if addend is None else addend.expand(_result(call))[part.gives])
                    for part in parts
                )
            )
        return {0: matrix_product(call, first, second, alpha, addend)}

    def _result(call: Call) -> tuple[int, int]:
        return call[first].shape[0], call[second].shape[1]

    return products


def _one_is_sparse(call: Call, first: str, second: str) -> bool:
    return not call[first].layout == call[second].layout == torch.strided


def _given(parts: tuple[Product, ...]) -> Products:
    return {0: parts} if parts else {}


FORMS = (
    Form("matmul", ("mm",), ("self", "mat2"), _plain("self", "mat2"), sparse=True),
    Form("matmul", ("bmm",), ("self", "mat2"), _plain("self", "mat2"), sparse=True),
    Form("matmul", ("_int_mm",), ("self", "mat2"), _plain("self", "mat2")),
    Form("matmul", ("mv",), ("self", "vec"), _plain("self", "vec"), sparse=True),
    Form("matmul", ("dot",), ("self", "tensor"), _plain("self", "tensor")),
    Form("matmul", ("vdot",), ("self", "other"), _plain("self", "other")),
    Form("matmul", ("addmm", "_sparse_addmm"), ("mat1", "mat2"), _with_addend("mat1", "mat2"), "self", sparse=True),
    Form("matmul", ("addmv",), ("mat", "vec"), _with_addend("mat", "vec"), "self"),
    Form("matmul", ("baddbmm",), ("batch1", "batch2"), _with_addend("batch1", "batch2"), "self"),
)
