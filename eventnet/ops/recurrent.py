"""Recurrent layers: the products of every step inside PyTorch's fused layers, forward and backward.

GRU and plain recurrent layers arrive as their steps; only the LSTM is one fused kernel. Its backward needs the gates, which the
kernel keeps in a workspace of its own layout: they are computed anew here, unwatched, since the hardware would have kept them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import _disable_current_modes

LSTM = 2  # of the kernel's modes


def lstm_layer(
    input: Tensor,  # noqa: A002  # aten's name
    weight0: Tensor,
    weight1: Tensor,
    weight2: Tensor,
    weight3: Tensor,
    hx_: Tensor,
    cx_: Tensor,
    reverse: bool,
    batch_sizes: list[int],
    mode: int,
    hidden_size: int,
    num_layers: int,
    has_biases: bool,
    bidirectional: bool,
    batch_first: bool,
    train: bool,
) -> Any:
    """Return outputs, last hidden and cell state, and the kernel's workspace, for one layer in one direction."""
    if mode != LSTM or batch_sizes:
        return NotImplemented
    biases = (weight2, weight3) if has_biases else (None, None)
    hidden, cell = hx_.reshape(-1, hidden_size), cx_.reshape(-1, hidden_size)
    outputs: list[Tensor] = []
    for step in _in_order(input, reverse):
        gates = F.linear(input[step], weight0, biases[0]) + F.linear(hidden, weight1, biases[1])
        into, forget, candidate, out = gates.chunk(4, dim=1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(into) * torch.tanh(candidate)
        hidden = torch.sigmoid(out) * torch.tanh(cell)
        outputs.append(hidden)
    with _disable_current_modes():  # a backward that nobody watches reads the kernel's own workspace
        workspace = torch.ops.aten.mkldnn_rnn_layer(
            input, weight0, weight1, weight2, weight3, hx_, cx_, reverse, batch_sizes, mode, hidden_size, num_layers,
            has_biases, bidirectional, batch_first, train,
        )[3]  # fmt: skip
    ordered = outputs[::-1] if reverse else outputs
    return torch.stack(ordered), hidden.reshape(hx_.shape), cell.reshape(cx_.shape), workspace


@dataclass(frozen=True)
class _Step:
    """What the backward of one step needs: the state before it, and its gates and candidate after their functions."""

    hidden: Tensor
    cell: Tensor
    into: Tensor
    forget: Tensor
    candidate: Tensor
    out: Tensor
    new_cell_tanh: Tensor


def lstm_layer_backward(
    input: Tensor,  # noqa: A002  # aten's name
    weight1: Tensor,
    weight2: Tensor,
    weight3: Tensor,
    weight4: Tensor,
    hx_: Tensor,
    cx_tmp: Tensor,
    output: Tensor,
    hy_: Tensor,
    cy_: Tensor,
    grad_output: Tensor | None,
    grad_hy: Tensor | None,
    grad_cy: Tensor | None,
    reverse: bool,
    mode: int,
    hidden_size: int,
    num_layers: int,
    has_biases: bool,
    train: bool,
    bidirectional: bool,
    batch_sizes: list[int],
    batch_first: bool,
    workspace: Tensor,
) -> Any:
    """Return the gradients of the input, both weights, both biases, and the first hidden and cell state."""
    if mode != LSTM or batch_sizes:
        return NotImplemented
    biases = (weight3, weight4) if has_biases else (None, None)
    steps = _kept(input, weight1, weight2, biases, hx_.reshape(-1, hidden_size), cx_tmp.reshape(-1, hidden_size), reverse)
    grad_hidden = torch.zeros_like(steps[0].hidden) if grad_hy is None else grad_hy.reshape(-1, hidden_size)
    grad_cell = torch.zeros_like(steps[0].cell) if grad_cy is None else grad_cy.reshape(-1, hidden_size)
    grad_input: list[Tensor] = []
    grad_weights = [torch.zeros_like(weight1), torch.zeros_like(weight2)]
    grad_bias = torch.zeros(4 * hidden_size, dtype=input.dtype)
    for number, step in reversed(list(zip(_in_order(input, reverse), steps, strict=True))):
        if grad_output is not None:
            grad_hidden = grad_hidden + grad_output[number]
        grad_cell = grad_cell + grad_hidden * step.out * (1 - step.new_cell_tanh.square())
        grad_gates = torch.cat(
            [
                grad_cell * step.candidate * step.into * (1 - step.into),
                grad_cell * step.cell * step.forget * (1 - step.forget),
                grad_cell * step.into * (1 - step.candidate.square()),
                grad_hidden * step.new_cell_tanh * step.out * (1 - step.out),
            ],
            dim=1,
        )
        grad_weights[0] = torch.addmm(grad_weights[0], grad_gates.t(), input[number])
        grad_weights[1] = torch.addmm(grad_weights[1], grad_gates.t(), step.hidden)
        grad_bias = grad_bias + grad_gates.sum(dim=0)
        grad_input.append(grad_gates @ weight1)
        grad_hidden = grad_gates @ weight2
        grad_cell = grad_cell * step.forget
    in_time = grad_input if reverse else grad_input[::-1]
    return (
        torch.stack(in_time), *grad_weights, grad_bias, grad_bias.clone(), grad_hidden.reshape(hx_.shape),
        grad_cell.reshape(cx_tmp.shape),
    )  # fmt: skip


def _kept(
    steps: Tensor, weight_input: Tensor, weight_hidden: Tensor, biases: Any, hidden: Tensor, cell: Tensor, reverse: bool
) -> list[_Step]:
    """Compute what the forward would have kept, without watching it."""
    kept = []
    first = cell
    for number in _in_order(steps, reverse):
        memory = [torch.empty_like(first) for _ in range(7)]  # watched, so that these tensors come from somewhere
        with _disable_current_modes():
            gates = F.linear(steps[number], weight_input, biases[0]) + F.linear(hidden, weight_hidden, biases[1])
            into, forget, candidate, out = gates.chunk(4, dim=1)
            into, forget, candidate, out = into.sigmoid(), forget.sigmoid(), candidate.tanh(), out.sigmoid()
            new_cell = forget * cell + into * candidate
            for one, value in zip(memory, (hidden, cell, into, forget, candidate, out, new_cell.tanh()), strict=True):
                one.copy_(value)
            hidden, cell = out * new_cell.tanh(), new_cell
        kept.append(_Step(*memory))
    return kept


def _in_order(steps: Tensor, reverse: bool) -> range:
    numbers = range(steps.shape[0])
    return numbers[::-1] if reverse else numbers


REWRITES = {"mkldnn_rnn_layer": lstm_layer, "mkldnn_rnn_layer_backward": lstm_layer_backward}
