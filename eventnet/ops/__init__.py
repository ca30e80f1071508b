"""Operators: one file each, found by presence.

A file lists in ``FORMS`` the event forms of aten operators, in ``VECTORS`` those without products, which are counted, and in
``REWRITES`` fused operators as functions of plain ones. Such a function takes the operator's arguments by name and returns
all its results; the operators in it are watched in turn. It returns NotImplemented for a call that it cannot express, which
then runs in PyTorch as ``other``. ``FUNCTIONS`` lists public functions that are one vector operation, but several operators
below autograd.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import torch

import eventnet.ops as op_files
from eventnet.aten import base_name
from eventnet.call import Form
from eventnet.vector import VectorForm
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


@cache
def vectors() -> dict[str, VectorForm]:
    """Return the vector form of every aten operator that a file lists by name."""
    return _by_operator("VECTORS", lambda listed: {name: form for form in listed for name in form.aten})


@cache
def tagged_vectors() -> dict[Any, VectorForm]:
    """Return the vector forms of whatever aten gives a tag, by the tag."""
    return _by_operator("VECTORS", lambda listed: {form.tag: form for form in listed if form.tag is not None})


@cache
def functions() -> dict[Any, str]:
    """Return the public functions that are one vector operation, with what records call it."""
    return _by_operator("FUNCTIONS", lambda listed: {one: op for op, several in dict(listed).items() for one in several})


@cache
def vector_form(func: Any) -> VectorForm | None:
    """Return the vector form of an aten operator, by its name or its tags; None if it has none."""
    named = vectors().get(base_name(func))
    if named is not None:
        return named
    tags = _tags(base_name(func)) | frozenset(func.tags)
    return next((form for tag, form in tagged_vectors().items() if tag in tags), None)


@cache
def _tags(name: str) -> frozenset[Any]:
    """Collect the tags of all variants of an operator: those that write into an argument often lack them."""
    packet = getattr(torch.ops.aten, name, None)
    overloads = [] if packet is None else packet.overloads()
    return frozenset(tag for overload in overloads for tag in getattr(packet, overload).tags)


def _by_operator(attribute: str, listed: Callable[[Any], Mapping[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    files: dict[Any, str] = {}
    for module in modules_of(op_files):
        for name, what in listed(getattr(module, attribute, ())).items():
            if name in found:
                raise DuplicateNameError(
                    f"eventnet.ops: the operator {name!r} is taken twice, by {files[name]} and {module.__name__}. "
                    "Remove it from one of them."
                )
            found[name], files[name] = what, module.__name__
    return found
