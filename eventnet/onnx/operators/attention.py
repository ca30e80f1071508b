"""Attention as the products that it is made of, linear attention, and rotary embeddings.

Shapes: queries (B, HQ, Q, D), keys (B, HK, K, D), values (B, HK, K, DV), of which each head of the keys serves HQ / HK heads of
the queries; or (B, Q, HQ*D) and so on.
"""

import torch
from torch.nn import functional as F

from eventnet.onnx.step import Function, Step
from eventnet.onnx.types import TYPES

Tensor = torch.Tensor
INFINITY = float("inf")


def _heads(x: Tensor, heads: int) -> Tensor:
    """Give each head a dimension of its own: (B, S, H*D) to (B, H, S, D)."""
    apart: Tensor = x.unflatten(-1, (heads, -1))
    return apart.transpose(1, 2)


def _attention(
    step: Step,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    past_k: Tensor | None = None,
    past_v: Tensor | None = None,
    lengths: Tensor | None = None,
) -> tuple[Tensor, ...]:
    packed = q.dim() == 3
    if packed:
        of_keys = step.get("kv_num_heads")
        q, k, v = _heads(q, step.get("q_num_heads")), _heads(k, of_keys), _heads(v, of_keys)
    if past_k is not None and past_v is not None:
        k, v = torch.cat([past_k, k], 2), torch.cat([past_v, v], 2)
    present = k, v
    offset: int | Tensor = 0 if past_k is None else past_k.shape[2]
    if lengths is not None and past_k is None:
        offset = lengths.reshape(-1, 1, 1, 1) - q.shape[2]
    bias = _bias(step, q, k, mask, offset, lengths)
    served = q.shape[1] // k.shape[1]
    if served > 1:
        k, v = k.repeat_interleave(served, 1), v.repeat_interleave(served, 1)
    weights, seen = _weights(step, q, k, bias)
    y = torch.matmul(weights, v)
    return y.transpose(1, 2).flatten(2) if packed else y, *present, seen


def _bias(step: Step, q: Tensor, k: Tensor, mask: Tensor | None, offset: int | Tensor, lengths: Tensor | None) -> Tensor:
    """Return what is added to the scores: the mask, and minus infinity where a query may not look."""
    queries, keys = torch.arange(q.shape[2]).reshape(-1, 1), torch.arange(k.shape[2])
    bias = torch.zeros((q.shape[2], k.shape[2]), dtype=q.dtype)
    if mask is not None:
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, -INFINITY)
        bias = bias + F.pad(mask, [0, k.shape[2] - mask.shape[-1]], value=-INFINITY)
    ahead = queries + offset - keys  # how far a key lies before its query
    left, right = step.get("left_window_size", -1), step.get("right_window_size", -1)
    for forbids, hidden in ((step.get("is_causal", 0), ahead < 0), (left >= 0, ahead > left), (right >= 0, -ahead > right)):
        if forbids:
            bias = bias.masked_fill(hidden, -INFINITY)
    return bias if lengths is None else bias.masked_fill(keys >= lengths.reshape(-1, 1, 1, 1), -INFINITY)


def _weights(step: Step, q: Tensor, k: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return the attention weights, and what the node shows of them."""
    scale = torch.full((), (step.get("scale") or q.shape[3] ** -0.5) ** 0.5, dtype=q.dtype)
    scores = torch.matmul(q * scale, k.mT * scale)
    cap = step.get("softcap", 0.0)
    capped = torch.tanh(scores / cap) * cap if cap > 0 else scores
    biased = capped + bias
    kind = TYPES[step.get("softmax_precision")] if step.get("softmax_precision") else q.dtype
    weights = torch.softmax(biased.to(kind), -1)
    blind = (bias == -INFINITY).all(-1, keepdim=True)  # a query that sees no key gives 0
    weights = weights.masked_fill(blind, 0.0).to(q.dtype)
    return weights, (scores, capped, biased, weights)[step.get("qk_matmul_output_mode", 0)]


def _rotary(step: Step, x: Tensor, cos: Tensor, sin: Tensor, positions: Tensor | None = None) -> Tensor:
    packed = x.dim() == 3
    rows = x.unflatten(-1, (step.get("num_heads"), -1)) if packed else x.transpose(1, 2)
    size = step.get("rotary_embedding_dim", 0) or rows.shape[-1]
    turned, kept = rows[..., :size], rows[..., size:]
    if positions is not None:
        cos, sin = (table.index_select(0, positions.flatten()).unflatten(0, positions.shape) for table in (cos, sin))
    cos, sin = cos.unsqueeze(2), sin.unsqueeze(2)
    if step.get("interleaved", 0):
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack([cos * a - sin * b, sin * a + cos * b], -1).flatten(-2)
    else:
        a, b = turned.chunk(2, -1)
        turned = torch.cat([cos * a - sin * b, sin * a + cos * b], -1)
    rows = torch.cat([turned, kept], -1)
    return rows.flatten(2) if packed else rows.transpose(1, 2)


def _linear_attention(
    step: Step,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    past: Tensor | None = None,
    decay: Tensor | None = None,
    beta: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    of_queries, of_keys = step.get("q_num_heads"), step.get("kv_num_heads")
    queries, keys, values = (_heads(x, n).float() for x, n in ((q, of_queries), (k, of_keys), (v, of_keys)))
    scale = step.get("scale", 0.0) or queries.shape[-1] ** -0.5
    kind = q.dtype if past is None else past.dtype
    state = torch.zeros((q.shape[0], of_keys, keys.shape[-1], values.shape[-1])) if past is None else past.float()
    fade = None if decay is None else _heads(decay, of_keys).float().exp().unsqueeze(-1)
    rate = None if beta is None else beta.float().mT.unsqueeze(-1)
    outputs = []
    for t in range(q.shape[1]):
        key, value = keys[:, :, t : t + 1], values[:, :, t : t + 1]
        if fade is not None:
            state = state * fade[:, :, t]
        if rate is not None:
            value = rate[:, :, t : t + 1] * (value - torch.matmul(key, state))
        state = state + torch.matmul(key.mT, value)
        read = state.repeat_interleave(of_queries // of_keys, 1)
        outputs.append(scale * torch.matmul(queries[:, :, t : t + 1], read))
    return torch.cat(outputs, 2).transpose(1, 2).flatten(2).to(q.dtype), state.to(kind)


OPERATORS: dict[str, Function] = {
    "Attention": _attention,
    "LinearAttention": _linear_attention,
    "RotaryEmbedding": _rotary,
}
