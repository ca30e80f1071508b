"""Gathering and scattering: embeddings, elements, slices."""

import math

import torch

from eventnet.onnx.operators.elementwise import widened
from eventnet.onnx.step import Function, Step, axis_of

Tensor = torch.Tensor
REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _from_front(indices: Tensor, size: int) -> Tensor:
    """Count negative indices from the front."""
    wide = indices.to(torch.int64)
    return torch.where(wide < 0, wide + size, wide)


def _gather(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    axis = axis_of(step.get("axis", 0), x.dim())
    rows = x.index_select(axis, _from_front(indices, x.shape[axis]).flatten())
    return rows.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def _gather_elements(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    axis = axis_of(step.get("axis", 0), x.dim())
    return x.gather(axis, _from_front(indices, x.shape[axis]))


def _rows(indices: Tensor, shape: list[int]) -> Tensor:
    """Return the number of the slice that each tuple of indices names, of a tensor with these leading sizes."""
    rows = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for place, size in enumerate(shape):
        one = _from_front(indices[..., place], size)
        if one.numel() and not 0 <= int(one.min()) <= int(one.max()) < size:
            raise IndexError(f"an index is out of the range of {size}")
        rows = rows * size + one
    return rows


def _gather_nd(step: Step, x: Tensor, indices: Tensor) -> Tensor:
    batches, depth = step.get("batch_dims", 0), indices.shape[-1]
    outer, named = list(x.shape[:batches]), list(x.shape[batches : batches + depth])
    rest = list(x.shape[batches + depth :])
    count = math.prod(outer)
    rows = _rows(indices, named).reshape(count, -1)
    rows = rows + torch.arange(count, dtype=torch.int64).reshape(-1, 1) * math.prod(named)
    slices = x.reshape(-1, *rest).index_select(0, rows.flatten())
    return slices.reshape([*indices.shape[:-1], *rest])


def _scattered(step: Step, x: Tensor, axis: int, indices: Tensor, updates: Tensor) -> Tensor:
    reduction = step.get("reduction", "none")
    if reduction == "none":
        return x.scatter(axis, indices, updates)
    return x.scatter_reduce(axis, indices, updates, REDUCTIONS[reduction], include_self=True)


def _scatter_elements(step: Step, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    axis = axis_of(step.get("axis", 0), x.dim())
    return _scattered(step, x, axis, _from_front(indices, x.shape[axis]), updates)


def _scatter_nd(step: Step, x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    depth = indices.shape[-1]
    rows = _rows(indices, list(x.shape[:depth])).reshape(-1, 1)
    flat = x.reshape(math.prod(x.shape[:depth]), -1)
    return _scattered(step, flat, 0, rows.expand(-1, flat.shape[1]), updates.reshape(-1, flat.shape[1])).reshape(x.shape)


def _one_hot(step: Step, indices: Tensor, depth: Tensor, values: Tensor) -> Tensor:
    classes = int(depth.flatten()[0].item())
    step.check_elements(indices.numel() * classes)
    axis = axis_of(step.get("axis", -1), indices.dim() + 1)
    wide = _from_front(indices, classes).unsqueeze(axis)
    shape = [-1 if place == axis else 1 for place in range(wide.dim())]
    hot = wide == torch.arange(classes, dtype=torch.int64).reshape(shape)
    return torch.where(hot, values[1], values[0])


OPERATORS: dict[str, Function] = {
    "Gather": widened(_gather),
    "GatherElements": widened(_gather_elements),
    "GatherND": widened(_gather_nd),
    "NonZero": lambda step, x: x.nonzero().mT,
    "OneHot": _one_hot,
    "Scatter": widened(_scatter_elements),
    "ScatterElements": widened(_scatter_elements),
    "ScatterND": widened(_scatter_nd),
}
