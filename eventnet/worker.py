"""A program in a thread of its own that runs only while somebody waits for it: strict hand-over, so nothing is ever at once.

PyTorch keeps what watches it for each thread. Two programs that take turns operator by operator therefore have a thread each,
and the thread that simulates time waits while either of them computes. Who runs next is decided by that one alone, never by
the operating system.
"""

import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any


class Stopped(BaseException):
    """Raised inside a program that is not wanted any more; no ``except Exception`` holds it up."""


class Worker:
    """One program in its thread.

    Parameters
    ----------
    program
        What runs there; it calls `hand_over` to let others go on.

    Attributes
    ----------
    value
        What the program returned, once it has.
    """

    def __init__(self, program: Callable[["Worker"], Any]) -> None:
        self.value: Any = None
        self._program = program
        self._thread: threading.Thread | None = None
        self._to_worker: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._from_worker: SimpleQueue[tuple[str, Any]] = SimpleQueue()

    def hand_over(self, what: Any) -> Any:
        """Give something to who waits for the program, in its thread; return the reply.

        Raises
        ------
        Stopped
            If the program is not wanted any more.
        """
        self._from_worker.put(("gives", what))
        kind, reply = self._to_worker.get()
        if kind == "stop":
            raise Stopped
        if kind == "throw":
            raise reply
        return reply

    def begin(self) -> Any:
        """Run the program until it hands something over; return that, None if it is over."""
        self._thread = threading.Thread(target=self._run, name="eventnet job", daemon=True)
        self._thread.start()
        return self._wait()

    def reply(self, value: Any) -> Any:
        """Let the program go on with a reply, as `begin` does."""
        self._to_worker.put(("reply", value))
        return self._wait()

    def throw(self, error: BaseException) -> Any:
        """Let the program go on with an error, as `begin` does."""
        self._to_worker.put(("throw", error))
        return self._wait()

    def stop(self) -> None:
        """End the program wherever it is, and its thread with it."""
        while self._thread is not None and not sys.is_finalizing():
            self._to_worker.put(("stop", None))
            kind, _ = self._from_worker.get()
            if kind != "gives":  # it may catch everything and go on to its next operator
                self._join()

    def _wait(self) -> Any:
        kind, value = self._from_worker.get()
        if kind == "gives":
            return value
        self._join()
        if kind == "raised":
            raise value
        self.value = value
        return None

    def _join(self) -> None:
        assert self._thread is not None
        self._thread.join()
        self._thread = None

    def _run(self) -> None:
        try:
            message = "returned", self._program(self)
        except BaseException as error:
            message = "raised", error
        self._from_worker.put(message)
