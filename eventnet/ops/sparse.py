"""Products whose streamed operand is sparse: an adjacency times the features of nodes, an index times a table.

An entry that is stored is an event; it meets the row of the other operand that its column names. Rows of the result that have
equally many entries are one task, a batch of small products of the entries by the rows they gather; what is not stored is no
operand on any machine. So ``macs`` are entries times columns, however large the operands are.
"""

from dataclasses import replace

import torch
from torch import Tensor

from eventnet.aten import SPARSE_LAYOUTS
from eventnet.call import Call, Form
from eventnet.product import Product
from hwmodel.frozen import frozen
from hwmodel.given import matmul_weights
from hwmodel.task import Task


@frozen
class Entries:
    """What a sparse matrix stores, in any order: row and column of each entry, int64 (entries,), and its value."""

    rows: Tensor
    columns: Tensor
    values: Tensor

    @property
    def transposed(self) -> "Entries":
        """Return the entries of the transposed matrix."""
        return Entries(self.columns, self.rows, self.values)


def entries_of(matrix: Tensor) -> Entries:
    """List what a sparse matrix of any layout stores."""
    matrix = matrix.detach()
    if matrix.layout == torch.sparse_coo:
        rows, columns = matrix._indices()
        return Entries(rows, columns, matrix._values())
    by_row = matrix.layout == torch.sparse_csr
    pointers, others = (
        (matrix.crow_indices(), matrix.col_indices()) if by_row else (matrix.ccol_indices(), matrix.row_indices())
    )
    compressed = torch.repeat_interleave(torch.arange(len(pointers) - 1), pointers.diff())
    entries = Entries(compressed, others.long(), matrix.values())
    return entries if by_row else entries.transposed


def row_products(call: Call, entries: Entries, dense: Tensor, dense_name: str, columns: bool = False) -> tuple[Product, ...]:
    """Make the products that give a sparse matrix times a dense one (K, N), a task for each number of entries in a row.

    The dense one may be a vector. With ``columns`` each gives columns of the call's result, not rows: it is transposed.
    """
    matrix = dense.detach() if dense.dim() == 2 else dense.detach()[:, None]

    def finish(outputs: Tensor) -> Tensor:
        if dense.dim() == 1:
            return outputs[:, 0, 0]
        return outputs[:, 0].T if columns else outputs[:, 0]

    order = torch.argsort(entries.rows, stable=True)
    rows, counts = torch.unique_consecutive(entries.rows[order], return_counts=True)
    first_of_row = counts.cumsum(0) - counts
    products = []
    for count in counts.unique().tolist():
        alike = counts == count
        chosen = order[first_of_row[alike, None] + torch.arange(count)]  # (rows alike, entries of each)
        values, gathered = entries.values[chosen][:, None, :], matrix[entries.columns[chosen]]
        task = Task.matmul(
            call.stream(values),
            call.lay_out(gathered, "matmul", matmul_weights),
            name=call.place.name,
            two_activations=dense_name not in call.static,
        )
        products.append(
            Product(
                task=task,
                multiply=torch.matmul,
                first=values,
                second=gathered,
                finish=finish,
                gives=(slice(None), rows[alike]) if columns else (rows[alike],),
                gathered_from=dense,
                accumulator=dense.dtype,  # PyTorch adds sparse products up in the type of the operands
            )
        )
    return tuple(products)


def sparse_product(call: Call, first_name: str, second_name: str) -> tuple[Product, ...]:
    """Make the products of two matrices of which one is sparse, of a sparse matrix and a vector, or of batches of matrices."""
    first, second = call[first_name], call[second_name]
    if first.layout == torch.sparse_coo and first.dim() == 3 and second.layout == torch.strided:
        return _batched(call, first, second, second_name)
    if first.layout in SPARSE_LAYOUTS and first.dim() == 2 and second.layout == torch.strided:
        return row_products(call, entries_of(first), second, second_name)
    if second.layout in SPARSE_LAYOUTS and second.dim() == 2 and first.layout == torch.strided:
        return row_products(call, entries_of(second).transposed, first.T, first_name, columns=True)
    return ()


def _batched(call: Call, batch: Tensor, dense: Tensor, dense_name: str) -> tuple[Product, ...]:
    """Make the products of a batch (B, M, K) by (B, K, N): those of one matrix (B M, B K) by what stands below one another."""
    one_of, rows, columns = batch.detach()._indices()
    height, width = batch.shape[1:]
    entries = Entries(one_of * height + rows, one_of * width + columns, batch.detach()._values())
    parts = row_products(call, entries, dense.reshape(-1, dense.shape[2]), dense_name)
    return tuple(replace(part, gives=(part.gives[0] // height, part.gives[0] % height)) for part in parts)


def _reduced(call: Call) -> dict[int, tuple[Product, ...]]:
    """Make the products of a sum or mean over neighbours; the largest or smallest of them is no sum."""
    entries = entries_of(call["self"])
    if call["reduce"] == "mean":
        per_row = torch.bincount(entries.rows, minlength=call["self"].shape[0])
        entries = Entries(entries.rows, entries.columns, entries.values / per_row[entries.rows])
    elif call["reduce"] != "sum":
        return {}
    return {0: row_products(call, entries, call["other"], "other")}


FORMS = (Form("matmul", ("_sparse_mm_reduce_impl",), ("self", "other"), _reduced, sparse=True),)
