"""Normalisations."""

from typing import Any

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Function, Step, axis_of

Tensor = torch.Tensor


def _batch_norm(step: Step, x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor) -> Any:
    epsilon = step.get("epsilon", 1e-5)
    if not step.get("training_mode", 0):
        return F.batch_norm(x, mean.to(x.dtype), variance.to(x.dtype), scale.to(x.dtype), bias.to(x.dtype), eps=epsilon)
    axes = [axis for axis in range(x.dim()) if axis != 1]
    now_mean, now_variance = x.mean(axes), x.var(axes, correction=0)
    keep = step.get("momentum", 0.9)
    y = F.batch_norm(x, now_mean, now_variance, scale, bias, eps=epsilon)
    return y, mean * keep + now_mean * (1 - keep), variance * keep + now_variance * (1 - keep)


def _stashed(step: Step, x: Tensor) -> Tensor:
    """Return the input in the type that the statistics are computed in."""
    return x.float() if step.get("stash_type", 1) == 1 and x.dtype in (torch.float16, torch.bfloat16) else x


def _layer_norm(step: Step, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Any:
    axis, epsilon = axis_of(step.get("axis", -1), x.dim()), step.get("epsilon", 1e-5)
    wide = _stashed(step, x)
    normal = F.layer_norm(wide, list(x.shape[axis:]), eps=epsilon).to(x.dtype) * scale
    y = normal if bias is None else normal + bias
    if step.outputs == 1:
        return y
    axes = list(range(axis, x.dim()))
    mean, variance = wide.mean(axes, keepdim=True), wide.var(axes, correction=0, keepdim=True)
    return y, mean, torch.rsqrt(variance + epsilon)


def _rms_norm(step: Step, x: Tensor, scale: Tensor) -> Tensor:
    axis = axis_of(step.get("axis", -1), x.dim())
    wide = _stashed(step, x)
    square = wide.square().mean(list(range(axis, x.dim())), keepdim=True)
    return (wide * torch.rsqrt(square + step.get("epsilon", 1e-5))).to(x.dtype) * scale


def _group_norm(step: Step, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    groups = step.get("num_groups")
    if step.opset < 21:  # one scale for each group
        scale, bias = (one.repeat_interleave(x.shape[1] // groups) for one in (scale, bias))
    return F.group_norm(_stashed(step, x), groups, None, None, step.get("epsilon", 1e-5)).to(x.dtype) * _channels(
        scale, x
    ) + _channels(bias, x)


def _instance_norm(step: Step, x: Tensor, scale: Tensor, bias: Tensor) -> Tensor:
    return F.group_norm(x, x.shape[1], scale, bias, step.get("epsilon", 1e-5))


def _channels(vector: Tensor, x: Tensor) -> Tensor:
    return vector.reshape(-1, *[1] * (x.dim() - 2))


def _response_norm(step: Step, x: Tensor) -> Tensor:
    size, alpha, beta = step.get("size"), step.get("alpha", 1e-4), step.get("beta", 0.75)
    before = (size - 1) // 2
    padded = F.pad(x.square(), [0, 0] * (x.dim() - 2) + [before, size - 1 - before])
    window = padded.unfold(1, size, 1).sum(-1)
    return x / torch.pow(step.get("bias", 1.0) + alpha / size * window, beta)


def _lp_norm(step: Step, x: Tensor) -> Tensor:
    axis, p = step.get("axis", -1), step.get("p", 2)
    length = torch.linalg.vector_norm(x, p, axis, keepdim=True)
    return torch.where(length == 0, torch.zeros_like(x), x / length)


def _mean_variance_norm(step: Step, x: Tensor) -> Tensor:
    axes = list(step.get("axes", (0, 2, 3)))
    return (x - x.mean(axes, keepdim=True)) / (x.var(axes, correction=0, keepdim=True).sqrt() + 1e-9)


OPERATORS: dict[str, Function] = {
    "BatchNormalization": _batch_norm,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": _instance_norm,
    "LRN": _response_norm,
    "LayerNormalization": _layer_norm,
    "LpNormalization": _lp_norm,
    "MeanVarianceNormalization": _mean_variance_norm,
    "RMSNormalization": _rms_norm,
}
