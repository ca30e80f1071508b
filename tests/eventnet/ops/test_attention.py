"""Attention: no product hides in a fused kernel, with or without gradients, and no process-wide switch is touched."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eventnet


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "options",
    [{}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": tokens(6, 6) > -0.5}, {"attn_mask": tokens(6, 6)}],
    ids=str,
)
def test_scaled_dot_product_attention_agrees(agrees, options):
    query, key, value = (tokens(2, 3, 6, 4, seed=seed) for seed in range(3))
    run = agrees(lambda *inputs: F.scaled_dot_product_attention(*inputs, **options), query, key, value)
    assert len(run.product_records) == 2 + 5  # forward; backward, the weights computed anew


def test_keys_of_another_number_agree(agrees):
    agrees(F.scaled_dot_product_attention, tokens(1, 2, 5, 4), tokens(1, 2, 7, 4, seed=1), tokens(1, 2, 7, 4, seed=2))


def test_the_output_lies_as_the_kernel_lays_it():
    for query in (tokens(2, 3, 6, 4), tokens(2, 6, 3, 4).transpose(1, 2)):
        expected = F.scaled_dot_product_attention(query, query, query)
        with eventnet.watch():
            output = F.scaled_dot_product_attention(query, query, query)
        assert output.stride() == expected.stride()


@pytest.mark.parametrize("options", [{}, {"need_weights": False}, {"average_attn_weights": False}], ids=str)
def test_multi_head_attention_agrees(agrees, options):
    layer = nn.MultiheadAttention(8, 2, batch_first=True).eval()

    def program(value):
        outputs = layer(value, value, value, **options)
        return outputs if outputs[1] is not None else outputs[0]

    agrees(program, tokens(2, 5, 8))


@pytest.mark.parametrize("norm_first", [False, True])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layers_agree(agrees, norm_first, activation):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first, activation=activation).eval()
    agrees(layer, tokens(1, 5, 8))


def test_a_zero_weight_of_attention_is_an_event_not_sent():
    """A causal mask leaves the upper half of the weights zero."""
    query = tokens(1, 1, 8, 4)
    run = eventnet.simulate(lambda value: F.scaled_dot_product_attention(value, value, value, is_causal=True), query)
    scores, mixing = run.product_records
    assert scores.effectual_macs == scores.macs == 8 * 8 * 4
    assert mixing.macs == 8 * 8 * 4
    assert mixing.effectual_macs == (8 * 9 // 2) * 4
