"""Element-wise operators take each element of each operand; a number, a parameter or what expand repeats is none of them."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

ROWS = torch.randn(5, 9, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "name",
    [
        "relu",
        "tanh",
        "sigmoid",
        "gelu",
        "silu",
        "softplus",
        "hardswish",
        "hardtanh",
        "leaky_relu",
        "elu",
        "selu",
        "logsigmoid",
        "mish",
    ],
)
def test_a_function_takes_each_element_once(vector_work, name):
    assert [elements for _, elements in vector_work(getattr(F, name), ROWS)] == [45]


@pytest.mark.parametrize(
    ("program", "elements"),
    [
        (lambda a: a + a.flip(0), [("copy", 45), ("add", 90)]),
        (lambda a: a * 2, [("mul", 45)]),
        (lambda a: a * a, [("mul", 45)]),
        (lambda a: a + a[0], [("add", 45 + 9)]),
        (lambda a: a + a[:1].expand(5, 9), [("add", 45 + 9)]),
        (lambda a: torch.outer(a[:, 0], a[0]), [("mul", 45)]),
        (lambda a: torch.where(a > 0, a, 0.0), [("gt", 45), ("where", 90)]),
        (lambda a: torch.zeros_like(a).masked_fill_(a > 0, 1.0), [("gt", 45), ("masked_fill", 90)]),
        (lambda a: a.clone().relu_(), [("copy", 45), ("relu", 45)]),
        (lambda a: torch.add(a, 1, out=torch.empty(5, 9)), [("add", 45)]),
        (lambda a: F.mse_loss(a, 2 * a), [("mul", 45), ("mse_loss", 90)]),
    ],
)
def test_operands_are_counted_each_once(vector_work, program, elements):
    assert vector_work(program, ROWS) == elements


def test_a_parameter_beside_the_operand_is_not_counted(vector_work):
    assert vector_work(nn.PReLU(9), ROWS) == [("_prelu_kernel", 45)]


def test_threshold_backward_reads_gradient_and_input(vector_backward):
    assert vector_backward(torch.relu, ROWS) == [("threshold_backward", 90)]


def test_optimizer_steps_are_vector_work():
    import eventnet

    layer = nn.Linear(9, 3)
    for kind in (torch.optim.SGD, torch.optim.Adam):
        for flags in ({"fused": True}, {"foreach": True}, {"foreach": False}):
            step = kind(layer.parameters(), lr=0.1, **flags)
            with eventnet.watch() as watcher:
                layer(ROWS).square().mean().backward()
                step.step()
                step.zero_grad()
            assert dict(watcher.run.others) == {}
