"""What `eventnet run MODEL` runs: a model by name, or one that a function in a file makes."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eventnet import models
from hwmodel.errors import DataError, ParameterError, UnknownNameError

LARGEST_SIZE = 8192  # a float32 picture of 800 MB


@dataclass(frozen=True)
class Program:
    """A model, its inputs, and a remark for the reader."""

    model: Callable[..., Any]
    inputs: tuple[Any, ...]
    remark: str


def program(model: str, image: str | None, size: int | None, zero_fraction: float | None) -> Program:
    """Make the model and its inputs.

    Parameters
    ----------
    model
        A name from `eventnet.models.names`, or ``file.py:factory``: a function without arguments that returns a module, or a
        pair of a module and its inputs.
    image
        A picture to run it on; None for a photograph that ships with scikit-image, or the factory's own inputs.
    size
        To how many pixels a side the picture is scaled; None for what the model takes.
    zero_fraction
        Set the biases such that each layer has this share of zero operands; None to leave them.

    Raises
    ------
    UnknownNameError
        If there is no such model.
    DataError
        If the file or the picture cannot be read, or holds no such function.
    ParameterError
        If the factory's model comes without inputs and no picture is given.
    """
    remark = ""
    if size is not None and not 1 <= size <= LARGEST_SIZE:
        raise ParameterError(f"eventnet run: --size is {size}, expected 1 to {LARGEST_SIZE} pixels a side.")
    if ":" in model or model.endswith(".py"):
        module, inputs = _from_file(model)
        if image is not None or inputs is None:
            if image is None:
                raise ParameterError(
                    f"eventnet run: {model} makes a model without inputs, expected a picture with --image FILE, or a factory "
                    "that returns a pair of the model and its inputs."
                )
            inputs = (models.image(image, size or 224),)
    else:
        trained = model == "lenet5"
        module = models.trained_lenet5() if trained else models.load(model)
        shape = models.input_shape(model)
        if not trained:
            remark = f"{model} has random weights (none can be had offline): its zeros are not those of the trained network"
        inputs = (_picture(image, (shape[1], size or shape[2])),)
    if zero_fraction is not None:
        if not isinstance(module, nn.Module):
            raise ParameterError(f"eventnet run: {model} is a function, expected a module for --zero-fraction.")
        models.calibrate(module, inputs[0], zero_fraction)
        remark = f"biases are set such that {zero_fraction:.0%} of each layer's operands are zero on this input"
    return Program(module, inputs, remark)


def described(error: BaseException) -> str:
    """Say what an exception is, in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _picture(image: str | None, shape: tuple[int, int]) -> torch.Tensor:
    channels, size = shape
    if image is not None:
        return models.image(image, size, grey=channels == 1)
    picture = models.photo("astronaut", size)
    return picture.mean(dim=1, keepdim=True) if channels == 1 else picture


def _from_file(model: str) -> tuple[Any, tuple[Any, ...] | None]:
    path, _, factory = model.partition(":")
    if not Path(path).is_file():
        raise DataError(f"eventnet run: there is no file {path!r}, expected MODEL as a name or file.py:factory.")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise DataError(f"eventnet run: {path!r} is no Python file, expected MODEL as a name or file.py:factory.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise DataError(f"eventnet run: {path!r} raises {described(error)} when it is read. Mend it first.") from None
    make = getattr(module, factory, None)
    if not callable(make):
        known = sorted(name for name, one in vars(module).items() if callable(one) and not name.startswith("_"))
        raise UnknownNameError(
            f"eventnet run: {path!r} has no function {factory!r}, expected one of {', '.join(known) or '(it has none)'}."
        )
    try:
        made = make()
    except (Exception, SystemExit) as error:
        raise DataError(f"eventnet run: {model} raises {described(error)}. Mend it first.") from None
    if isinstance(made, tuple) and len(made) == 2 and callable(made[0]):
        inputs = made[1]
        return made[0], tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,)
    if not callable(made):
        raise DataError(
            f"eventnet run: {model} returns {type(made).__name__}, expected a module, or a pair of a module and its inputs."
        )
    return made, None
