"""Parameters of machines: each a checked field of a frozen dataclass, with its own words."""

import math
from dataclasses import field, fields
from numbers import Integral, Real
from typing import Any

from hwmodel.errors import ParameterError


def parameter(default: Any, doc: str, minimum: float | None = None, choices: tuple[Any, ...] | None = None) -> Any:
    """Declare a machine's parameter: its value in the paper, what it is, and what it may be.

    Integers stay integers (a lane count of 2.5 is refused), a float may be given as an integer, and a flag is a bool.
    """
    return field(default=default, metadata={"doc": doc, "minimum": minimum, "choices": choices})


def check_parameters(machine: Any, where: str) -> None:
    """Raise ParameterError if a declared parameter of a dataclass has the wrong type or is out of its range."""
    for one in fields(machine):
        if "doc" not in one.metadata:
            continue
        value, minimum, choices = getattr(machine, one.name), one.metadata["minimum"], one.metadata["choices"]
        if choices is not None:
            if value not in choices:
                listed = ", ".join(repr(choice) for choice in choices)
                raise ParameterError(f"{where}: {one.name} is {value!r}, expected one of {listed}.")
        elif isinstance(one.default, bool):
            if not isinstance(value, bool):
                raise ParameterError(f"{where}: {one.name} is {value!r}, expected True or False ({one.metadata['doc']}).")
        else:
            kind, word = (Integral, "an integer") if isinstance(one.default, int) else (Real, "a number")
            if isinstance(value, bool) or not isinstance(value, kind) or not minimum <= value < math.inf:
                raise ParameterError(
                    f"{where}: {one.name} is {value!r}, expected {word} of at least {minimum} ({one.metadata['doc']})."
                )
