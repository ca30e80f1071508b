"""Find network definitions by their presence in `networks`, and give them weights."""

import importlib
import pkgutil
from types import ModuleType

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from eventnet.models import networks
from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError, UnknownNameError


def names() -> list[str]:
    """List every model's name, sorted.

    Examples
    --------
    >>> names()[:3]
    ['alexnet', 'cnnm', 'cnns']
    """
    return sorted(found.name for found in pkgutil.iter_modules(networks.__path__))


def load(name: str, seed: int = 0) -> nn.Module:
    """Make a model with He-initialised random weights and zero biases, in eval mode.

    Parameters
    ----------
    name
        One of `names()`.
    seed
        Seed of the weights' own generator; torch's global random state is neither used nor changed.

    Returns
    -------
    nn.Module
        Takes a float32 tensor of shape `input_shape(name)` and returns logits, without a softmax.

    Raises
    ------
    UnknownNameError
        If no model has that name.
    ParameterError
        If the seed is not an integer from 0 to 2**63 - 1.

    Notes
    -----
    Cost: about a second for the 144 million weights of vgg19, less for every other model.
    Source of the weights' spread: K. He et al., Delving Deep into Rectifiers, ICCV 2015, equation 10.

    Examples
    --------
    >>> model = load("lenet5")
    >>> tuple(model(torch.zeros(input_shape("lenet5"))).shape)
    (1, 10)
    """
    definition = _definition("load", name)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ParameterError(
            f"eventnet.models.load: seed is {seed!r}, expected an integer from 0 to 2**63 - 1. Leave it out for seed 0."
        )
    # Layers draw default weights from the global generator when they are made; on the meta device they draw nothing.
    with torch.device("meta"):
        model: nn.Module = definition.build()
    model.to_empty(device="cpu")
    _initialise(model, torch.Generator().manual_seed(seed))
    return model.eval()


def input_shape(name: str) -> tuple[int, ...]:
    """Return the shape of one sample for a model, as (1, channels, height, width).

    Raises
    ------
    UnknownNameError
        If no model has that name.

    Examples
    --------
    >>> input_shape("alexnet")
    (1, 3, 227, 227)
    """
    shape: tuple[int, ...] = _definition("input_shape", name).INPUT_SHAPE
    return shape


def _definition(function: str, name: str) -> ModuleType:
    if name not in names():
        raise UnknownNameError(
            f"eventnet.models.{function}: no model is called {name!r}, {expected_one_of(str(name), names())}"
        )
    return importlib.import_module(f"{networks.__name__}.{name}")


def _initialise(model: nn.Module, generator: torch.Generator) -> None:
    for layer in model.modules():
        if isinstance(layer, _ConvNd | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
