"""What a module holds besides its parameters' values, to be put back after a run that must leave nothing behind."""

from collections import OrderedDict, deque
from copy import copy

import torch
from torch import nn

CONTAINERS = (dict, OrderedDict, list, set, deque)
HOOKS = frozenset(vars(nn.Module())) - {"_buffers", "_modules", "_parameters", "training"}


class ModuleState:
    """The attributes of one module: which buffers, parameters and modules it has, its numbers, and what its containers hold.

    What else an attribute refers to is the program's: an object of its own, an open file.
    """

    def __init__(self, module: nn.Module) -> None:
        self._module = module
        scripted = isinstance(module, torch.jit.ScriptModule)
        own = {} if scripted else {name: value for name, value in vars(module).items() if name not in HOOKS}
        self._attributes = {name: (value, copy(value) if type(value) in CONTAINERS else None) for name, value in own.items()}

    def put_back(self) -> None:
        """Make the module hold what it held."""
        if not self._attributes:
            return
        attributes = vars(self._module)
        for name in [name for name in attributes if name not in HOOKS and name not in self._attributes]:
            del attributes[name]
        for name, (value, held) in self._attributes.items():
            attributes[name] = value
            if held is not None:
                value.clear()
                value.extend(held) if isinstance(value, list | deque) else value.update(held)
