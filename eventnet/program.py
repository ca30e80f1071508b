"""What `eventnet run MODEL` runs: a model by name, one in an ONNX file, or one that a function in a Python file makes."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from eventnet import models
from eventnet.load import load
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
        A name from `eventnet.models.names`, or ``model.onnx``, or ``file.py:factory``: a function without arguments that
        returns a module, or a pair of a module and its inputs.
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
        If the factory's model comes without inputs and no picture is given, or the ONNX file's takes no picture.
    """
    remark = ""
    if size is not None and not 1 <= size <= LARGEST_SIZE:
        raise ParameterError(f"eventnet run: --size is {size}, expected 1 to {LARGEST_SIZE} pixels a side.")
    if model.endswith(".onnx"):
        module, inputs = _from_onnx(model, image, size)
    elif ":" in model or model.endswith(".py"):
        module, own = _from_file(model)
        if image is None and own is None:
            raise ParameterError(
                f"eventnet run: {model} makes a model without inputs, expected a picture with --image FILE, or a factory "
                "that returns a pair of the model and its inputs."
            )
        inputs = (models.image(image, size or 224),) if image is not None else own or ()
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


def _from_onnx(model: str, image: str | None, size: int | None) -> tuple[Any, tuple[Any, ...]]:
    module: Any = load(model)
    return module, (_picture(image, _picture_shape(model, module.inputs, size)),)


def _picture_shape(model: str, inputs: tuple[Any, ...], size: int | None) -> tuple[int, int]:
    """Return the channels and the size of the one square picture that an ONNX file's model takes."""
    shape = inputs[0].shape if len(inputs) == 1 and inputs[0].dtype == torch.float32 else None
    if shape is not None and len(shape) == 4 and shape[1] in (1, 3) and shape[0] in (1, None, *_names(shape)):
        fixed = {one for one in shape[2:] if isinstance(one, int)}
        if len(fixed) < 2:
            return int(shape[1]), fixed.pop() if fixed and size is None else size or 224
    takes = ", ".join(f"{one.name!r} {_shape(one.shape)}" for one in inputs)
    raise ParameterError(
        f"eventnet run: {model!r} takes {takes or 'no inputs'}, expected one square picture of 1 or 3 channels. "
        "Run it from Python: eventnet.simulate(eventnet.load(path), *inputs)."
    )


def _names(shape: tuple[int | str | None, ...]) -> tuple[str, ...]:
    return tuple(one for one in shape if isinstance(one, str))


def _shape(shape: tuple[int | str | None, ...] | None) -> str:
    return "of any shape" if shape is None else f"({', '.join('any' if one is None else str(one) for one in shape)})"


def _from_file(model: str) -> tuple[Any, tuple[Any, ...] | None]:
    path, _, factory = model.partition(":")
    if not Path(path).is_file():
        raise DataError(f"eventnet run: there is no file {path!r}, expected MODEL as a name, model.onnx or file.py:factory.")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    if spec is None or spec.loader is None:
        raise DataError(f"eventnet run: {path!r} is no Python file, expected MODEL as a name, model.onnx or file.py:factory.")
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
