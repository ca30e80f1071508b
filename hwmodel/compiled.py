"""Compile the inner loops, cached on disk where the disk can be written."""

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a loop over arrays to machine code at its first call, without the interpreter lock.

    The machine code is cached beside the file (or in numba's own cache folder), so that a second process starts fast;
    where neither can be written the function is compiled again in each process.
    """
    try:
        return cast("Function", numba.njit(function, cache=True, nogil=True))
    except RuntimeError:  # numba: "no locator available", nowhere to write the cache
        return cast("Function", numba.njit(function, nogil=True))
