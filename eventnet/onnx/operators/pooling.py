"""Pooling: the plain cases by PyTorch's own functions, all others over a view of the windows."""

import math
from typing import Any

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Function, Step
from eventnet.onnx.windows import Window, symmetric, unfolded

Tensor = torch.Tensor
LARGEST: dict[int, Any] = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE: dict[int, Any] = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def _window(step: Step, x: Tensor) -> Window:
    return Window.of(step, tuple(step.get("kernel_shape")), tuple(x.shape[2:]))


def _plain(window: Window, x: Tensor) -> tuple[int, ...] | None:
    """Return the padding of a pooling that PyTorch's own functions can do, or None."""
    both = symmetric(window.before, window.after)
    if both is None or len(window.kernel) not in LARGEST or not x.is_floating_point():
        return None
    return both if all(2 * pad <= size for pad, size in zip(both, window.kernel, strict=True)) else None


def _kernel_axes(window: Window) -> tuple[int, ...]:
    return tuple(range(-len(window.kernel), 0))


def _lowest(kind: torch.dtype) -> float:
    return -math.inf if kind.is_floating_point else torch.iinfo(kind).min


def _max_pool(step: Step, x: Tensor) -> Any:
    window = _window(step, x)
    both = _plain(window, x)
    if step.outputs == 1:
        if both is not None:
            ceil = any(window.beyond)
            return LARGEST[len(window.kernel)](x, window.kernel, window.strides, both, window.dilations, ceil_mode=ceil)
        return unfolded(x, window, _lowest(x.dtype)).amax(_kernel_axes(window))
    windows = unfolded(x, window, _lowest(x.dtype)).flatten(-len(window.kernel))
    best = windows.argmax(-1, keepdim=True)
    places = unfolded(_places(x, bool(step.get("storage_order", 0))), window, -1).flatten(-len(window.kernel))
    return windows.gather(-1, best).squeeze(-1), places.gather(-1, best).squeeze(-1)


def _places(x: Tensor, columns_first: bool) -> Tensor:
    """Return the place of every element in the flattened tensor."""
    places = torch.arange(x.numel(), dtype=torch.int64)
    if not columns_first:
        return places.reshape(x.shape)
    back = [0, 1, *reversed(range(2, x.dim()))]
    return places.reshape([x.shape[axis] for axis in back]).permute(back)


def _average_pool(step: Step, x: Tensor) -> Tensor:
    window = _window(step, x)
    both, counted = _plain(window, x), bool(step.get("count_include_pad", 0))
    if both is not None and not any(window.beyond) and all(one == 1 for one in window.dilations):
        result: Tensor = AVERAGE[len(window.kernel)](x, window.kernel, window.strides, both, count_include_pad=counted)
        return result
    return unfolded(x, window, 0.0).sum(_kernel_axes(window)) / _counts(x, window, counted)


def _counts(x: Tensor, window: Window, counted: bool) -> Tensor:
    """Return how many elements each window averages; beyond the padding nothing is counted."""
    ones = torch.ones_like(x[:1, :1])
    if counted:
        sizes = [size + low + high for size, low, high in zip(x.shape[2:], window.before, window.after, strict=True)]
        ones = torch.ones((1, 1, *sizes), dtype=x.dtype)
        none = (0,) * len(sizes)
        window = Window(window.kernel, window.strides, window.dilations, none, none, window.outputs, window.beyond)
    return unfolded(ones, window, 0.0).sum(_kernel_axes(window))


def _lp_pool(step: Step, x: Tensor) -> Tensor:
    window, p = _window(step, x), step.get("p", 2)
    return unfolded(x, window, 0.0).abs().pow(p).sum(_kernel_axes(window)).pow(1 / p)


def _max_unpool(step: Step, x: Tensor, places: Tensor, shape: Tensor | None = None) -> Tensor:
    dimensions = x.dim() - 2
    kernel, ones = step.get("kernel_shape"), (1,) * dimensions
    strides, pads = step.get("strides", ones), step.get("pads", (0,) * 2 * dimensions)
    sizes = [
        (size - 1) * stride + one - low - high
        for size, stride, one, low, high in zip(x.shape[2:], strides, kernel, pads[:dimensions], pads[dimensions:], strict=True)
    ]
    inner = [*x.shape[:2], *sizes]
    full = torch.zeros(math.prod(inner), dtype=x.dtype).scatter(0, places.flatten(), x.flatten()).reshape(inner)
    if shape is None:
        return full
    wanted = [int(one) for one in shape.tolist()]
    more = [one - size for one, size in zip(reversed(wanted), reversed(inner), strict=True)]
    return F.pad(full, [pad for one in more for pad in (0, one)])


def _spatial(x: Tensor) -> list[int]:
    return list(range(2, x.dim()))


OPERATORS: dict[str, Function] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda step, x: x.mean(_spatial(x), keepdim=True),
    "GlobalLpPool": lambda step, x: torch.linalg.vector_norm(x, step.get("p", 2), _spatial(x), keepdim=True),
    "GlobalMaxPool": lambda step, x: x.amax(_spatial(x), keepdim=True),
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
    "MaxUnpool": _max_unpool,
}
