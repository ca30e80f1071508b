"""Attention: the products inside PyTorch's fused attention kernels, forward and backward.

Queries by keys and weights by values are products of two activations: a zero in either is an event not sent.
"""

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    dropout_p: float,
    is_causal: bool,
    attn_mask: Tensor | None,
    scale: float | None,
) -> Any:
    """Return the output of scaled dot-product attention, and the logarithm of each row's sum of exponentials."""
    if dropout_p:
        return NotImplemented
    scores = _scores(query, key, is_causal, attn_mask, scale)
    weights = torch.softmax(scores, dim=-1)
    output = weights @ value
    if query.transpose(1, 2).is_contiguous():  # the kernel's output lies as the query does
        output = output.transpose(1, 2).contiguous().transpose(1, 2)
    return output, torch.logsumexp(scores.float(), dim=-1)


def attention_backward(
    grad_out: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    out: Tensor,
    logsumexp: Tensor,
    dropout_p: float,
    is_causal: bool,
    attn_mask: Tensor | None,
    scale: float | None,
) -> Any:
    """Return the gradients of query, key and value; the weights are computed anew, as the kernel does."""
    if dropout_p:
        return NotImplemented
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    weights = torch.exp(_scores(query, key, is_causal, attn_mask, scale) - logsumexp[..., None]).to(query.dtype)
    grad_value = weights.mT @ grad_out
    grad_weights = grad_out @ value.mT
    grad_scores = weights * (grad_weights - (grad_out * out).sum(dim=-1, keepdim=True)) * factor
    return grad_scores @ key, grad_scores.mT @ query, grad_value


def multi_head_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim: int,
    num_head: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor | None,
    proj_weight: Tensor,
    proj_bias: Tensor | None,
    mask: Tensor | None,
    need_weights: bool,
    average_attn_weights: bool,
    mask_type: int | None,
) -> Any:
    """Return the output of `torch.nn.MultiheadAttention` without gradients, and its weights if they are needed."""
    if query.is_nested or mask is not None:
        return NotImplemented
    output, weights = _self_attention(query, key, value, num_head, qkv_weight, qkv_bias)
    output = F.linear(output, proj_weight, proj_bias)
    if not need_weights:
        return output, None
    return output, weights.mean(dim=1) if average_attn_weights else weights


def encoder_layer(
    src: Tensor,
    embed_dim: int,
    num_heads: int,
    qkv_weight: Tensor,
    qkv_bias: Tensor,
    proj_weight: Tensor,
    proj_bias: Tensor,
    use_gelu: bool,
    norm_first: bool,
    eps: float,
    norm_weight_1: Tensor,
    norm_bias_1: Tensor,
    norm_weight_2: Tensor,
    norm_bias_2: Tensor,
    ffn_weight_1: Tensor,
    ffn_bias_1: Tensor,
    ffn_weight_2: Tensor,
    ffn_bias_2: Tensor,
    mask: Tensor | None,
    mask_type: int | None,
) -> Any:
    """Return the output of `torch.nn.TransformerEncoderLayer` without gradients."""
    if src.is_nested or mask is not None:
        return NotImplemented

    def attend(tokens: Tensor) -> Tensor:
        output, _ = _self_attention(tokens, tokens, tokens, num_heads, qkv_weight, qkv_bias)
        return F.linear(output, proj_weight, proj_bias)

    def feed_forward(tokens: Tensor) -> Tensor:
        hidden = F.linear(tokens, ffn_weight_1, ffn_bias_1)
        return F.linear(F.gelu(hidden) if use_gelu else torch.relu(hidden), ffn_weight_2, ffn_bias_2)

    def norm_1(tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, (embed_dim,), norm_weight_1, norm_bias_1, eps)

    def norm_2(tokens: Tensor) -> Tensor:
        return F.layer_norm(tokens, (embed_dim,), norm_weight_2, norm_bias_2, eps)

    if norm_first:
        attended = src + attend(norm_1(src))
        return attended + feed_forward(norm_2(attended))
    attended = norm_1(src + attend(src))
    return norm_2(attended + feed_forward(attended))


def _scores(query: Tensor, key: Tensor, is_causal: bool, attn_mask: Tensor | None, scale: float | None) -> Tensor:
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query @ key.mT) * factor
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return scores


def _self_attention(
    query: Tensor, key: Tensor, value: Tensor, heads: int, qkv_weight: Tensor, qkv_bias: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Project, attend and put the heads side by side: (batch, tokens, width), and the weights (batch, heads, ., .)."""
    biases = (None,) * 3 if qkv_bias is None else qkv_bias.chunk(3)
    queries, keys, values = (
        F.linear(tokens, weight, bias).reshape(*tokens.shape[:-1], heads, -1).transpose(1, 2)
        for tokens, weight, bias in zip((query, key, value), qkv_weight.chunk(3), biases, strict=True)
    )
    weights = torch.softmax(_scores(queries, keys, False, None, None), dim=-1)
    return (weights @ values).transpose(1, 2).flatten(-2), weights


REWRITES = {
    "_scaled_dot_product_flash_attention_for_cpu": attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": attention_backward,
    "_native_multi_head_attention": multi_head_attention,
    "_transformer_encoder_layer_fwd": encoder_layer,
}
