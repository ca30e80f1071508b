"""Which module an operator call belongs to, forward and backward.

PyTorch's own tracker loses recursion and exceptions, so this keeps a stack: pushed before a module's forward, popped
after it whatever happened. Backward runs after the stack is gone; there the autograd node's sequence number, noted when
the forward operator ran, leads back to the module.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

import torch
from torch import nn

if TYPE_CHECKING:
    from eventnet.operations import Operation


@dataclass(frozen=True)
class Place:
    """A module's name, and how many times it was called before this call."""

    name: str
    call: int


class ModuleStack:
    """The modules that one watched program is inside of, outermost first.

    Parameters
    ----------
    root
        The model of a simulation, whose modules are named by their path in it. Otherwise what to call the program outside
        of any module; every outermost module is then named by its class, and the modules in it by their path behind that.
    on_enter
        Called with each module that was not seen before, and with the arguments of outermost modules.
    """

    def __init__(self, root: nn.Module | str, on_enter: Callable[[nn.Module, tuple[Any, ...]], None]) -> None:
        self._names: dict[int, tuple[ref[nn.Module], str]] = {}
        self._calls: Counter[str] = Counter()
        self._stack: list[Place] = []
        self._forward_places: dict[int, Place] = {}
        self._forward_operations: dict[int, Operation] = {}
        self.operation: Operation | None = None
        self._on_enter = on_enter
        self._outside = Place(root if isinstance(root, str) else type(root).__name__, 0)
        if isinstance(root, nn.Module):
            self._name_all(root, "")

    @property
    def inside(self) -> bool:
        """Tell whether any module's forward is running."""
        return bool(self._stack)

    def enter(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Push a module whose forward begins."""
        name = self._name(module)
        if name is None or not self._stack:
            if name is None:
                above = f"{self._stack[-1].name}." if self._stack else ""
                self._name_all(module, above + type(module).__name__)
                name = self._name(module) or ""
            self._on_enter(module, args if not self._stack else ())
        self._stack.append(Place(name, self._calls[name]))
        self._calls[name] += 1

    def leave(self) -> None:
        """Pop the module whose forward has ended, by return or by exception."""
        if self._stack:
            self._stack.pop()

    def place(self, operation: "Operation | None" = None) -> Place:
        """Return where the operator that runs now belongs, and note it, and what it is a step of, for its backward."""
        self.operation = operation
        node = torch._C._current_autograd_node()
        if node is not None:
            return self._forward_places.get(node._sequence_nr(), self._outside)
        if torch.is_grad_enabled():
            # The operator's own node already exists, so the next number is one beyond it.
            number = torch._C._autograd._get_sequence_nr() - 1
            self._forward_places[number] = self.here
            if self.operation is not None:
                self._forward_operations[number] = self.operation
        return self.here

    @property
    def here(self) -> Place:
        """Give the innermost module whose forward is running, or the program outside of any."""
        return self._stack[-1] if self._stack else self._outside

    def operation_of_backward(self) -> "Operation | None":
        """Return the vector operation of several operators whose backward runs now, if it is that of one."""
        node = torch._C._current_autograd_node()
        return None if node is None else self._forward_operations.get(node._sequence_nr())

    def _name(self, module: nn.Module) -> str | None:
        """Return a module's name; None if it has none yet."""
        found = self._names.get(id(module))
        return found[1] if found is not None and found[0]() is module else None

    def _name_all(self, module: nn.Module, prefix: str) -> None:
        for path, one in module.named_modules():
            if self._name(one) is None:
                name = ".".join(part for part in (prefix, path) if part) or type(module).__name__
                self._names[id(one)] = ref(one, partial(_drop, self._names, id(one))), name


def _drop(names: dict[int, Any], key: int, _: Any) -> None:
    names.pop(key, None)


class _Calls:
    """The call of every module, replaced while anyone watches; it acts on the watching thread's stack alone.

    PyTorch's global hooks would do, but they cost a frame more of Python's stack for each module, a fifth of the depth to which
    a program may call itself; they are not given keyword arguments, and not run when a forward is interrupted. What calls a
    module by a `nn.Module.__call__` that it kept from before is not seen as its call, and neither is `module.forward(...)`.

    `end` undoes as much as `begin` has done, and may be called again, in case an interrupt cut either short.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._local = threading.local()
        self._watching: set[int] = set()  # threads
        self._original: Any = None
        self._watched: Any = None

    @property
    def active(self) -> ModuleStack | None:
        """Return the stack of this thread's watched program, if there is one."""
        return getattr(self._local, "stack", None)

    def begin(self, stack: ModuleStack) -> None:
        with self._lock:
            if not self._watching:
                self._original = nn.Module.__call__
                self._watched = self._watched_call(self._original)
                nn.Module.__call__ = self._watched  # type: ignore[method-assign]
            self._watching.add(threading.get_ident())
            self._local.stack = stack

    def end(self) -> None:
        self._local.stack = None
        with self._lock:
            self._watching.discard(threading.get_ident())
            if not self._watching and nn.Module.__call__ is self._watched:  # or somebody has put another one above it
                nn.Module.__call__ = self._original  # type: ignore[method-assign]

    def _watched_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return a module's call that keeps the stack of the thread that it is made in.

        It does nothing of its own once there is a newer one, below which it may still be called: what somebody else has put
        above it outlasts `end`, or puts it back afterwards.
        """
        local = self._local

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            stack: ModuleStack | None = getattr(local, "stack", None)
            if stack is None or self._watched is not call:
                return original(module, *args, **kwargs)
            stack.enter(module, (args, kwargs))
            try:
                if original is nn.Module._wrapped_call_impl and module._compiled_call_impl is None:
                    return module._call_impl(*args, **kwargs)  # type: ignore[no-untyped-call]  # the original without its frame
                return original(module, *args, **kwargs)
            finally:
                stack.leave()

        return call


CALLS = _Calls()
