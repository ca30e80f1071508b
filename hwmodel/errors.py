"""Errors a user can cause: one complete sentence each, and each also a standard type.

A message reads ``<where>: <what was found>, expected <what>. <what to do>.`` Every class takes exactly that one string,
because SimPy re-creates an exception from its ``args`` when a process fails.
"""


class EventNetError(Exception):
    """Base of every error that a user of ``hwmodel``, ``scheduler`` or ``eventnet`` can cause."""


class ShapeError(EventNetError, ValueError):
    """An array has the wrong number of dimensions or a size that does not fit."""


class ParameterError(EventNetError, ValueError):
    """A parameter of a machine, a task, a plan or a call is unknown or outside its range."""


class UnknownNameError(EventNetError, LookupError):
    """A machine, model, module or price was asked for by a name that nothing has."""


class DuplicateNameError(EventNetError, ValueError):
    """Two files claim the same name."""


class PriceError(EventNetError, LookupError):
    """A machine booked an action that its price table does not price."""


class ValuesError(EventNetError, ValueError):
    """A tensor holds values that no event form can carry, such as infinite weights."""


class CountError(EventNetError, OverflowError):
    """A number of ticks does not fit 64 bits."""


class DataError(EventNetError, ValueError):
    """A file a user named is missing, unreadable or not what it should be."""


class UnsupportedError(EventNetError, NotImplementedError):
    """A program asks for something that has no event form and cannot be run otherwise."""
