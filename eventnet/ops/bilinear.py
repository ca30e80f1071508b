"""Forms of three factors, and sums of batched products, by plain products."""

from string import ascii_letters
from typing import Any

import torch
from torch import Tensor


def trilinear(
    i1: Tensor,
    i2: Tensor,
    i3: Tensor,
    expand1: list[int],
    expand2: list[int],
    expand3: list[int],
    sumdim: list[int],
    unroll_dim: int,
) -> Any:
    """Return the sum over ``sumdim`` of the product of three tensors: what `torch.nn.Bilinear` is made of.

    Each ``expand`` lists the dimensions that its tensor lacks; the first two factors are multiplied first.
    """
    dimensions = ascii_letters[: i1.dim() + len(expand1)]

    def names(missing: list[int]) -> str:
        return "".join(name for place, name in enumerate(dimensions) if place not in missing)

    equation = f"{names(expand1)},{names(expand2)},{names(expand3)}->{names(sumdim)}"
    return torch.einsum(equation, i1, i2, i3).contiguous()


def addbmm(self: Tensor, batch1: Tensor, batch2: Tensor, beta: float, alpha: float) -> Any:
    """Return a matrix plus the sum of a batch of products: one product, of the batches side by side."""
    first = batch1.transpose(0, 1).flatten(1)
    return torch.addmm(self, first, batch2.flatten(0, 1), beta=beta, alpha=alpha)


def addmm_activation(self: Tensor, mat1: Tensor, mat2: Tensor, beta: float, alpha: float, use_gelu: bool) -> Any:
    """Return a function of a matrix plus a product."""
    total = torch.addmm(self, mat1, mat2, beta=beta, alpha=alpha)
    return torch.nn.functional.gelu(total) if use_gelu else torch.relu(total)


REWRITES = {"_trilinear": trilinear, "addbmm": addbmm, "_addmm_activation": addmm_activation}
