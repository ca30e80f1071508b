"""Products inside operators that have no event form, so that totals can say which share of them they cover."""

from collections.abc import Callable
from typing import Any

from torch.utils.flop_counter import flop_registry

from eventnet import aten


def other_macs(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> int:
    """Count the products of an operator that PyTorch computed; 0 for operators that do not multiply and accumulate.

    PyTorch's own flop counter says it where it knows the operator, and the table below for fused ones that it does not.
    """
    own = FUSED.get(aten.base_name(func))
    if any(tensor.is_nested for tensor in aten.tensors_in((args, kwargs))):
        return int(args[0].numel() * args[1].shape[0]) if aten.base_name(func) == "linear" else 0  # without one shape
    if own is not None:
        return own(aten.named_arguments(func, args, kwargs)[0])
    flops = flop_registry.get(aten.functional(func)._overloadpacket)
    return 0 if flops is None else int(flops(*args, **kwargs, out_val=result)) // 2  # a product and its addition


def _attention(arguments: dict[str, Any], products: int = 2) -> int:
    query, key = arguments["query"], arguments["key"]
    return int(query.numel() * key.shape[-2]) * products


def _recurrent_layer(arguments: dict[str, Any]) -> int:
    steps = arguments["input"].shape[:-1].numel()
    return int(steps * (arguments["weight0"].numel() + arguments["weight1"].numel()))


def _multi_head_attention(arguments: dict[str, Any]) -> int:
    query, width = arguments["query"], arguments["embed_dim"]
    tokens = query.shape[:-1].numel()
    return int(tokens * 4 * width * width + 2 * tokens * query.shape[-2] * width)


def _encoder_layer(arguments: dict[str, Any]) -> int:
    source, width = arguments["src"], arguments["embed_dim"]
    tokens = source.shape[:-1].numel()
    attention = tokens * 4 * width * width + 2 * tokens * source.shape[-2] * width
    return int(attention + tokens * (arguments["ffn_weight_1"].numel() + arguments["ffn_weight_2"].numel()))


def _trilinear(arguments: dict[str, Any]) -> int:
    first, weight = arguments["i1"], arguments["i2"]
    return 2 * int(first.shape[0] * weight.numel())


def _reduced_over_neighbours(arguments: dict[str, Any]) -> int:
    return int(arguments["self"]._nnz() * arguments["other"].shape[1])


def _linear(arguments: dict[str, Any]) -> int:
    weight = arguments["weight"]
    return int(arguments["input"].numel() * weight.shape[0])


def _convolution_of_steps(arguments: dict[str, Any]) -> int:
    steps, kernel = arguments["self"].shape[0], arguments["weight"].shape
    return int((steps + 2 * arguments["pad"] - kernel[0] + 1) * arguments["self"].shape[1] * kernel.numel())


FUSED: dict[str, Callable[[dict[str, Any]], int]] = {
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention_for_cpu_backward": lambda arguments: _attention(arguments, products=5),
    "mkldnn_rnn_layer": _recurrent_layer,
    "_native_multi_head_attention": _multi_head_attention,
    "_transformer_encoder_layer_fwd": _encoder_layer,
    "_trilinear": _trilinear,
    "_sparse_mm_reduce_impl": _reduced_over_neighbours,
    "_sparse_mm_reduce_impl_backward": lambda arguments: (
        int(arguments["self"]._nnz() * arguments["grad_out"].shape[1]) * sum(arguments["output_mask"])
    ),
    "linear": _linear,
    "conv_tbc": _convolution_of_steps,
    "sparse_sampled_addmm": lambda arguments: int(arguments["self"]._nnz() * arguments["mat1"].shape[-1]),
    "addbmm": lambda arguments: int(arguments["batch1"].numel() * arguments["batch2"].shape[-1]),
}
