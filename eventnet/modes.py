"""What sees a program run: every operator below autograd, in this thread."""

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch._C import DispatchKey
from torch.utils._python_dispatch import TorchDispatchMode

from eventnet import aten
from eventnet.operator import Operator, OperatorCall

if TYPE_CHECKING:
    from eventnet.watch import Watcher


class OperatorMode(TorchDispatchMode):
    """Hands every operator of this thread to a watcher; composite and fused operators come again as their parts."""

    def __init__(self, watcher: "Watcher") -> None:
        super().__init__()
        self._watcher = watcher

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Keep PyTorch from importing its compiler for every mode, which takes longer than importing PyTorch itself."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # Where the compiler is present, the program may be a compiled one, which must not compile the watcher as well.
        take = self._take_uncompiled if "torch._dynamo" in sys.modules else self._take
        return take(func, args, kwargs or {})

    def _take(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        operator = Operator.of(func)
        call = OperatorCall(operator, args, kwargs)
        if operator.is_composite and aten.can_decompose(call.tensors):
            with self:  # by its own kernel: PyTorch also has decompositions in Python, which round otherwise
                return func._op_dk(DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        if operator.rewrite is not None:
            arguments, into = call.named
            with self:
                parts = operator.rewrite(**arguments)
            if parts is not NotImplemented:
                return aten.write(into, parts)
        return self._watcher.operator(call)

    _take_uncompiled = torch._disable_dynamo(_take, recursive=True)  # type: ignore[attr-defined]  # PyTorch's own modes use it
