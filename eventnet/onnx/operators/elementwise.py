"""Operators that take each element by itself, or pairs of them with broadcasting: arithmetic, comparisons, logic."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch

from eventnet.onnx.step import Function, Step

Tensor = torch.Tensor
UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)


def widened(function: Function) -> Function:
    """Compute on unsigned integers, for which PyTorch has little, as 64-bit signed ones."""

    def run(step: Step, *tensors: Tensor | None) -> Any:
        first = next(one for one in tensors if one is not None)
        if first.dtype not in UNSIGNED:
            return function(step, *tensors)
        kind = first.dtype
        wide = [None if one is None or one.dtype not in UNSIGNED else one.to(torch.int64) for one in tensors]
        if kind == torch.uint64 and any(one is not None and bool((one < 0).any()) for one in wide):
            raise step.unsupported("a 64-bit unsigned integer is 2^63 or larger", "a smaller one")
        kept = [one if instead is None else instead for one, instead in zip(tensors, wide, strict=True)]
        result = function(step, *kept)
        results = result if isinstance(result, tuple) else (result,)
        back = tuple(one.to(kind) if place == 0 and one.dtype == torch.int64 else one for place, one in enumerate(results))
        return back if isinstance(result, tuple) else back[0]

    return run


def _plain(function: Callable[..., Tensor]) -> Function:
    return widened(lambda step, *tensors: function(*tensors))


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Function:
    return widened(lambda step, *tensors: reduce(function, tensors))


def _divide(a: Tensor, b: Tensor) -> Tensor:
    if a.is_floating_point():
        return torch.div(a, b)
    minus = b == -1
    if not bool(minus.any()):
        return torch.div(a, b, rounding_mode="trunc")
    # The smallest integer by -1 ends the process: no processor can hold the result.
    return torch.where(minus, -a, torch.div(a, torch.where(minus, 1, b), rounding_mode="trunc")).to(a.dtype)


def _power(base: Tensor, exponent: Tensor) -> Tensor:
    return torch.pow(base, exponent).to(base.dtype)


def _modulo(step: Step, a: Tensor, b: Tensor) -> Tensor:
    return torch.fmod(a, b) if step.get("fmod", 0) else torch.remainder(a, b)


def _shift(step: Step, a: Tensor, b: Tensor) -> Tensor:
    left = step.get("direction") == "LEFT"
    return torch.bitwise_left_shift(a, b) if left else torch.bitwise_right_shift(a, b)


def _mean(step: Step, *tensors: Tensor) -> Tensor:
    return reduce(torch.add, tensors) / len(tensors)


def _clip(step: Step, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    for bound, attribute, choose in ((low, "min", torch.maximum), (high, "max", torch.minimum)):
        limit = step.get(attribute) if bound is None else bound
        if isinstance(limit, Tensor):
            x = choose(x, limit.to(x.dtype))
        elif limit is not None:
            x = torch.clamp(x, **{attribute: limit})
    return x


def _is_infinite(step: Step, x: Tensor) -> Tensor:
    found = torch.zeros_like(x, dtype=torch.bool)
    if step.get("detect_positive", 1):
        found = found | torch.isposinf(x)
    if step.get("detect_negative", 1):
        found = found | torch.isneginf(x)
    return found


def _sign(x: Tensor) -> Tensor:
    return torch.sign(x)


OPERATORS: dict[str, Function] = {
    "Abs": _plain(torch.abs),
    "Acos": _plain(torch.acos),
    "Acosh": _plain(torch.acosh),
    "Add": _plain(torch.add),
    "And": _plain(torch.logical_and),
    "Asin": _plain(torch.asin),
    "Asinh": _plain(torch.asinh),
    "Atan": _plain(torch.atan),
    "Atanh": _plain(torch.atanh),
    "BitShift": widened(_shift),
    "BitwiseAnd": _plain(torch.bitwise_and),
    "BitwiseNot": _plain(torch.bitwise_not),
    "BitwiseOr": _plain(torch.bitwise_or),
    "BitwiseXor": _plain(torch.bitwise_xor),
    "Ceil": _plain(torch.ceil),
    "Clip": widened(_clip),
    "Cos": _plain(torch.cos),
    "Cosh": _plain(torch.cosh),
    "Div": _plain(_divide),
    "Equal": _plain(torch.eq),
    "Erf": _plain(torch.erf),
    "Exp": _plain(torch.exp),
    "Floor": _plain(torch.floor),
    "Greater": _plain(torch.gt),
    "GreaterOrEqual": _plain(torch.ge),
    "IsInf": widened(_is_infinite),
    "IsNaN": _plain(torch.isnan),
    "Less": _plain(torch.lt),
    "LessOrEqual": _plain(torch.le),
    "Log": _plain(torch.log),
    "Max": _folded(torch.maximum),
    "Mean": _mean,
    "Min": _folded(torch.minimum),
    "Mod": widened(_modulo),
    "Mul": _plain(torch.mul),
    "Neg": _plain(torch.neg),
    "Not": _plain(torch.logical_not),
    "Or": _plain(torch.logical_or),
    "Pow": widened(lambda step, base, exponent: _power(base, exponent)),
    "Reciprocal": _plain(torch.reciprocal),
    "Round": _plain(torch.round),
    "Sign": _plain(_sign),
    "Sin": _plain(torch.sin),
    "Sinh": _plain(torch.sinh),
    "Sqrt": _plain(torch.sqrt),
    "Sub": _plain(torch.sub),
    "Sum": _folded(torch.add),
    "Tan": _plain(torch.tan),
    "Tanh": _plain(torch.tanh),
    "Where": _plain(torch.where),
    "Xor": _plain(torch.logical_xor),
}
