"""Count the operands of a layer's multiplications, and how many of them are zero, padding included."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from eventnet.models.calibration.layer import MultiplyingLayer


@dataclass(frozen=True)
class OperandCount:
    """Operands of one or more calls: ``zeros`` of ``total`` are zero; they repeat ``activations`` values."""

    zeros: int
    total: int
    activations: int

    def __add__(self, other: "OperandCount") -> "OperandCount":
        return OperandCount(self.zeros + other.zeros, self.total + other.total, self.activations + other.activations)

    @property
    def zero_share(self) -> float:
        """Return the share of the operands that are zero."""
        return self.zeros / self.total


NO_OPERANDS = OperandCount(0, 0, 0)


def count(layer: MultiplyingLayer, activations: Tensor) -> OperandCount:
    """Count the activation operands of one call, each as often as windows cover it.

    Parameters
    ----------
    layer
        A convolution of one, two or three dimensions, plain or transposed, or a linear layer.
    activations
        The layer's input: (N, C, *spatial) or (C, *spatial) for a convolution, (*, C) for a linear layer.

    Returns
    -------
    OperandCount
        For a convolution the elements of im2col, C times KH KW times OH OW a sample, of which those that lie in the
        zero padding are zeros; for other layers the activations. A NaN is no zero, a negative zero is one.

    Notes
    -----
    How often windows cover a place is the outer product of how often they cover each coordinate: im2col is not made.
    """
    if isinstance(layer, nn.Linear | _ConvTransposeNd):
        # A transposed convolution multiplies each activation by its whole kernel: no windows, no padded operands.
        zeros = activations.numel() - int(torch.count_nonzero(activations))
        return OperandCount(zeros, activations.numel(), activations.numel())
    return _count_windows(layer, activations)


def _count_windows(layer: _ConvNd, activations: Tensor) -> OperandCount:
    dimensions = len(layer.kernel_size)
    padding = _padding(layer)
    read = activations
    if layer.padding_mode != "zeros":
        # Reflected, replicated or wrapped padding repeats activations: they are operands like any other.
        read = F.pad(activations, [side for pair in reversed(padding) for side in pair], mode=layer.padding_mode)
        padding = [(0, 0)] * dimensions
    sizes = read.shape[-dimensions:]
    nonzeros = (read != 0).reshape(-1, *sizes).sum(dim=0)
    total = read.shape[:-dimensions].numel()
    for axis in reversed(range(dimensions)):
        coverage = window_coverage(
            sizes[axis], layer.kernel_size[axis], layer.stride[axis], padding[axis], layer.dilation[axis]
        )
        nonzeros = (nonzeros * coverage.to(nonzeros.device)).sum(dim=-1)
        total *= _windows(sizes[axis], layer.kernel_size[axis], layer.stride[axis], padding[axis], layer.dilation[axis])
        total *= layer.kernel_size[axis]
    return OperandCount(total - int(nonzeros), total, activations.numel())


def window_coverage(size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> Tensor:
    """Count, for each coordinate of one dimension, the windows that read it: shape (size,), int64.

    Examples
    --------
    >>> window_coverage(size=5, kernel=3, stride=1, padding=(1, 1), dilation=1).tolist()
    [2, 3, 3, 3, 2]
    """
    starts = torch.arange(_windows(size, kernel, stride, padding, dilation)) * stride - padding[0]
    coordinates = (starts[:, None] + torch.arange(kernel) * dilation).flatten()
    inside = coordinates[(coordinates >= 0) & (coordinates < size)]
    return torch.bincount(inside, minlength=size)


def _windows(size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int) -> int:
    return (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1


def _padding(layer: _ConvNd) -> list[tuple[int, int]]:
    """Return the padding before and after each dimension."""
    if layer.padding == "valid":
        return [(0, 0)] * len(layer.kernel_size)
    if layer.padding == "same":
        # PyTorch puts the odd one after.
        spans = [step * (kernel - 1) for step, kernel in zip(layer.dilation, layer.kernel_size, strict=True)]
        return [(span // 2, span - span // 2) for span in spans]
    return [(side, side) for side in layer.padding if not isinstance(side, str)]
