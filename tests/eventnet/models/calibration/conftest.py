"""Small networks, and zero shares counted without the code under test."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(7)


@pytest.fixture
def picture(generator: torch.Generator) -> Tensor:
    """Return noise on a slope, (1, 3, 20, 20): places differ, as in a photograph."""
    slope = torch.linspace(-1, 1, 20)
    return torch.randn(1, 3, 20, 20, generator=generator) + slope + slope[:, None]


@pytest.fixture
def initialise(generator: torch.Generator) -> Callable[[nn.Module], nn.Module]:
    """Give every layer normal weights of a generator of its own, so that a test does not depend on others."""

    def model(module: nn.Module) -> nn.Module:
        for parameter in module.parameters():
            nn.init.normal_(parameter, std=0.1, generator=generator)
        return module.eval()

    return model


@pytest.fixture
def zero_shares() -> Callable[[nn.Module, Tensor], dict[str, float]]:
    """Run a model and write out the operands of every 2D convolution and linear layer as im2col does."""

    def of(model: nn.Module, x: Tensor) -> dict[str, float]:
        shares = {}

        def hook(name: str) -> Callable[..., None]:
            def write_out(module: nn.Module, args: tuple[Tensor, ...]) -> None:
                operands = args[0]
                if isinstance(module, nn.Conv2d):
                    geometry = (module.kernel_size, module.dilation, module.padding, module.stride)
                    operands = nn.functional.unfold(operands, *geometry)
                shares[name] = float((operands == 0).double().mean())

            return write_out

        handles = [
            module.register_forward_pre_hook(hook(name))
            for name, module in model.named_modules()
            if isinstance(module, nn.Conv2d | nn.Linear)
        ]
        with torch.no_grad():
            model(x)
        for handle in handles:
            handle.remove()
        return shares

    return of
