"""One proof for every operator: equal to PyTorch forward and backward, under every grad mode, on the machines there are."""

from collections.abc import Callable

import pytest
import torch

import eventnet
import hwmodel
from eventnet.run import Run


def _flat(outputs) -> list[torch.Tensor]:
    leaves = outputs if isinstance(outputs, tuple | list) else [outputs]
    return [leaf for one in leaves for leaf in (_flat(one) if isinstance(one, tuple | list) else [one])]


def _agrees(program: Callable, *inputs: torch.Tensor) -> Run:
    """Check forward under every grad mode, and backward; return the run of the forward and backward together."""
    torch.manual_seed(3)
    expected = _flat(program(*inputs))
    for grad_mode in (torch.no_grad, torch.inference_mode):
        with grad_mode():
            for run in eventnet.simulate(program, *inputs, machine=list(hwmodel.machines())):
                assert run.agreement, run.agreement
                assert run.unwatched == 0
                for ours, theirs in zip(_flat(run.outputs), expected, strict=True):
                    torch.testing.assert_close(ours, theirs.detach())
    leaves = [one.detach().clone().requires_grad_(one.is_floating_point()) for one in inputs]
    wanted = [leaf for leaf in leaves if leaf.requires_grad]

    def gradients() -> tuple[torch.Tensor, ...]:
        outputs = [output for output in _flat(program(*leaves)) if output.requires_grad]
        return torch.autograd.grad(sum(output.square().sum() for output in outputs), wanted, allow_unused=True)

    theirs = gradients()
    with eventnet.watch(machine="cnvlutin", baseline="dadiannao") as watcher:
        ours = gradients()
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    assert watcher.run.agreement, watcher.run.agreement
    assert watcher.run.coverage == 1
    return watcher.run


@pytest.fixture
def agrees() -> Callable[..., Run]:
    return _agrees


def _vector_work(program: Callable, *inputs: torch.Tensor) -> list[tuple[str, int]]:
    """Run a program without products on every machine; return operator and elements of each vector task, forward."""
    for grad_mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with grad_mode():
            wide, one = hwmodel.load("cnvlutin"), hwmodel.load("dadiannao", vector_lanes=1)
            first, second = eventnet.simulate(program, *inputs, machine=[wide, one], strict=True)
            assert first.difference.maximum == 0
            for record, narrow in zip(first.records, second.records, strict=True):
                assert record.ticks == -(-narrow.ticks // wide.vector_lanes)
                assert record.busy_ticks + record.stall_ticks + record.idle_ticks == record.lanes * record.ticks
                assert record.dynamic_pj > 0
                assert (record.macs, record.executed_macs) == (0, 0)
    return [(record.op, record.ticks) for record in second.records]  # one lane takes a tick for each element


@pytest.fixture
def vector_work() -> Callable[..., list[tuple[str, int]]]:
    return _vector_work


def _vector_backward(program: Callable, value: torch.Tensor) -> list[tuple[str, int]]:
    """Run a program of vector work and its backward; return operator and elements of each vector task in backward."""
    leaf = value.clone().requires_grad_()
    output = program(leaf)
    (expected,) = torch.autograd.grad(output, leaf, torch.ones_like(output))
    with eventnet.watch(machine=hwmodel.load("dadiannao", vector_lanes=1), strict=True) as watcher:
        output = program(leaf)
        (found,) = torch.autograd.grad(output, leaf, torch.ones_like(output))
    assert torch.equal(found, expected)
    return [(record.op, record.ticks) for record in watcher.run.records if record.part == "input_gradient"]


@pytest.fixture
def vector_backward() -> Callable[..., list[tuple[str, int]]]:
    return _vector_backward
