"""Run a model with some layers' outputs shifted, and count the zero operands of others."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from eventnet.models.calibration.layer import Layer, MultiplyingLayer
from eventnet.models.calibration.operands import NO_OPERANDS, OperandCount, count
from eventnet.models.calibration.producers import operand_of
from eventnet.models.calibration.shifts import OutputQuantiles


@dataclass(frozen=True)
class Trial:
    """What one run gave, by name of layer: the operands counted, and the thresholds that outputs were shifted by."""

    counts: dict[str, OperandCount]
    thresholds: dict[str, Tensor]


def run_trial(
    model: nn.Module, x: Tensor, counted: Sequence[Layer], shifted: Sequence[OutputQuantiles] = (), share: float = 0.0
) -> Trial:
    """Run a model up to the last call of the layers that are counted.

    The model's hooks and torch's global random state are the same afterwards, so every trial draws the same numbers.

    Parameters
    ----------
    model, x
        What to run, and on what.
    counted
        Layers whose operands are counted, over all their calls.
    shifted
        Layers whose outputs are shifted, with their quantiles.
    share
        The share of each channel of theirs that is to be zero or less.
    """
    counts = {layer.name: NO_OPERANDS for layer in counted}
    thresholds: dict[str, Tensor] = {}
    calls_left = sum(layer.calls for layer in counted)

    def count_operands(name: str, module: MultiplyingLayer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal calls_left
        counts[name] += count(module, operand_of(args, kwargs))
        calls_left -= 1
        if calls_left == 0:
            raise _AllCounted

    def shift(quantiles: OutputQuantiles, module: MultiplyingLayer, args: tuple[Any, ...], outputs: Tensor) -> Tensor:
        # A layer that is called again keeps the shift of its first call, for it has one bias.
        name = quantiles.layer.name
        if name not in thresholds:
            thresholds[name] = quantiles.thresholds(outputs, share)
        return quantiles.shift(outputs, thresholds[name])

    with contextlib.ExitStack() as stack:
        for layer in counted:
            hook = partial(count_operands, layer.name)
            stack.callback(layer.module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        for quantiles in shifted:
            # Before all other hooks, because a bias is added before any hook sees the outputs.
            handle = quantiles.layer.module.register_forward_hook(partial(shift, quantiles), prepend=True)
            stack.callback(handle.remove)
        stack.enter_context(torch.random.fork_rng(devices=[x.device] if x.is_cuda else []))
        with contextlib.suppress(_AllCounted):
            model(x)
    return Trial(counts, thresholds)


class _AllCounted(BaseException):
    """Leave the model's forward early. Not an Exception, which a model may catch and go on."""
