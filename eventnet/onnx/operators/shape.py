"""Operators that give a tensor another shape or type, and those that make one."""

import math
from typing import Any

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Function, Step, axis_of, integers, listed
from eventnet.onnx.types import TYPES, type_name

Tensor = torch.Tensor


def _reshape(step: Step, x: Tensor, shape: Tensor | None = None) -> Tensor:
    wanted = list(step.get("shape", ())) if shape is None else [int(one) for one in shape.tolist()]
    if not step.get("allowzero", 0):
        wanted = [x.shape[place] if size == 0 else size for place, size in enumerate(wanted)]
    return x.reshape(wanted)


def _transpose(step: Step, x: Tensor) -> Tensor:
    return x.permute(step.get("perm", tuple(reversed(range(x.dim())))))


def _squeeze(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = step.get("axes") if axes is None else listed(axes)
    if chosen is None:
        return x.squeeze()
    for axis in chosen:
        if x.shape[axis] != 1:
            raise ValueError(f"dimension {axis} of size {x.shape[axis]} cannot be squeezed")
    return x.squeeze(tuple(chosen))


def _unsqueeze(step: Step, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = list((step.get("axes") if axes is None else listed(axes)) or ())
    for axis in sorted(axis_of(one, x.dim() + len(chosen)) for one in chosen):
        x = x.unsqueeze(axis)
    return x


def _flatten(step: Step, x: Tensor) -> Tensor:
    axis = step.get("axis", 1)  # up to the number of dimensions, unlike other axes
    return x.reshape(math.prod(x.shape[:axis]), -1 if x.numel() else math.prod(x.shape[axis:]))


def _expand(step: Step, x: Tensor, shape: Tensor) -> Tensor:
    sizes = torch.broadcast_shapes(x.shape, tuple(int(one) for one in shape.tolist()))
    step.check_elements(math.prod(sizes))
    return x.expand(sizes)


def _slice(
    step: Step,
    x: Tensor,
    starts: Tensor | None = None,
    ends: Tensor | None = None,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    begin = listed(starts) or list(step.get("starts", ()))
    end = listed(ends) or list(step.get("ends", ()))
    along = listed(axes) or list(step.get("axes", range(len(begin))))
    by = listed(steps) or [1] * len(begin)
    for axis, first, last, stride in zip(along, begin, end, by, strict=True):
        x = _cut(x, axis_of(axis, x.dim()), range(*slice(first, last, stride).indices(x.shape[axis])))
    return x


def _cut(x: Tensor, axis: int, places: range) -> Tensor:
    """Take evenly spaced places along an axis; a view unless they run backwards."""
    if not places:
        return x.narrow(axis, 0, 0)
    backwards = places.step < 0
    forwards = places[::-1] if backwards else places
    cut = x[(slice(None),) * axis + (slice(forwards[0], forwards[-1] + 1, forwards.step),)]
    return cut.flip(axis) if backwards else cut


def _split(step: Step, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    axis = step.get("axis", 0)
    given = listed(sizes) if sizes is not None else step.get("split")
    if given is not None:
        return tuple(x.split(list(given), axis))
    parts = step.get("num_outputs", step.outputs)
    return tuple(x.split(-(-x.shape[axis] // parts), axis))


def _concat(step: Step, *tensors: Tensor) -> Tensor:
    return torch.cat(tensors, step.get("axis", 1))


def _pad(step: Step, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
    amounts = listed(pads) if pads is not None else list(step.get("pads"))
    assert amounts is not None
    chosen = [axis_of(axis, x.dim()) for axis in listed(axes) or range(x.dim())]
    fill = step.get("value", 0.0) if value is None else value.item()
    mode = step.get("mode", "constant")
    for axis, before, after in zip(chosen, amounts[: len(chosen)], amounts[len(chosen) :], strict=True):
        step.check_elements(x.numel() // max(1, x.shape[axis]) * (x.shape[axis] + before + after))
        if mode == "constant":
            x = F.pad(x, [0, 0] * (x.dim() - 1 - axis) + [before, after], value=fill)
        elif before or after:
            x = x.index_select(axis, integers(_sources(mode, x.shape[axis], before, after)))
    return x


def _sources(mode: str, size: int, before: int, after: int) -> list[int]:
    """Return the place that each place of a padded axis copies."""
    places = range(-before, size + after)
    if mode == "edge":
        return [min(max(place, 0), size - 1) for place in places]
    if mode == "wrap":
        return [place % size for place in places]
    turn = max(1, 2 * (size - 1))
    return [min(place % turn, turn - place % turn) for place in places]


def _shape(step: Step, x: Tensor) -> Tensor:
    return integers(list(x.shape)[slice(step.get("start", 0), step.get("end"))])


def _constant_of_shape(step: Step, shape: Tensor) -> Tensor:
    value, sizes = step.get("value"), [int(one) for one in shape.tolist()]
    step.check_elements(math.prod(sizes))
    if value is None:
        return torch.zeros(sizes)
    fill = value.tolist()  # reads memory: `item` would be an operator on a tensor that nothing has made
    return torch.full(sizes, fill[0] if value.dim() else fill, dtype=value.dtype)


def _range(step: Step, start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    first, last, stride = start.item(), limit.item(), delta.item()
    count = max(0, math.ceil((last - first) / stride))
    step.check_elements(count)
    counted = torch.arange(count, dtype=torch.float64 if start.is_floating_point() else torch.int64)
    return (counted * stride + first).to(start.dtype)


def _tile(step: Step, x: Tensor, repeats: Tensor) -> Tensor:
    many = [int(one) for one in repeats.tolist()]
    step.check_elements(x.numel() * math.prod(many))
    return x.repeat(many)


def _cast(step: Step, x: Tensor) -> Tensor:
    kind = TYPES.get(step.get("to"))
    if kind is None:
        raise step.unsupported(f"elements become {type_name(step.get('to'))}", "a type that PyTorch computes with")
    return x.to(kind)


def _dropout(step: Step, x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None) -> Any:
    share = step.get("ratio", 0.5) if ratio is None else ratio.item()
    if training is not None and bool(training.item()) and share:
        raise step.unsupported("training_mode is true", "inference, in which dropout does nothing")
    return (x, torch.ones_like(x, dtype=torch.bool)) if step.outputs > 1 else x


def _triangle(step: Step, x: Tensor, diagonal: Tensor | None = None) -> Tensor:
    offset = 0 if diagonal is None else int(diagonal.item())
    return torch.triu(x, offset) if step.get("upper", 1) else torch.tril(x, offset)


def _space_to_depth(step: Step, x: Tensor) -> Tensor:
    size = step.get("blocksize")
    n, c, h, w = x.shape
    order = (0, 1, 3, 5, 2, 4) if step.get("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    blocks = x.reshape(n, c, h // size, size, w // size, size).permute(order)
    return blocks.reshape(n, c * size * size, h // size, w // size)


def _depth_to_space(step: Step, x: Tensor) -> Tensor:
    size = step.get("blocksize")
    n, c, h, w = x.shape
    if step.get("mode", "DCR") == "CRD":
        return F.pixel_shuffle(x, size)
    blocks = x.reshape(n, size, size, c // (size * size), h, w).permute(0, 3, 4, 1, 5, 2)
    return blocks.reshape(n, c // (size * size), h * size, w * size)


OPERATORS: dict[str, Function] = {
    "Cast": _cast,
    "CastLike": lambda step, x, like: x.to(like.dtype),
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "DepthToSpace": _depth_to_space,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Identity": lambda step, x: x,
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": lambda step, x: torch.full((), x.numel(), dtype=torch.int64),
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": _tile,
    "Transpose": _transpose,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
}
