"""Convolution and transposed convolution in one to three dimensions, and the backward of both.

Any groups, stride, padding and dilation. The gradient of a convolution's input is a transposed convolution of its output's
gradient, the other way round for a transposed one; the gradient of the weights is a product of two activations.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import torch

from eventnet.call import Call, Form
from eventnet.product import Product
from eventnet.vector import VectorCall, VectorForm
from hwmodel.errors import ShapeError
from hwmodel.given import convolution_weights, transposed_weights
from hwmodel.task import Task

_GEOMETRY = ("stride", "padding", "dilation")


def _forward(call: Call) -> dict[int, Product]:
    activations, weight, bias = call["input"], call["weight"], call["bias"]
    if not _has_form(activations, weight):
        return {}
    geometry = _geometry(call)
    dimensions = weight.dim() - 2
    options: dict[str, Any] = {
        **geometry,
        "groups": call["groups"],
        "name": call.place.name,
        "two_activations": "weight" not in call.static,
    }
    if call["transposed"]:
        more = _each_dimension(call["output_padding"], dimensions)
        task = Task.transposed_convolution(call.stream(activations), _weights(call), **options, output_padding=more)
    else:
        more = [0] * dimensions
        task = Task.convolution(call.stream(activations), _weights(call), **options, first_layer=call.first_layer)
    product = Product(
        task=task,
        multiply=lambda first, second: torch.convolution(
            first,
            second,
            None,
            geometry["stride"],
            geometry["padding"],
            geometry["dilation"],
            call["transposed"],
            more,
            call["groups"],
        ),
        first=activations,
        second=weight,
        accumulator=_narrow(activations) if call["transposed"] else None,
        addend=None if bias is None else bias.reshape(-1, *[1] * dimensions),
    )
    return {0: product}


def _backward(call: Call) -> dict[int, Product]:
    gradient, activations, weight = call["grad_output"], call["input"], call["weight"]
    if not _has_form(gradient, weight) or (activations.shape[0] != 1 and weight.dim() == 5):
        return {}  # frames are one more dimension of a weight's gradient, and a task has three
    geometry, groups, transposed = _geometry(call), call["groups"], call["transposed"]
    products = {}
    if call["output_mask"][0]:
        options: dict[str, Any] = {
            **geometry,
            "groups": groups,
            "name": call.place.name,
            "two_activations": "weight" not in call.static,
        }
        if transposed:
            task = Task.convolution(call.stream(gradient), _weights(call, transposed=False), **options)
        else:
            more = _missing_positions(activations, gradient, weight, geometry)
            weights = _weights(call, transposed=True)
            task = Task.transposed_convolution(call.stream(gradient), weights, **options, output_padding=more)
        products[0] = Product(
            task=replace(task, part="input_gradient"),
            multiply=lambda first, second: _torch_backward(call, first, torch.zeros(activations.shape), second, 0),
            first=gradient,
            second=weight,
            accumulator=_narrow(gradient),
        )
    if call["output_mask"][1]:
        products[1] = _weight_gradient(call, geometry)
    return products


def _weight_gradient(call: Call, geometry: dict[str, Any]) -> Product:
    """Make the gradient of the weights; frames of a sequence are one more dimension of space, with a kernel of one."""
    gradient, activations, weight = call["grad_output"], call["input"], call["weight"]
    reads, sends = (gradient, activations) if call["transposed"] else (activations, gradient)
    kernel = list(weight.shape[2:])
    frames = activations.shape[0] != 1
    if frames:
        reads, sends = _frames_in_depth(reads), _frames_in_depth(sends)
        kernel = [1, *kernel]
        geometry = {name: [0 if name == "padding" else 1, *values] for name, values in geometry.items()}
    task = Task.weight_gradient(
        call.stream(reads), call.stream(sends), kernel, **geometry, groups=call["groups"], name=call.place.name
    )

    def multiply(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        if frames:
            first, second = _frames_in_front(first), _frames_in_front(second)
        given, read = (first, second) if call["transposed"] else (second, first)
        found = _torch_backward(call, given, read, torch.zeros(weight.shape), 1)
        return found.unsqueeze(2) if frames else found

    return Product(
        task=task,
        multiply=multiply,
        first=reads,
        second=sends,
        finish=lambda outputs: outputs.reshape(weight.shape),
        accumulator=_narrow(gradient),
    )


def _frames_in_depth(maps: torch.Tensor) -> torch.Tensor:
    """Bring (frames, C, *spatial) into (1, C, frames, *spatial)."""
    return maps.detach().transpose(0, 1)[None]


def _frames_in_front(volume: torch.Tensor) -> torch.Tensor:
    return volume[0].transpose(0, 1)


def _narrow(operand: torch.Tensor) -> torch.dtype | None:
    """Return float16 for operands of that type: there PyTorch's transposed convolutions and backwards add up in it."""
    return torch.float16 if operand.dtype == torch.float16 else None


def _torch_backward(
    call: Call, gradient: torch.Tensor, activations: torch.Tensor, weight: torch.Tensor, result: int
) -> torch.Tensor:
    """Return one of the two gradients as PyTorch computes it."""
    gradients = torch.ops.aten.convolution_backward(
        gradient,
        activations.to(gradient.dtype),
        weight.to(gradient.dtype),
        None,
        *(call[name] for name in (*_GEOMETRY, "transposed", "output_padding", "groups")),
        [result == 0, result == 1, False],
    )
    found: torch.Tensor = gradients[result]
    return found


def _weights(call: Call, transposed: bool | None = None) -> Any:
    """Return the weight laid out as a task takes it."""
    weight = call["weight"]
    lay_out = transposed_weights if (call["transposed"] if transposed is None else transposed) else convolution_weights
    return call.lay_out(weight, (lay_out.__name__, call["groups"]), partial(lay_out, groups=call["groups"]))


def _has_form(activations: torch.Tensor, weight: torch.Tensor) -> bool:
    return weight.dim() in (3, 4, 5) and activations.dim() == weight.dim()


def _geometry(call: Call) -> dict[str, Any]:
    return {name: _each_dimension(call[name], call["weight"].dim() - 2) for name in _GEOMETRY}


def _each_dimension(values: Any, dimensions: int) -> list[int]:
    """Complete a list; one entry stands for all dimensions."""
    return (list(values) * dimensions)[:dimensions]


def _missing_positions(
    activations: torch.Tensor, gradient: torch.Tensor, weight: torch.Tensor, geometry: dict[str, Any]
) -> list[int]:
    """Give how many positions at the far end of the input no window of a strided convolution reads."""
    sizes = zip(activations.shape[2:], gradient.shape[2:], weight.shape[2:], *geometry.values(), strict=True)
    return [
        size - ((outputs - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1)
        for size, outputs, kernel, stride, padding, dilation in sizes
    ]


def refuse_several_samples(activations: torch.Tensor, weight: torch.Tensor, where: str) -> None:
    """Raise ShapeError if a convolution is given more than one sample."""
    samples = activations.shape[0]
    if activations.dim() == weight.dim() and samples > 1:
        raise ShapeError(
            f"{where}: a convolution is given {samples} samples at once, expected 1. Run them one after the other with "
            'simulate(model, samples=...), or say leading="sequence" if they are frames or crops of one sample.'
        )


def _gradient(call: VectorCall) -> tuple[torch.Tensor, ...]:
    return (call.arguments["grad_output"],)


VECTORS = (VectorForm("sum", ("convolution_backward",), reads=_gradient),)  # of a bias alone

FORMS = (
    Form("convolution", ("convolution", "_convolution"), ("input", "weight"), _forward, "bias"),
    Form("convolution", ("convolution_backward",), ("grad_output", "input", "weight"), _backward),
)
