"""Recurrent layers: the products of every step are seen, forward and backward."""

import pytest
import torch
from torch import nn

import eventnet


def steps(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True, "num_layers": 2}, {"bias": False, "batch_first": True}], ids=str
)
def test_recurrent_layers_agree_forward_and_backward(agrees, layer, options):
    torch.manual_seed(0)
    module = layer(6, 5, **options)
    agrees(lambda value: module(value)[0], steps(3, 1, 6))


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.GRUCell, nn.LSTMCell])
def test_recurrent_cells_agree(agrees, cell):
    module = cell(6, 5)
    agrees(lambda value: module(value), steps(1, 6))


def test_every_gradient_of_an_lstm_is_pytorchs():
    module = nn.LSTM(4, 3, bidirectional=True)
    state = torch.ones(2, 1, 3).requires_grad_(), torch.ones(2, 1, 3).requires_grad_()

    def gradients():
        outputs, (hidden, cell) = module(steps(5, 1, 4), state)
        loss = outputs.square().sum() + hidden.sum() + cell.square().sum()
        return torch.autograd.grad(loss, [*module.parameters(), *state])

    expected = gradients()
    with eventnet.watch() as watcher:
        found = gradients()
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert watcher.run.coverage == 1
    assert watcher.run.unwatched == 0


def test_a_backward_that_nobody_watches_finds_the_kernels_workspace():
    module = nn.LSTM(4, 3)
    value = steps(5, 1, 4).requires_grad_()
    (expected,) = torch.autograd.grad(module(value)[0].sum(), value)
    with eventnet.watch():
        outputs = module(value)[0]
    (found,) = torch.autograd.grad(outputs.sum(), value)
    torch.testing.assert_close(found, expected)


def test_an_lstm_has_the_products_of_its_steps():
    run = eventnet.simulate(nn.LSTM(6, 5), steps(3, 1, 6))
    assert run.macs == 3 * 4 * 5 * (6 + 5)
    assert len(run.product_records) == 3 * 2
