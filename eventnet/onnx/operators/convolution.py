"""Convolutions, forward and transposed, in one to three dimensions."""

from typing import Any

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Function, Step
from eventnet.onnx.windows import Window, padded, symmetric
from hwmodel.errors import ShapeError

Tensor = torch.Tensor
CONVOLUTIONS: dict[int, Any] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
TRANSPOSED: dict[int, Any] = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _check(step: Step, x: Tensor, weight: Tensor) -> int:
    """Return the number of spatial dimensions, after a look at what the node says of its weights."""
    dimensions = weight.dim() - 2
    if dimensions not in CONVOLUTIONS or x.dim() != weight.dim():
        raise ShapeError(
            f"{step.where}: the weights have {weight.dim()} dimensions and the input {x.dim()}, expected 3 to 5, the same for "
            "both. Repair the file."
        )
    said = step.get("kernel_shape")
    if said is not None and tuple(said) != tuple(weight.shape[2:]):
        raise ShapeError(
            f"{step.where}: kernel_shape is {tuple(said)}, expected {tuple(weight.shape[2:])} as of the weights. "
            "Repair the file."
        )
    return dimensions


def _convolution(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    dimensions = _check(step, x, weight)
    window = Window.of(step, tuple(weight.shape[2:]), tuple(x.shape[2:]))
    both = symmetric(window.before, window.after)
    if both is None:
        x, both = padded(x, window.before, window.after, 0.0), (0,) * dimensions
    groups = step.get("group", 1)
    result: Tensor = CONVOLUTIONS[dimensions](x, weight, bias, window.strides, both, window.dilations, groups)
    return result


def _transposed(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    dimensions = _check(step, x, weight)
    strides = tuple(step.get("strides", (1,) * dimensions))
    dilations = tuple(step.get("dilations", (1,) * dimensions))
    more = tuple(step.get("output_padding", (0,) * dimensions))
    full = [
        stride * (size - 1) + extra + (kernel - 1) * dilation + 1
        for size, stride, extra, kernel, dilation in zip(x.shape[2:], strides, more, weight.shape[2:], dilations, strict=True)
    ]
    before, after = _cropped(step, full, [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)])
    both = symmetric(before, after)
    transposed, groups = TRANSPOSED[dimensions], step.get("group", 1)
    if both is not None and min(both) >= 0:
        result: Tensor = transposed(x, weight, bias, strides, both, more, groups, dilations)
        return result
    result = transposed(x, weight, None, strides, (0,) * dimensions, more, groups, dilations)
    cropped = padded(result, [-one for one in before], [-one for one in after], 0.0)
    return cropped if bias is None else cropped + bias.reshape(-1, *[1] * dimensions)


def _cropped(step: Step, full: list[int], same: list[int]) -> tuple[list[int], list[int]]:
    """Return how much of the full result is cut off at both ends of each dimension."""
    dimensions, auto = len(full), step.get("auto_pad", "NOTSET")
    wanted = step.get("output_shape")
    if wanted is None and auto not in ("SAME_UPPER", "SAME_LOWER"):
        pads = step.get("pads", (0,) * 2 * dimensions) if auto == "NOTSET" else (0,) * 2 * dimensions
        return list(pads[:dimensions]), list(pads[dimensions:])
    wanted = same if wanted is None else list(wanted)[-dimensions:]
    totals = [size - want for size, want in zip(full, wanted, strict=True)]
    half = [total // 2 for total in totals]
    rest = [total - one for total, one in zip(totals, half, strict=True)]
    return (half, rest) if auto == "SAME_UPPER" else (rest, half)


def _causal(step: Step, x: Tensor, weight: Tensor, bias: Tensor | None = None, past: Tensor | None = None) -> Any:
    """Convolve each channel by itself with what came before; return the result and the last inputs."""
    reach = weight.shape[2] - 1
    whole = F.pad(x, [reach, 0]) if past is None else torch.cat([past, x], 2)
    y = F.conv1d(whole, weight, bias, groups=x.shape[1])
    if step.get("activation", "none") in ("silu", "swish"):
        y = F.silu(y.float()).to(y.dtype)
    return y, whole.narrow(2, whole.shape[2] - reach, reach)


OPERATORS: dict[str, Function] = {"CausalConvWithState": _causal, "Conv": _convolution, "ConvTranspose": _transposed}
