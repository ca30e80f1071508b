"""Operators: one file each, found by presence.

A file lists in ``FORMS`` the event forms of aten operators, and in ``REWRITES`` fused operators as functions of plain ones.
Such a function takes the operator's arguments by name and returns all its results; the operators in it are watched in turn.
It returns NotImplemented for a call that it cannot express, which then runs in PyTorch as ``other``.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import eventnet.ops as op_files
from eventnet.call import Form
from hwmodel.catalogue import modules_of
from hwmodel.errors import DuplicateNameError


@cache
def forms() -> dict[str, Form]:
    """Return the event form of every aten operator that has one, by the operator's name."""
    return _by_operator("FORMS", lambda listed: {name: form for form in listed for name in form.aten})


@cache
def rewrites() -> dict[str, Callable[..., Any]]:
    """Return the function that expresses each fused aten operator by plain ones, by the operator's name."""
    return _by_operator("REWRITES", dict)


def _by_operator(attribute: str, listed: Callable[[Any], Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    files: dict[str, str] = {}
    for module in modules_of(op_files):
        for name, what in listed(getattr(module, attribute, ())).items():
            if name in found:
                raise DuplicateNameError(
                    f"eventnet.ops: the operator {name!r} is taken twice, by {files[name]} and {module.__name__}. "
                    "Remove it from one of them."
                )
            found[name], files[name] = what, module.__name__
    return found
