"""ONNX operators as functions of PyTorch tensors: one file for each family, found by presence.

A file lists in ``OPERATORS`` a function for each operator's name. The function takes a `Step` and the node's inputs in order,
None for one that is left out, and returns the node's output or a tuple of its outputs.
"""

from functools import cache

import eventnet.onnx.operators as families
from eventnet.onnx.step import Function
from hwmodel.catalogue import modules_of
from hwmodel.errors import DuplicateNameError


@cache
def operators() -> dict[str, Function]:
    """Return the function of every ONNX operator that has one, by the operator's name."""
    found: dict[str, Function] = {}
    files: dict[str, str] = {}
    for module in modules_of(families):
        for name, function in module.OPERATORS.items():
            if name in found:
                raise DuplicateNameError(
                    f"eventnet.onnx.operators: the operator {name!r} is taken twice, by {files[name]} and {module.__name__}. "
                    "Remove it from one of them."
                )
            found[name], files[name] = function, module.__name__
    return found
