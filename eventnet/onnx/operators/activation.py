"""Activation functions, softmax among them. The names and defaults of their attributes are the standard's."""

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Function, Step

Tensor = torch.Tensor


def _elu(step: Step, x: Tensor) -> Tensor:
    return F.elu(x, step.get("alpha", 1.0))


def _celu(step: Step, x: Tensor) -> Tensor:
    return F.celu(x, step.get("alpha", 1.0))


def _selu(step: Step, x: Tensor) -> Tensor:
    alpha, gamma = step.get("alpha", 1.67326319217681884765625), step.get("gamma", 1.05070102214813232421875)
    return torch.mul(F.elu(x, alpha), gamma)


def _leaky_relu(step: Step, x: Tensor) -> Tensor:
    return F.leaky_relu(x, step.get("alpha", 0.01))


def _prelu(step: Step, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, slope * x, x)


def _hard_sigmoid(step: Step, x: Tensor) -> Tensor:
    return torch.clamp(step.get("alpha", 0.2) * x + step.get("beta", 0.5), 0, 1)


def _thresholded_relu(step: Step, x: Tensor) -> Tensor:
    return F.threshold(x, step.get("alpha", 1.0), 0.0)


def _shrink(step: Step, x: Tensor) -> Tensor:
    bias, threshold = step.get("bias", 0.0), step.get("lambd", 0.5)
    outside = torch.where(x > threshold, x - bias, torch.zeros_like(x))
    return torch.where(x < -threshold, x + bias, outside).to(x.dtype)


def _gelu(step: Step, x: Tensor) -> Tensor:
    return F.gelu(x, approximate=step.get("approximate", "none"))


def _swish(step: Step, x: Tensor) -> Tensor:
    return x * torch.sigmoid(step.get("alpha", 1.0) * x)


def _along(step: Step, x: Tensor) -> tuple[Tensor, int]:
    """Return the tensor and the axis to normalise: before opset 13 it was flattened to a matrix."""
    if step.opset >= 13:
        return x, step.get("axis", -1)
    axis = step.get("axis", 1)
    return x.flatten(0, axis - 1).flatten(1) if axis else x.reshape(1, -1), -1


def _softmax(step: Step, x: Tensor) -> Tensor:
    flat, axis = _along(step, x)
    return torch.softmax(flat, axis).reshape(x.shape)


def _log_softmax(step: Step, x: Tensor) -> Tensor:
    flat, axis = _along(step, x)
    return torch.log_softmax(flat, axis).reshape(x.shape)


def _hardmax(step: Step, x: Tensor) -> Tensor:
    flat, axis = _along(step, x)
    first = torch.argmax(flat, axis, keepdim=True)
    return torch.zeros_like(flat).scatter(axis, first, 1.0).reshape(x.shape)


OPERATORS: dict[str, Function] = {
    "Celu": _celu,
    "Elu": _elu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda step, x: F.hardswish(x),
    "Hardmax": _hardmax,
    "LeakyRelu": _leaky_relu,
    "LogSoftmax": _log_softmax,
    "Mish": lambda step, x: F.mish(x),
    "PRelu": _prelu,
    "Relu": lambda step, x: torch.relu(x),
    "Selu": _selu,
    "Shrink": _shrink,
    "Sigmoid": lambda step, x: torch.sigmoid(x),
    "Softmax": _softmax,
    "Softplus": lambda step, x: F.softplus(x),
    "Softsign": lambda step, x: F.softsign(x),
    "SwiGLU": lambda step, gate, x: _swish(step, gate) * x,
    "Swish": _swish,
    "ThresholdedRelu": _thresholded_relu,
}
