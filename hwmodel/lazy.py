"""Attributes that are worked out when they are first asked for.

`functools.cached_property` does the same under a lock until Python 3.12; that costs a microsecond, a dozen times an operator.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801  # it is written as `property` is
    """A method, ``func``, whose value is kept in the instance, under its own name, from its first use on."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.func = make
        self.name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy[T]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "lazy[T] | T":
        """Make the value; later the instance's own attribute is found before this is asked."""
        if instance is None:
            return self
        made = instance.__dict__[self.name] = self.func(instance)
        return made
