"""What the schema of an aten operator tells: its arguments by name, what it writes into, whether it costs anything."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch

PRODUCT_TYPES = (
    torch.float64, torch.float32, torch.bfloat16, torch.float16,
    torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8,
)  # fmt: skip

STRIDED = torch.strided
_is_wrapped = torch._C._functorch.is_functorch_wrapped_tensor  # asked of every tensor of every operator

# The layouts that event forms take, and those whose values lie in memory at all.
SPARSE_LAYOUTS = (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc)
STORED_LAYOUTS = (*SPARSE_LAYOUTS, torch.sparse_bsr, torch.sparse_bsc)

# Draws and factories write values that come from no operand; reshapes that copy nothing are views in all but name.
FREE = frozenset(
    (
        "_unsafe_view",
        "alias",
        "bernoulli",
        "cauchy",
        "detach",
        "exponential",
        "fill",
        "geometric",
        "lift",
        "lift_fresh",
        "log_normal",
        "multinomial",
        "normal",
        "poisson",
        "random",
        "randperm",
        "_foreach_zero",
        "_resize_output",
        "resize",
        "resize_as",
        "set",
        "uniform",
        "zero",
    )
)


def tensors_in(nested: Any) -> list[torch.Tensor]:
    """List the tensors among what an operator takes or gives, which nests nothing but tuples, lists and dicts."""
    if isinstance(nested, torch.Tensor):
        return [nested]
    found: list[torch.Tensor] = []
    _collect(nested if isinstance(nested, tuple) else (nested,), found)
    return found


def _collect(several: Iterable[Any], found: list[torch.Tensor]) -> None:
    for one in several:
        if isinstance(one, torch.Tensor):
            found.append(one)
        elif isinstance(one, tuple | list):
            _collect(one, found)
        elif isinstance(one, dict):
            _collect(one.values(), found)


@cache
def base_name(func: Any) -> str:
    """Return an operator's name without its namespace and the mark of its in-place variant: ``aten.relu_`` is relu."""
    name: str = func._schema.name.split("::")[-1]
    return name[:-1] if name.endswith("_") and not name.endswith("__") else name


@cache
def is_composite(func: Any) -> bool:
    """Tell whether an operator is only a composition of others; such arrive under inference mode."""
    name = func.name()
    if name not in _operator_names():  # PyTorch ends the process when it is asked for one that it does not know
        return False
    return torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")


@cache
def _operator_names() -> frozenset[str]:
    return frozenset(torch._C._dispatch_get_all_op_names())


def has_storage(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor lies in memory as strides say: sparse, nested, meta and `torch.func`'s tensors do not."""
    return tensor.layout is STRIDED and not tensor.is_meta and not tensor.is_nested and not _is_wrapped(tensor)


def has_values(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor's values lie in memory: those of a dense tensor do, and what a sparse one stores."""
    return has_storage(tensor) or (tensor.layout in STORED_LAYOUTS and not tensor.is_meta)


def stored(tensor: torch.Tensor) -> torch.Tensor:
    """Return the dense tensor that holds a tensor's values: itself, or what a sparse one stores."""
    if tensor.layout is torch.strided:
        return tensor
    values: torch.Tensor = tensor._values() if tensor.layout == torch.sparse_coo else tensor.detach().values()
    return values


def values_of(result: Any) -> tuple[torch.Tensor, ...]:
    """List the dense tensors that hold the values of what an operator gives."""
    if isinstance(result, torch.Tensor) and has_storage(result):
        return (result,)
    return tuple(stored(tensor) for tensor in tensors_in(result) if has_values(tensor))


def can_decompose(tensors: list[torch.Tensor]) -> bool:
    """Tell whether composite operators can be taken apart: every tensor's values lie in memory, or it has none at all."""
    return all(has_values(tensor) or tensor.is_meta for tensor in tensors)


def can_multiply(func: Any, tensors: list[torch.Tensor], sparse: bool = False) -> bool:
    """Tell whether event forms can take these operands, with ``sparse`` those that take sparse ones too."""
    fits = has_values if sparse else has_storage
    return func._overloadname in ("default", "out") and all(
        fits(tensor) and tensor.is_cpu and tensor.dtype in PRODUCT_TYPES and not tensor.is_quantized for tensor in tensors
    )


@cache
def is_always_free(func: Any) -> bool:
    """Tell whether an operator costs nothing whatever it is given: views, factories and random draws."""
    if base_name(func) in FREE or is_factory(func) or torch.Tag.inplace_view in func.tags:
        return True
    return any(one.alias_info is not None and not one.alias_info.is_write for one in func._schema.returns)


@cache
def is_factory(func: Any) -> bool:
    """Tell whether an operator makes a tensor after the shape of another one, whose values it does not read."""
    name = base_name(func)
    return name.endswith("_like") or name.startswith("new_")


@cache
def is_mutable(func: Any) -> bool:
    """Tell whether an operator writes into one of its arguments."""
    return bool(func._schema.is_mutable)


@cache
def is_random(func: Any) -> bool:
    """Tell whether an operator draws from a generator."""
    return torch.Tag.nondeterministic_seeded in func.tags


@dataclass(frozen=True)
class _Argument:
    name: str
    keyword_only: bool
    default: Any
    written: bool


@cache
def _arguments(func: Any) -> tuple[_Argument, ...]:
    return tuple(
        _Argument(one.name, one.kwarg_only, one.default_value, one.alias_info is not None and one.alias_info.is_write)
        for one in func._schema.arguments
    )


def named_arguments(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[dict[str, Any], torch.Tensor | None]:
    """Return every argument of a call by its name, defaults included, and the tensor that the call writes into."""
    arguments: dict[str, Any] = {}
    into = None
    for place, one in enumerate(_arguments(func)):
        given = args[place] if place < len(args) and not one.keyword_only else kwargs.get(one.name, one.default)
        if one.written:
            into = given
            if one.keyword_only:
                continue  # out= is no operand
        arguments[one.name] = given
    return arguments, into


def written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """List the tensors that a call writes into, those of fused optimizers included."""
    if not is_mutable(func):
        return []
    return tensors_in(
        [
            args[place] if place < len(args) and not one.keyword_only else kwargs.get(one.name)
            for place, one in enumerate(_arguments(func))
            if one.written
        ]
    )


@cache
def functional(func: Any) -> Any:
    """Return the variant of an operator that writes into none of its arguments."""
    packet = getattr(torch.ops.aten, base_name(func), None)
    if not is_mutable(func) or packet is None or "default" not in packet.overloads():
        return func
    return packet.default


def write(into: torch.Tensor | None, result: Any) -> Any:
    """Return the result, written into the argument that an in-place or out= call hands back."""
    if into is None:
        return result
    if into.shape != result.shape:
        into.resize_(result.shape)
    return into.copy_(result)
