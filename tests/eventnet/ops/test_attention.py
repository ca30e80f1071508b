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


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("options", [{}, {"is_causal": True}, {"attn_mask": tokens(1, 4, 1, 5) > -0.5}])
def test_heads_that_share_keys_and_values_agree_and_read_them_once(agrees, heads, options):
    query, key, value = tokens(1, 4, 5, 6), tokens(1, heads, 5, 6, seed=1), tokens(1, heads, 5, 6, seed=2)
    run = agrees(lambda *inputs: F.scaled_dot_product_attention(*inputs, **options, enable_gqa=True), query, key, value)
    scores = run.product_records[0]
    assert scores.macs == 4 * 5 * 5 * 6
    assert scores.activations == query.numel() + key.numel()


@pytest.mark.parametrize("added", [False, True])
def test_a_query_that_may_look_at_no_key_gets_nothing(agrees, added):
    allowed = tokens(6, 6) > -0.5
    allowed[3] = False
    mask = torch.zeros(6, 6).masked_fill(~allowed, -torch.inf) if added else allowed
    inputs = [tokens(1, 2, 6, 4, seed=seed) for seed in range(3)]
    agrees(lambda *one: F.scaled_dot_product_attention(*one, attn_mask=mask), *inputs)


def test_double_precision_is_kept_in_backward():
    inputs = [tokens(1, 2, 6, 4, seed=seed).double().requires_grad_() for seed in range(3)]

    def gradients() -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(F.scaled_dot_product_attention(*inputs).square().sum(), inputs)

    expected = gradients()
    with eventnet.watch():
        found = gradients()
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_attention_is_as_exact_as_the_kernel(dtype):
    """Scores and weights that are rounded to 16 bits in between are twice as far from the truth."""
    inputs = [tokens(1, 4, 32, 16, seed=seed).to(dtype) for seed in range(3)]
    exact = F.scaled_dot_product_attention(*(one.double() for one in inputs))
    kernel = (F.scaled_dot_product_attention(*inputs) - exact).norm()
    run = eventnet.simulate(F.scaled_dot_product_attention, *inputs)
    assert run.agreement
    assert (run.outputs - exact).norm() <= kernel


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


@pytest.mark.parametrize("by_token", [False, True])
def test_outputs_and_gradients_lie_in_memory_as_the_kernels_do(by_token):
    def laid_out(tokens: int) -> torch.Tensor:
        heads = torch.randn(1, 4, tokens, 8)
        return (heads.transpose(1, 2).contiguous().transpose(1, 2) if by_token else heads).requires_grad_()

    query, key, value = laid_out(5), laid_out(6), laid_out(6)

    def results():
        output = F.scaled_dot_product_attention(query, key, value)
        return output, *torch.autograd.grad(output.square().sum(), (query, key, value))

    expected = results()
    with eventnet.watch():
        found = results()
    assert [one.stride() for one in found] == [one.stride() for one in expected]


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_an_encoder_that_leaves_padding_out_takes_the_same_way_as_without_being_watched():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, batch_first=True), 2).eval()
    padding = torch.tensor([[False, False, False, True, True]])
    for grad_mode in (torch.no_grad, torch.inference_mode):
        with grad_mode():
            run = eventnet.simulate(encoder, tokens(1, 5, 8), kwargs={"src_key_padding_mask": padding})
            assert run.agreement
            assert run.coverage == 1
            assert run.difference.relative < 1e-5
            assert run.product_records[0].macs == 3 * 8 * 8  # three of five tokens
