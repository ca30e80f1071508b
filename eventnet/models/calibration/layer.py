"""A layer that multiplies, as calibration sees it."""

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.conv import _ConvNd

MultiplyingLayer = _ConvNd | nn.Linear


@dataclass(frozen=True)
class Layer:
    """One convolution or linear layer of a watched run.

    Parameters
    ----------
    name
        Its path in the model.
    module
        The layer itself.
    producers
        Names of the layers whose outputs reach its operands with no other such layer in between, in execution order;
        empty if its operands come straight from the input.
    calls
        How many times it was called in the run.
    """

    name: str
    module: MultiplyingLayer
    producers: tuple[str, ...]
    calls: int
