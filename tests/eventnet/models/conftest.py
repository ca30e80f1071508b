"""Definitions, models with an input, and a cache folder that is nobody's."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from eventnet import models


@pytest.fixture
def build() -> Callable[[str], nn.Module]:
    """Build a definition without memory for its weights."""

    def of(name: str) -> nn.Module:
        with torch.device("meta"):
            model: nn.Module = importlib.import_module(f"eventnet.models.networks.{name}").build()
        return model.eval()

    return of


@pytest.fixture
def load() -> Callable[[str], tuple[nn.Module, Tensor]]:
    def of(name: str) -> tuple[nn.Module, Tensor]:
        x = torch.randn(models.input_shape(name), generator=torch.Generator().manual_seed(1))
        return models.load(name).requires_grad_(False), x

    return of


@dataclass(frozen=True)
class Trained:
    """LeNet-5 trained under no_grad, and the random state, threads and grad mode before and after it."""

    model: nn.Module
    before: tuple[list[int], int, bool]
    after: tuple[list[int], int, bool]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Train once, for these seconds are the longest of the suite."""
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        before = (torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled())
        model = models.trained_lenet5()
        return Trained(model, before, (torch.get_rng_state().tolist(), torch.get_num_threads(), torch.is_grad_enabled()))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the tests out of the user's own cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "eventnet"
