"""The layers of a model as hand-made tasks, dense or with zeros placed independently."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from eventnet import models
from hwmodel.task import Task
from hwmodel.vector import VectorTask

PRODUCTS = nn.Conv2d | nn.Linear
VECTORS = {nn.MaxPool2d: "pool", nn.AvgPool2d: "pool", nn.AdaptiveAvgPool2d: "pool", nn.LocalResponseNorm: "norm"}


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer of a model, and the shape of what goes into it."""

    name: str
    module: PRODUCTS
    input_shape: tuple[int, ...]
    first: bool

    def task(self, zero_fraction: float | None = None, generator: np.random.Generator | None = None) -> Task:
        """Make the layer's task, dense or with a share of its multiplications' operands zero, padding included.

        The zeros that padding does not already give are placed independently of each other on the neurons.
        """
        module = self.module
        mask: NDArray[np.bool_] | tuple[int, ...] = self.input_shape
        if zero_fraction is not None:
            assert generator is not None
            dense = self.task()
            inside = dense.uses_per_operand.sum() / (dense.groups * dense.windows * dense.operands)
            mask = generator.random(self.input_shape) < (1 - zero_fraction) / inside
        if isinstance(module, nn.Linear):
            return Task.matmul(mask, (module.in_features, module.out_features), name=self.name)
        geometry: dict[str, Any] = {name: getattr(module, name) for name in ("stride", "padding", "dilation", "groups")}
        return Task.convolution(mask, tuple(module.weight.shape), **geometry, first_layer=self.first, name=self.name)


def layers(model_name: str) -> Iterator[Layer]:
    """Yield the convolutions and linear layers of a model in the order in which they run."""
    calls = [(name, module, shape) for name, module, shape in _calls(model_name) if isinstance(module, PRODUCTS)]
    for number, (name, module, shape) in enumerate(calls):
        yield Layer(name, module, shape, first=number == 0)


def vector_tasks(model_name: str) -> Iterator[VectorTask]:
    """Yield the pooling and normalisation of a model in the order in which they run."""
    for name, module, shape in _calls(model_name):
        op = VECTORS.get(type(module))
        if op is not None:
            yield VectorTask(op, math.prod(shape), name=name)


def _calls(model_name: str) -> list[tuple[str, nn.Module, tuple[int, ...]]]:
    """List the calls of a model's innermost modules: name, module, and the shape of what goes in without its batch.

    Found by running the model without data, on PyTorch's meta device.
    """
    model = models.load(model_name).to("meta")
    found: list[tuple[str, nn.Module, tuple[int, ...]]] = []

    def note(name: str, module: nn.Module, args: tuple[torch.Tensor, ...]) -> None:
        found.append((name, module, tuple(args[0].shape[1:])))

    for name, module in model.named_modules():
        if not list(module.children()):
            module.register_forward_pre_hook(partial(note, name))
    with torch.no_grad():
        model(torch.empty(models.input_shape(model_name), device="meta"))
    return found
