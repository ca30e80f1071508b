"""What sees a program run: every operator below autograd, and the few public functions that are one vector operation."""

from typing import TYPE_CHECKING, Any

from torch._C import DispatchKey
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from eventnet import aten
from eventnet.ops import functions, rewrites

if TYPE_CHECKING:
    from eventnet.watch import Watcher


class OperatorMode(TorchDispatchMode):
    """Hands every operator of this thread to a watcher; composite and fused operators come again as their parts."""

    def __init__(self, watcher: "Watcher") -> None:
        super().__init__()
        self._watcher = watcher
        self._rewrites = rewrites()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if aten.is_composite(func) and aten.all_have_values((args, kwargs)):
            with self:  # by its own kernel: PyTorch also has decompositions in Python, which round otherwise
                return func._op_dk(DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        rewrite = self._rewrites.get(aten.base_name(func))
        if rewrite is not None and func._overloadname == "default":
            arguments, _ = aten.named_arguments(func, args, kwargs)
            with self:
                parts = rewrite(**arguments)
            if parts is not NotImplemented:
                return parts
        return self._watcher.operator(func, args, kwargs)


class FunctionMode(TorchFunctionMode):
    """Tells a watcher of functions that are one vector operation, but arrive below autograd as several operators."""

    def __init__(self, watcher: "Watcher") -> None:
        super().__init__()
        self._watcher = watcher
        self._functions = functions()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        op = self._functions.get(func)
        if op is None:
            return func(*args, **(kwargs or {}))
        with self._watcher.one_operation(op, (args, kwargs)) as operation:
            operation.result = func(*args, **(kwargs or {}))
        return operation.result
