"""Gather and scatter, along the edges of a graph for instance: only what is touched goes through the lanes."""

import torch

from eventnet.vector import VectorCall, VectorForm, results


def sent(call: VectorCall) -> tuple[torch.Tensor, ...]:
    """Give what a scatter sends, however large what it writes into is; a number is sent to each position of an index."""
    for name in (*SENT, "index"):
        found = call.arguments.get(name)
        if isinstance(found, torch.Tensor):
            return (found,)
    return call.results


SENT = ("src", "source", "values", "data", "grad_output", "grad")

VECTORS = (
    VectorForm("gather", ("_unsafe_index", "gather", "index", "index_select", "masked_select", "take"), reads=results),
    VectorForm(
        "scatter",
        (
            "_index_put_impl", "_unsafe_index_put", "bincount", "embedding_dense_backward", "_embedding_bag_dense_backward",
            "_embedding_bag_backward",
            "histc", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "put", "scatter", "scatter_add",
            "scatter_reduce", "segment_reduce", "_segment_reduce_backward",
        ),
        reads=sent,
    ),
)  # fmt: skip
