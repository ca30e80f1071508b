"""What a convolution of a definition is given, and the ticks DaDianNao takes for it; nothing is computed but shapes."""

from collections.abc import Callable
from math import ceil

import pytest
import torch
from torch import nn

from eventnet import models

# (channels in, input height = width, kernel, stride, padding, groups, filters), as in the table of the six networks.
Convolution = tuple[int, int, int, int, int, int, int]


def calls(model: nn.Module, shape: tuple[int, ...], kind: type[nn.Module]) -> list[tuple[nn.Module, tuple[int, ...]]]:
    """Run a model of meta tensors and return its layers of a kind, each with the shape of its input."""
    found = []
    for module in model.modules():
        if isinstance(module, kind):
            module.register_forward_pre_hook(lambda module, args: found.append((module, tuple(args[0].shape))))
    assert model(torch.empty(shape, device="meta")).shape[0] == 1
    return found


@pytest.fixture
def convolutions(build: Callable[[str], nn.Module]) -> Callable[[str], list[Convolution]]:
    def of(name: str) -> list[Convolution]:
        found = []
        for layer, (_, channels, height, width) in calls(build(name), models.input_shape(name), nn.Conv2d):
            (kernel, kw), (stride, sw), (padding, pw) = layer.kernel_size, layer.stride, layer.padding
            assert (height, kernel, stride, padding) == (width, kw, sw, pw)
            assert layer.bias is not None
            found.append((channels, height, kernel, stride, padding, layer.groups, layer.out_channels))
        return found

    return of


@pytest.fixture
def classifier(build: Callable[[str], nn.Module]) -> Callable[[str], list[int]]:
    """Return the sizes of the linear layers in a row: inputs of the first, then outputs of each."""

    def of(name: str) -> list[int]:
        layers = calls(build(name), models.input_shape(name), nn.Linear)
        return [layers[0][1][1], *(layer.out_features for layer, _ in layers)]

    return of


@pytest.fixture
def dadiannao_ticks() -> Callable[[list[Convolution]], int]:
    """Sum G O^2 ceil(F / 256 G) K^2 ceil(C / 16 G); the first packs operands: O^2 ceil(F / 256) ceil(C K^2 / 16)."""

    def of(convolutions: list[Convolution]) -> int:
        total = 0
        for place, (c, height, k, stride, padding, g, f) in enumerate(convolutions):
            windows = ((height + 2 * padding - k) // stride + 1) ** 2
            if place == 0:
                total += windows * ceil(f / 256) * ceil(c * k * k / 16)
            else:
                total += g * windows * ceil(f / (256 * g)) * k * k * ceil(c / (16 * g))
        return total

    return of
