"""Find which layers feed which: watch one run of a model, operator by operator."""

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from eventnet.models.calibration.layer import Layer, MultiplyingLayer


def watch(model: nn.Module, x: Tensor) -> list[Layer]:
    """Run a model once and return its convolutions and linear layers in the order of their first calls.

    Shapes: ``x`` is what the model takes. Raises whatever the model raises.
    """
    names = {module: name for name, module in model.named_modules() if isinstance(module, MultiplyingLayer)}
    watcher = _Watcher()
    with ExitStack() as stack:
        for module, name in names.items():
            enter, leave = partial(watcher.enter, name), partial(watcher.leave, name)
            stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        stack.enter_context(watcher)
        model(x)
    modules = {name: module for module, name in names.items()}
    order = list(watcher.calls)
    return [
        Layer(name, modules[name], tuple(one for one in order if one in watcher.feeding[name]), watcher.calls[name])
        for name in order
    ]


def operand_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    """Return the input of a convolution or linear layer from the arguments of its call."""
    operand: Tensor = args[0] if args else kwargs["input"]
    return operand


class _Watcher(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """Carry the names of producers from tensor to tensor, below autograd.

    What an operator returns or writes has the producers of everything it reads. Tensors are told apart by their
    storage, so that views and in-place operators need no rule of their own. Storages are kept alive until the run ends:
    a freed one's address would otherwise come back under another tensor.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        self.calls: dict[str, int] = {}
        self.feeding: dict[str, set[str]] = {}
        self._producers: dict[int, frozenset[str]] = {}
        self._kept: list[torch.UntypedStorage] = []

    def enter(self, name: str, module: MultiplyingLayer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note that a layer is called, and whose outputs it reads."""
        self.calls[name] = self.calls.get(name, 0) + 1
        self.feeding.setdefault(name, set()).update(self._of([operand_of(args, kwargs)]))

    def leave(self, name: str, module: MultiplyingLayer, args: tuple[Any, ...], output: Tensor) -> None:
        """Note that a layer's output is its own: whatever it read ends here."""
        self._set([output], frozenset([name]))

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        producers = self._of(_tensors((args, kwargs)))
        if producers and not _reads_shape_only(func):
            self._set([*_tensors(result), *_written(func, args, kwargs)], producers)
        return result

    def _of(self, tensors: Iterable[Tensor]) -> frozenset[str]:
        nobody: frozenset[str] = frozenset()
        return nobody.union(*(self._producers.get(tensor.untyped_storage()._cdata, nobody) for tensor in tensors))

    def _set(self, tensors: Iterable[Tensor], producers: frozenset[str]) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            self._kept.append(storage)
            self._producers[storage._cdata] = producers


def _tensors(tree: Any) -> list[Tensor]:
    # A sparse tensor has no storage of its own; what is multiplied by it is dense.
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor) and leaf.layout == torch.strided]


def _reads_shape_only(func: Any) -> bool:
    """Tell whether an operator makes a tensor in the likeness of another, such as ``zeros_like`` and ``new_zeros``."""
    name: str = func.overloadpacket.__name__
    return name.endswith("_like") or name.startswith("new_")


def _written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the arguments that an operator writes into, such as ``out`` or the first one of ``relu_``."""
    written: list[Tensor] = []
    for place, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            written += _tensors(value)
    return written
