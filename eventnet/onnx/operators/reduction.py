"""Reductions over some axes, places of extremes, running sums, the largest elements."""

from collections.abc import Callable
from typing import Any

import torch

from eventnet.onnx.operators.elementwise import widened
from eventnet.onnx.step import Function, Step, axis_of, listed

Tensor = torch.Tensor
Core = Callable[[Tensor, list[int], bool], Tensor]


def _same(x: Tensor) -> Tensor:
    return x


def _reduction(core: Core, before: Callable[[Tensor], Tensor] = _same, after: Callable[[Tensor], Tensor] = _same) -> Function:
    """Make a reduction of what comes before, over the axes, and after it."""

    def run(step: Step, x: Tensor, given: Tensor | None = None) -> Tensor:
        axes = listed(given) if given is not None else step.get("axes")
        if not axes and step.get("noop_with_empty_axes", 0):
            return after(before(x)).to(x.dtype)
        chosen = sorted({axis_of(axis, x.dim()) for axis in axes}) if axes else list(range(x.dim()))
        return after(core(before(x), chosen, bool(step.get("keepdims", 1)))).to(x.dtype)

    return widened(run)


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keepdim=keep) if axes else x


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    wide = x if x.is_floating_point() else x.double()
    return wide.mean(axes, keepdim=keep) if axes else wide


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in reversed(axes):
        x = x.prod(axis, keepdim=keep)
    return x


def _log_sum_exp(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return torch.logsumexp(x if x.is_floating_point() else x.double(), axes, keepdim=keep) if axes else x


def _extreme(largest: bool) -> Core:
    def core(x: Tensor, axes: list[int], keep: bool) -> Tensor:
        if not axes:
            return x
        if all(x.shape[axis] for axis in axes):
            return x.amax(axes, keepdim=keep) if largest else x.amin(axes, keepdim=keep)
        kept = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keep or axis not in axes]
        return torch.full(kept, _bound(x.dtype, largest), dtype=x.dtype)

    return core


def _bound(kind: torch.dtype, largest: bool) -> float:
    """Return the extreme of no elements."""
    if kind == torch.bool:
        return not largest
    if kind.is_floating_point:
        return float("-inf") if largest else float("inf")
    return torch.iinfo(kind).min if largest else torch.iinfo(kind).max


def _place(largest: bool) -> Function:
    def run(step: Step, x: Tensor) -> Tensor:
        axis, keep = step.get("axis", 0), bool(step.get("keepdims", 1))
        find = torch.argmax if largest else torch.argmin
        if not step.get("select_last_index", 0):
            return find(x, axis, keepdim=keep)
        return torch.rsub(find(x.flip(axis), axis, keepdim=keep), x.shape[axis] - 1)

    return widened(run)


def _running(function: Callable[[Tensor, int], Tensor], neutral: int) -> Function:
    def run(step: Step, x: Tensor, axis: Tensor) -> Tensor:
        along = axis_of(int(axis.item()), x.dim())
        turned = x.flip(along) if step.get("reverse", 0) else x
        if step.get("exclusive", 0):
            first = torch.full_like(turned.narrow(along, 0, min(1, x.shape[along])), neutral)
            turned = torch.cat([first, turned.narrow(along, 0, max(0, x.shape[along] - 1))], along)
        result = function(turned, along).to(x.dtype)
        return result.flip(along) if step.get("reverse", 0) else result

    return run


def _top(step: Step, x: Tensor, count: Tensor | None = None) -> Any:
    axis, many = step.get("axis", -1), int(count.item()) if count is not None else step.get("k")
    values, places = torch.sort(x, stable=True, dim=axis, descending=bool(step.get("largest", 1)))
    return values.narrow(axis, 0, many), places.narrow(axis, 0, many)


OPERATORS: dict[str, Function] = {
    "ArgMax": _place(largest=True),
    "ArgMin": _place(largest=False),
    "CumProd": _running(torch.cumprod, 1),
    "CumSum": _running(torch.cumsum, 0),
    "ReduceL1": _reduction(_sum, before=torch.abs),
    "ReduceL2": _reduction(_sum, before=torch.square, after=torch.sqrt),
    "ReduceLogSum": _reduction(_sum, after=torch.log),
    "ReduceLogSumExp": _reduction(_log_sum_exp),
    "ReduceMax": _reduction(_extreme(largest=True)),
    "ReduceMean": _reduction(_mean),
    "ReduceMin": _reduction(_extreme(largest=False)),
    "ReduceProd": _reduction(_product),
    "ReduceSum": _reduction(_sum),
    "ReduceSumSquare": _reduction(_sum, before=torch.square),
    "TopK": widened(_top),
}
