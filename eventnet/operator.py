"""What is known of an aten operator before any call of it, and one call as it arrives below autograd."""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from eventnet import aten
from eventnet.call import Form
from eventnet.ops import forms, rewrites, vector_form
from eventnet.vector import VectorForm
from hwmodel.frozen import frozen


@frozen
class Operator:
    """An aten operator, looked up once: its schema and tags, and the forms that it has here.

    Attributes
    ----------
    func, name
        PyTorch's own object, and the name without namespace and the mark of an in-place variant.
    form, vector_form, rewrite
        How it becomes events, vector work or plain operators, where it does (eventnet/ops).
    is_composite
        Whether it is only a composition of other operators.
    is_mutable, is_factory, is_random, is_free
        Whether it writes into an argument, makes a tensor after another one's shape, draws numbers, and costs nothing.
    """

    func: Any
    name: str
    form: Form | None
    vector_form: VectorForm | None
    rewrite: Callable[..., Any] | None
    is_composite: bool
    is_mutable: bool
    is_factory: bool
    is_random: bool
    is_free: bool

    @staticmethod
    @cache
    def of(func: Any) -> "Operator":
        """Look an operator up."""
        name = aten.base_name(func)
        plain = func._overloadname in ("default", "out")
        return Operator(
            func,
            name,
            form=forms().get(name),
            vector_form=vector_form(func),
            rewrite=rewrites().get(name) if plain else None,
            is_composite=aten.is_composite(func),
            is_mutable=aten.is_mutable(func),
            is_factory=aten.is_factory(func),
            is_random=aten.is_random(func),
            is_free=aten.is_always_free(func),
        )


class OperatorCall:
    """One call of an operator.

    Attributes
    ----------
    operator, args, kwargs
        What is called, and with what.
    tensors
        The tensors among that.
    """

    __slots__ = ("_named", "args", "kwargs", "operator", "tensors")

    def __init__(self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.operator, self.args, self.kwargs = operator, args, kwargs
        self.tensors = aten.tensors_in((args, kwargs) if kwargs else args)
        self._named: tuple[dict[str, Any], torch.Tensor | None] | None = None

    def run(self) -> Any:
        """Let PyTorch compute it."""
        return self.operator.func(*self.args, **self.kwargs)

    @property
    def arguments(self) -> dict[str, Any]:
        """Every argument by its name, defaults included."""
        return self.named[0]

    @property
    def named(self) -> tuple[dict[str, Any], torch.Tensor | None]:
        """Every argument by its name, and the tensor that the call writes into; see `aten.named_arguments`."""
        if self._named is None:
            self._named = aten.named_arguments(self.operator.func, self.args, self.kwargs)
        return self._named

    def is_free(self, result: Any) -> bool:
        """Tell whether it costs nothing: views, factories, random draws, and questions that give no tensor."""
        return self.operator.is_free or not self.tensors or not (isinstance(result, torch.Tensor) or aten.tensors_in(result))
