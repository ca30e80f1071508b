"""A SimPy environment whose time is counted in integer ticks."""

from typing import TYPE_CHECKING

from simpy import Environment

if TYPE_CHECKING:

    class TickEnvironment(Environment):
        """SimPy's environment as the event engine uses it: every delay is an integer, so every time is."""

        @property
        def now(self) -> int:
            """Return the current tick."""

else:
    TickEnvironment = Environment
