"""Set biases in place so that a share of every layer's operands is zero on an input."""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from eventnet.models.calibration.groups import Group, join, listed
from eventnet.models.calibration.layer import Layer
from eventnet.models.calibration.producers import watch
from eventnet.models.calibration.search import TOLERANCE, meet
from eventnet.models.calibration.shares import WHERE, ZeroFraction, asked_shares
from eventnet.models.calibration.trial import run_trial
from eventnet.progress import Bar
from hwmodel.errors import ParameterError

# One sweep meets every target where groups follow each other. Where a skip connection makes two of them move each
# other, each sweep moves them less.
SWEEPS = 6


def calibrate(model: nn.Module, x: Tensor, zero_fraction: ZeroFraction) -> nn.Module:
    """Set a model's biases, in place, so that a share of every layer's operands is zero on an input.

    The share counts the activation operands of a layer's multiplications, as the papers do: an activation as often as
    windows read it, and the zeros of the padding too. Layers whose operands come straight from the input stay as they
    are. Of every other convolution and linear layer, the layers that feed it are shifted: a convolution by the same
    quantile of each channel's outputs, a linear layer by one quantile of all its outputs. Layers that share a producer,
    such as the branches of GoogLeNet, meet their share over all their operands together.

    Parameters
    ----------
    model
        Any module that takes one tensor. It is run in eval mode; training flags, hooks, grad mode and torch's global
        random state are afterwards as they were.
    x
        The input, usually one sample. With several, operands are counted over all of them.
    zero_fraction
        The share of zero operands, from 0 to below 1: a number for all layers, a sequence with one for each layer in
        execution order, or a dict by module name. A layer that the dict does not name is not calibrated.

    Returns
    -------
    nn.Module
        The same model. Each share is within 0.002 of what was asked, or as near as a layer of few activations allows.

    Raises
    ------
    ParameterError
        If a share is out of range or cannot be reached, a sequence has the wrong length, no layer feeds another, or a
        layer that is to be shifted has no bias. The biases are then as they were.
    UnknownNameError
        If the dict names no layer that can be calibrated.

    Notes
    -----
    Cost: about five runs of the model for each layer, each as far as that layer: on two cores a second for AlexNet, ten
    for VGG-19. A progress bar is shown on stderr when it takes more than one.

    Examples
    --------
    >>> from eventnet import models
    >>> network = models.calibrate(models.load("lenet5"), models.digits()[2][:1], zero_fraction=0.44)
    """
    if not isinstance(x, Tensor):
        raise ParameterError(f"{WHERE}: x is {type(x).__name__}, expected a tensor. Give the model's input.")
    with _evaluating(model), torch.no_grad():
        groups = _groups(model, x, zero_fraction)
        with _restored_on_error(groups), Bar(total=len(groups), desc="calibrating", unit=" groups") as progress:
            _sweep(groups, model, x, progress)
    return model


def _groups(model: nn.Module, x: Tensor, zero_fraction: ZeroFraction) -> list[Group]:
    """Read what was asked, and check that there is something to shift for it."""
    layers = watch(model, x)
    consumers = [layer for layer in layers if layer.producers]
    if not consumers:
        raise ParameterError(
            f"{WHERE}: of the model's {len(layers)} convolutions and linear layers none feeds another, expected two in "
            "a row. Calibrate a deeper model: the zeros of a first layer are those of the input."
        )
    asked = asked_shares(zero_fraction, consumers)
    counted = [layer for layer in consumers if layer.name in asked]
    groups = join(layers, asked, run_trial(model, x, counted).counts)
    for group in groups:
        for producer in group.producers:
            _bias(producer)
    return groups


def _sweep(groups: Sequence[Group], model: nn.Module, x: Tensor, progress: Bar) -> None:
    """Meet every group's target, and again where another group has moved it since, until all stay."""
    reached: dict[Group, float] = {}
    consumers = [layer for group in groups for layer in group.consumers]
    to_meet = list(groups)
    for _ in range(SWEEPS):
        for group in to_meet:
            met = meet(group, model, x)
            reached[group] = met.zero_share
            for producer in group.producers:
                _bias(producer).sub_(met.thresholds[producer.name])
            progress.update()
        counts = run_trial(model, x, consumers).counts
        to_meet = [group for group in groups if abs(group.count(counts).zero_share - reached[group]) > TOLERANCE]
        if not to_meet:
            return
        progress.total += len(to_meet)
    raise ParameterError(
        f"{WHERE}: the zero share of {listed(to_meet[0].consumers)} still changes after {SWEEPS} sweeps, expected it "
        "to settle. Name fewer layers in a dict: some of these move each other."
    )


def _bias(layer: Layer) -> Tensor:
    bias = layer.module.bias
    if bias is None:
        raise ParameterError(
            f"{WHERE}: {layer.name} has no bias, expected one to shift its outputs by. Make it with bias=True."
        )
    return bias


@contextlib.contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Keep the model in eval mode: dropout would draw anew, and batch normalisation would learn from every trial."""
    training = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, flag in training:
            module.training = flag


@contextlib.contextmanager
def _restored_on_error(groups: Sequence[Group]) -> Iterator[None]:
    before = [(_bias(layer), _bias(layer).clone()) for group in groups for layer in group.producers]
    try:
        yield
    except BaseException:
        for bias, values in before:
            bias.copy_(values)
        raise
