"""Find machines by their presence: every file in ``hwmodel/machines``, and the entry points ``eventnet.machines``."""

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from importlib.metadata import entry_points
from types import ModuleType
from typing import Any

import hwmodel.machines as machine_files
from hwmodel.errors import DuplicateNameError, ParameterError, UnknownNameError
from hwmodel.machine import Machine

ENTRY_POINTS = "eventnet.machines"


def machines() -> dict[str, str]:
    """Return every machine's name with one line about its paper, sorted by name."""
    return {name: machine.paper for name, machine in sorted(_machines().items())}


def load(name: str, /, **parameters: Any) -> Machine:
    """Make a machine by name, with any of its parameters changed.

    Raises
    ------
    UnknownNameError
        If no machine has that name.
    ParameterError
        If it has no such parameter, or the value is out of its range.

    Examples
    --------
    >>> load("cnvlutin", lanes=32).lanes
    32
    """
    known = _machines()
    if not isinstance(name, str) or name not in known:
        raise UnknownNameError(f"hwmodel.load: no machine is called {name!r}, {expected_one_of(str(name), known)}")
    machine = known[name]
    allowed = [one.name for one in fields(machine) if "doc" in one.metadata]
    for parameter in parameters:
        if parameter not in allowed:
            raise ParameterError(
                f"hwmodel.load: machine {name!r} has no parameter {parameter!r}, {expected_one_of(parameter, allowed)}"
            )
    return machine(**parameters)


def expected_one_of(name: str, known: Iterable[str]) -> str:
    """End an error's sentence about a name: what is known, and the nearest of it."""
    listed = sorted(known)
    near = difflib.get_close_matches(name, listed, n=1)
    return f"expected one of {', '.join(listed)}." + (f" Did you mean {near[0]!r}?" if near else "")


def modules_of(package: ModuleType) -> list[ModuleType]:
    """Import every module of a package that is beside the others, in sorted order."""
    names = sorted(found.name for found in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"{package.__name__}.{name}") for name in names]


@cache
def _machines() -> dict[str, type[Machine]]:
    found: dict[str, type[Machine]] = {}
    classes = [one for module in modules_of(machine_files) for one in _classes(module)]
    classes += [point.load() for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)]
    for machine in classes:
        if machine.name in found:
            raise DuplicateNameError(
                f"hwmodel.machines: the name {machine.name!r} is taken twice, by {found[machine.name].__module__} "
                f"and {machine.__module__}. Rename one of them."
            )
        found[machine.name] = machine
    return found


def _classes(module: ModuleType) -> list[type[Machine]]:
    own = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    return [one for one in own if issubclass(one, Machine)]
