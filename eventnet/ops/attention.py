"""Attention: the products inside PyTorch's fused attention kernels, forward and backward.

Queries by keys and weights by values are products of two activations: a zero in either is an event not sent. Query heads that
share a head of keys and values are its rows, one below the other: the keys are read once. What the kernel keeps between its
products it keeps in float32, whatever the type of its operands.
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
    scores = _scores(_wide(query), _wide(key), is_causal, attn_mask, scale)
    weights, logsumexp = torch.softmax(scores, dim=-1), torch.logsumexp(scores, dim=-1)
    if attn_mask is not None:  # a query that may look at no key gets nothing
        nothing = logsumexp == -math.inf
        weights, logsumexp = weights.masked_fill(nothing[..., None], 0), logsumexp.masked_fill(nothing, 0)
    output = _by_query(_by_key(weights, key) @ _wide(value), query).to(query.dtype)
    if query.transpose(1, 2).is_contiguous():  # the kernel's output lies as the query does
        output = _by_token(output)
    return output, logsumexp


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
    types = query.dtype, key.dtype, value.dtype
    grad_out, query, key, value, out = (_wide(one) for one in (grad_out, query, key, value, out))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    weights = torch.exp(_scores(query, key, is_causal, attn_mask, scale) - logsumexp[..., None])
    grad_weights = _by_query(_by_key(grad_out, key) @ value.mT, query)
    grad_scores = _by_key(weights * (grad_weights - (grad_out * out).sum(dim=-1, keepdim=True)) * factor, key)
    gradients = (
        _by_query(grad_scores @ key, query),
        grad_scores.mT @ _by_key(query, key),
        _by_key(weights, key).mT @ _by_key(grad_out, key),
    )
    return tuple(_by_token(gradient.to(dtype)) for gradient, dtype in zip(gradients, types, strict=True))


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
    """Return the output of `torch.nn.TransformerEncoderLayer` without gradients; sequences of several lengths one by one."""
    if mask is not None or src.layout != torch.strided:
        return NotImplemented
    if src.is_nested:
        each = [
            encoder_layer(
                one[None], embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, use_gelu, norm_first, eps,
                norm_weight_1, norm_bias_1, norm_weight_2, norm_bias_2, ffn_weight_1, ffn_bias_1, ffn_weight_2, ffn_bias_2,
                mask, mask_type,
            )[0]
            for one in src.unbind()
        ]  # fmt: skip
        return torch.nested.as_nested_tensor(each)

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


def _by_token(heads: Tensor) -> Tensor:
    """Lay the heads of a token beside each other in memory, as the kernel does."""
    return heads.transpose(1, 2).contiguous().transpose(1, 2)


def _scores(query: Tensor, key: Tensor, is_causal: bool, attn_mask: Tensor | None, scale: float | None) -> Tensor:
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = _by_query(_by_key(query, key) @ key.mT, query) * factor
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    return scores


def _by_key(rows: Tensor, key: Tensor) -> Tensor:
    """Put the query heads that share a head of keys below one another: (batch, key heads, heads each * tokens, .)."""
    batch, heads, tokens, width = rows.shape
    return rows.reshape(batch, key.shape[1], heads // key.shape[1] * tokens, width)


def _by_query(rows: Tensor, query: Tensor) -> Tensor:
    """Take them apart again: (batch, heads, tokens, .)."""
    return rows.reshape(*query.shape[:3], rows.shape[-1])


def _wide(operand: Tensor) -> Tensor:
    return operand.float() if operand.dtype in (torch.bfloat16, torch.float16) else operand


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
