"""What sees a program run: every operator below autograd, in this thread."""

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch._C import DispatchKey
from torch.utils._python_dispatch import TorchDispatchMode

from eventnet import aten
from eventnet.ops import rewrites

if TYPE_CHECKING:
    from eventnet.watch import Watcher


class OperatorMode(TorchDispatchMode):
    """Hands every operator of this thread to a watcher; composite and fused operators come again as their parts."""

    def __init__(self, watcher: "Watcher") -> None:
        super().__init__()
        self._watcher = watcher
        self._rewrites = rewrites()

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
        if aten.is_composite(func) and aten.can_decompose((args, kwargs)):
            with self:  # by its own kernel: PyTorch also has decompositions in Python, which round otherwise
                return func._op_dk(DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        rewrite = self._rewrites.get(aten.base_name(func))
        if rewrite is not None and func._overloadname in ("default", "out"):
            arguments, into = aten.named_arguments(func, args, kwargs)
            with self:
                parts = rewrite(**arguments)
            if parts is not NotImplemented:
                return aten.write(into, parts)
        return self._watcher.operator(func, args, kwargs)

    _take_uncompiled = torch._disable_dynamo(_take, recursive=True)  # type: ignore[attr-defined]  # PyTorch's own modes use it
