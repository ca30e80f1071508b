"""Grouped matrix products: every group is a task, wherever the groups lie, and an empty one is none."""

import pytest
import torch
import torch.nn.functional as F

import eventnet

ENDS = [3, 3, 8]  # the second group is empty


def values(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(
    ("first", "second", "ends", "tasks"),
    [
        ((8, 8), (3, 8, 16), ENDS, 2),
        ((3, 16, 8), (8, 8), ENDS, 2),
        ((16, 8), (8, 8), ENDS, 2),
        ((3, 8, 16), (3, 16, 8), None, 1),
    ],
    ids=["rows", "columns", "sums", "all alike"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_groups_agree_forward_and_backward(first, second, ends, tasks, dtype):
    offsets = None if ends is None else torch.tensor(ends, dtype=torch.int32)
    inputs = [values(*shape).to(dtype).requires_grad_() for shape in (first, second)]

    def program() -> tuple[torch.Tensor, ...]:
        output = F.grouped_mm(*inputs, offs=offsets)
        return (output.detach(), *torch.autograd.grad(output.square().sum(), inputs))

    expected = program()
    with eventnet.watch() as watcher:
        found = program()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    assert watcher.run.agreement
    assert watcher.run.coverage == 1
    assert len(watcher.run.product_records) == 3 * tasks
    assert "_grouped_mm" not in watcher.run.others


@pytest.mark.parametrize("grad_mode", [torch.no_grad, torch.inference_mode])
def test_experts_read_their_own_rows_and_weights(grad_mode):
    experts = torch.nn.Parameter(values(3, 8, 4))

    def program(rows, ends):
        return F.grouped_mm(rows, experts.mT, offs=ends)

    with grad_mode():
        run = eventnet.simulate(program, values(5, 4), torch.tensor([4, 4, 5], dtype=torch.int32))
    assert run.agreement
    assert [(record.macs, record.activations) for record in run.product_records] == [(4 * 4 * 8, 4 * 4), (4 * 8, 4)]
    assert run.difference.relative < 1e-6


def test_rows_behind_the_last_group_are_zero():
    run = eventnet.simulate(
        F.grouped_mm, values(8, 4), values(2, 4, 4), kwargs={"offs": torch.tensor([2, 5], dtype=torch.int32)}
    )
    assert run.macs == 5 * 4 * 4
    assert not run.outputs[5:].any()
