"""The tensors that a program's arguments hold, wherever they lie in them: a graph or a cache is an input like any other."""

from types import FunctionType, ModuleType
from typing import Any

import torch
from torch import nn

NO_INPUTS = (nn.Module, type, ModuleType, FunctionType, str, bytes)


def tensors_in(nested: Any) -> list[torch.Tensor]:
    """List the tensors in nested containers and in the attributes of the objects in them, each once; those of modules are not.

    Cost: one visit to each object that can be reached.
    """
    found = []
    seen: dict[int, Any] = {}  # keeps what it names alive, so that no address is used twice
    waiting = [nested]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, NO_INPUTS):
            continue
        seen[id(one)] = one
        if isinstance(one, torch.Tensor):
            found.append(one)
        elif isinstance(one, dict):
            waiting.extend(reversed(one.values()))
        elif isinstance(one, list | tuple):
            waiting.extend(reversed(one))
        elif hasattr(one, "__dict__"):
            waiting.append(vars(one))
    return found
