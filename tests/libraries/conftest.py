"""One proof for every network: PyTorch agrees with each operator, and what comes out is as near to the truth as PyTorch's own."""

import copy
import os
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.flop_counter import FlopCounterMode

import eventnet
from eventnet.run import Run

os.environ["HF_HUB_OFFLINE"] = "1"  # every network is made of a configuration; a download would be an error

WIDER = {torch.float32: torch.float64, torch.bfloat16: torch.float32}


def _floats(nested: Any) -> torch.Tensor:
    """Put all floating-point values in nested outputs side by side, in float64."""
    leaves = [leaf for leaf in tree_leaves(nested) if isinstance(leaf, torch.Tensor) and leaf.is_floating_point()]
    return torch.cat([leaf.detach().double().flatten() for leaf in leaves])


def _cast(nested: Any, dtype: torch.dtype) -> Any:
    def cast(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor):
            return leaf.to(dtype) if leaf.is_floating_point() else leaf
        return copy.copy(leaf).apply(cast) if hasattr(leaf, "apply") else leaf  # a graph

    return tree_map(cast, nested)


def _wider(model: nn.Module, inputs: Mapping[str, Any]) -> tuple[nn.Module, Any]:
    """Return the same network and inputs in a wider type: what it computes is the truth, next to the narrower one's rounding."""
    dtype = WIDER[next(model.parameters()).dtype]
    wide = copy.deepcopy(model).to(dtype)
    if hasattr(wide, "set_experts_implementation"):
        wide.set_experts_implementation("eager")  # PyTorch multiplies no groups in float64
    return wide, _cast(dict(inputs), dtype)


def _check_near(found: Any, expected: Any, truth: Any) -> None:
    """Refuse values whose distance from the truth is not of the order of magnitude of PyTorch's own."""
    found, expected, truth = _floats(found), _floats(expected), _floats(truth)
    assert truth.norm() > 0
    assert (found - truth).norm() <= 10 * (expected - truth).norm()


def _check_run(run: Run) -> None:
    assert run.agreement, run.agreement
    assert run.product_records
    assert run.coverage >= 0.99, run.others
    assert run.unwatched == 0


def _products(model: nn.Module, inputs: Mapping[str, Any]) -> int:
    """Count a forward's products by PyTorch's own counter, which knows neither grouped nor sparse ones."""
    with FlopCounterMode(display=False) as counter:
        model(**inputs)
    return counter.get_total_flops() // 2


def _follows(model: nn.Module, inputs: Mapping[str, Any], grad_mode: Callable[[], Any]) -> Run:
    model.eval()
    with grad_mode():
        expected = model(**inputs)
        wide_model, wide_inputs = _wider(model, inputs)
        truth = wide_model(**wide_inputs)
        run: Run = eventnet.simulate(model, kwargs=inputs, progress=False)
        _check_run(run)
        _check_near(run.outputs, expected, truth)
        assert run.macs >= _products(model, inputs)
    return run


def _gradients(model: nn.Module, inputs: Mapping[str, Any]) -> list[torch.Tensor]:
    torch.manual_seed(1)  # dropout
    leaves = [leaf for leaf in tree_leaves(model(**inputs)) if isinstance(leaf, torch.Tensor) and leaf.requires_grad]
    loss = torch.stack([leaf.to(WIDER[torch.float32]).square().sum() for leaf in leaves]).sum()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
    return [gradient for gradient in gradients if gradient is not None]


def _follows_backward(model: nn.Module, inputs: Mapping[str, Any], train: bool) -> Run:
    model.train(train)
    expected = _gradients(copy.deepcopy(model), inputs)  # batch norm in training writes into its buffers
    truth = _gradients(*_wider(model, inputs))
    with eventnet.watch(progress=False) as watcher:
        found = _gradients(model, inputs)
    _check_run(watcher.run)
    _check_near(found, expected, truth)
    assert {"forward", "weight_gradient"} <= {record.part for record in watcher.run.product_records}
    return watcher.run


@pytest.fixture
def follows() -> Callable[..., Run]:
    """Return a check of a forward: (model, inputs by name, grad mode)."""
    return _follows


@pytest.fixture
def follows_backward() -> Callable[..., Run]:
    """Return a check of a forward and backward: (model, inputs by name, train mode)."""
    return _follows_backward
