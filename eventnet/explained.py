"""Errors that PyTorch or Python raise in a program because it is watched, or is given the wrong input, in our sentences."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hwmodel.errors import ShapeError, UnsupportedError


@contextmanager
def explain_limits(where: str) -> Iterator[None]:
    """Say it in a sentence if a program goes deeper than Python does, or calls operators that compile its branches.

    Raises
    ------
    UnsupportedError
        Instead of RecursionError, and of what PyTorch raises for its control-flow operators.
    """
    try:
        yield
    except RecursionError:
        raise UnsupportedError(
            f"{where}: the program calls deeper than Python's recursion limit of {sys.getrecursionlimit():,} frames, expected "
            "less, at some four frames for each module that is watched. Raise the limit with sys.setrecursionlimit first."
        ) from None
    except RuntimeError as error:
        operator = re.search(r"no rule registered for HigherOrderOperator (\w+)", str(error))
        if operator is None:
            raise
        raise UnsupportedError(
            f"{where}: the program calls PyTorch's operator {operator[1]!r}, which compiles its branches, expected "
            "Python's own control flow, which is watched. Write it with if, for and while."
        ) from None


@contextmanager
def explain(where: str) -> Iterator[None]:
    """Do the same, and say what input a model's convolution wants.

    Raises
    ------
    UnsupportedError
        As `explain_limits`.
    ShapeError
        If a convolution is given other channels than it has.
    """
    try:
        with explain_limits(where):
            yield
    except RuntimeError as error:
        found = re.search(r"to have (\d+) channels, but got (\d+) channels", str(error))
        if found is None:
            raise
        raise ShapeError(
            f"{where}: a convolution is given {found[2]} channels, expected {found[1]}. "
            "Give the model an input with the channels it was built for."
        ) from None
