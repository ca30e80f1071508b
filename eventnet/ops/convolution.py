"""Convolution in one, two or three dimensions, with any groups, stride, padding and dilation."""

from functools import partial
from typing import Any

import torch

from eventnet.call import Call, Form
from eventnet.product import Product
from eventnet.weights import as_array
from hwmodel.errors import ShapeError
from hwmodel.task import Task, convolution_weights

_GEOMETRY = ("stride", "padding", "dilation")


def _product(call: Call) -> Product | None:
    activations, weight, bias = call["input"], call["weight"], call["bias"]
    if call["transposed"] or weight.dim() not in (3, 4, 5):
        return None
    groups = call["groups"]
    dimensions = weight.dim() - 2
    # A list of one entry stands for all dimensions.
    geometry: dict[str, Any] = {name: (list(call[name]) * dimensions)[:dimensions] for name in _GEOMETRY}
    two_activations = "weight" not in call.static
    second = (
        as_array(weight)
        if two_activations
        else call.lay_out(weight, ("convolution", groups), partial(convolution_weights, groups=groups))
    )
    task = Task.convolution(
        as_array(activations),
        second,
        **geometry,
        groups=groups,
        first_layer=call.first_layer,
        name=call.place.name,
        two_activations=two_activations,
    )
    return Product(
        task=task,
        multiply=lambda first, second: torch.convolution(
            first,
            second,
            None,
            geometry["stride"],
            geometry["padding"],
            geometry["dilation"],
            False,
            [0] * dimensions,
            groups,
        ),
        first=activations,
        second=weight,
        addend=None if bias is None else bias.reshape(-1, *[1] * dimensions),
    )


def refuse_several_samples(activations: torch.Tensor, weight: torch.Tensor, where: str) -> None:
    """Raise ShapeError if a convolution is given more than one sample."""
    samples = activations.shape[0]
    if activations.dim() == weight.dim() and samples > 1:
        raise ShapeError(
            f"{where}: a convolution is given {samples} samples at once, expected 1. Run them one after the other with "
            'simulate(model, samples=...), or say leading="sequence" if they are frames or crops of one sample.'
        )


FORMS = (Form("convolution", ("convolution",), ("input", "weight"), _product),)
