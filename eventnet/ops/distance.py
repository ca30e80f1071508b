"""Distances between all pairs of rows: by a matrix product, as PyTorch does for many rows, or pair by pair."""

from typing import Any

import torch
from torch import Tensor

from eventnet.vector import VectorCall, VectorForm


def euclidean_distance(x1: Tensor, x2: Tensor) -> Any:
    """Return the root of ``|a|^2 - 2 a b + |b|^2`` for all pairs of rows, whose products are one matrix product."""
    squares = x1.pow(2).sum(-1, keepdim=True), x2.pow(2).sum(-1, keepdim=True)
    first = torch.cat([-2 * x1, squares[0], torch.ones_like(squares[0])], -1)
    second = torch.cat([x2, torch.ones_like(squares[1]), squares[1]], -1)
    return (first @ second.mT).clamp_min(0).sqrt()


def _pairs(call: VectorCall) -> tuple[Tensor, ...]:
    """Give the differences of each pair of rows: what is read again for every pair is counted again."""
    first, second = call.arguments["x1"].detach(), call.arguments["x2"].detach()
    return (first.unsqueeze(-2) - second.unsqueeze(-3),)


VECTORS = (VectorForm("distance", ("_cdist_forward", "_cdist_backward"), reads=_pairs),)
REWRITES = {"_euclidean_dist": euclidean_distance}
