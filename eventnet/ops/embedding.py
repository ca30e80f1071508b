"""Look-ups in a table: linear operators on inputs so sparse that only an index of them is left.

Each index is an event of value one (or of its weight in a bag) that meets the row it names; no other row costs anything.
"""

from dataclasses import replace

import torch
from torch import Tensor

from eventnet.call import Call, Form
from eventnet.ops.sparse import Entries, row_products
from eventnet.product import Product
from eventnet.vector import VectorCall, VectorForm
from hwmodel.given import matmul_weights
from hwmodel.task import Task

MEAN, MAXIMUM = 1, 2


def _embedding(call: Call) -> dict[int, Product]:
    table, indices = call["weight"], call["indices"]
    rows = table.detach()[indices.reshape(-1)][:, None, :]  # (indices, 1, columns)
    ones = rows.new_ones(len(rows), 1, 1)
    task = Task.matmul(
        call.stream(ones),
        call.lay_out(rows, "matmul", matmul_weights),
        name=call.place.name,
        two_activations="weight" not in call.static,
    )
    shape = (*indices.shape, table.shape[1])
    return {0: Product(task, torch.matmul, ones, rows, finish=lambda outputs: outputs.reshape(shape), gathered_from=table)}


def _bag(call: Call) -> dict[int, tuple[Product, ...]]:
    if call["mode"] == MAXIMUM:
        return {}
    table, indices, weights = call["weight"], call["indices"].long(), call["per_sample_weights"]
    bags = _bag_of_each(call["offsets"].long(), len(indices), call["include_last_offset"])
    kept = indices != call["padding_idx"]
    bags, indices = bags[kept], indices[kept]
    values = table.new_ones(len(indices)) if weights is None else weights.detach()[kept]
    if call["mode"] == MEAN:
        values = values / torch.bincount(bags)[bags]
    return {0: row_products(call, Entries(bags, indices, values), table, "weight")}


def _bag_of_each(offsets: Tensor, indices: int, include_last_offset: bool) -> Tensor:
    """Return the bag that each index is in."""
    ends = offsets[1:] if include_last_offset else torch.cat([offsets[1:], offsets.new_tensor([indices])])
    return torch.bucketize(torch.arange(indices), ends, right=True)


def _bag_weights_gradient(call: Call) -> dict[int, Product]:
    """Make the gradient of a bag's weights: the gradient of the bag times the row, for each index."""
    bags = _bag_of_each(call["offsets"].long(), len(call["indices"]), include_last_offset=False)
    gradients = call["grad"].detach()[bags][:, None, :]  # (indices, 1, columns)
    rows = call["weight"].detach()[call["indices"].long()][:, :, None]
    if call["padding_idx"] >= 0:
        gradients = gradients * (call["indices"] != call["padding_idx"])[:, None, None]
    two_activations = "weight" not in call.static
    weights = call.lay_out(rows, "matmul", matmul_weights)
    task = Task.matmul(call.stream(gradients), weights, name=call.place.name, two_activations=two_activations)
    task = replace(task, part="weight_gradient")
    return {
        0: Product(task, torch.matmul, gradients, rows, finish=lambda outputs: outputs[:, 0, 0], gathered_from=call["weight"])
    }


def _rows_read(call: VectorCall) -> tuple[Tensor, ...]:
    table = call.arguments["weight"] if "weight" in call.arguments else call.arguments["self"]
    return (table.detach()[call.arguments["indices"].long()],)


VECTORS = (
    VectorForm("pool", ("_embedding_bag", "_embedding_bag_forward_only"), reads=_rows_read),  # the largest of a bag
    VectorForm("norm", ("embedding_renorm",), reads=_rows_read),
)

FORMS = (
    Form("embedding", ("embedding",), ("indices", "weight"), _embedding),
    Form("embedding", ("_embedding_bag", "_embedding_bag_forward_only"), ("indices", "weight"), _bag),
    Form("embedding", ("_embedding_bag_per_sample_weights_backward",), ("grad", "weight"), _bag_weights_gradient),
)
