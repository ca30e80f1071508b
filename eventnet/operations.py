"""Functions that are one vector operation for hardware, but several operators below autograd.

They are known by the Python frame that runs them. A function mode would see them too, but PyTorch takes other ways through its
own modules when one is active, and the watched program would no longer be the untouched one.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from eventnet.ops import functions

PASSED_THROUGH = (str(Path(__file__).parent), str(Path(torch.__file__).parent))


@dataclass(eq=False)
class Operation:
    """One call of such a function.

    Attributes
    ----------
    op
        What records call it.
    input
        What it was given.
    inputs
        Elements of that which go into the vector lanes; 0 until its first operator ran.
    charged
        The passes of backward that its own backward was charged in.
    """

    op: str
    input: Any
    inputs: int = 0
    charged: set[int] = field(default_factory=set)


class Operations:
    """Says which operation, if any, the operator belongs to that runs now."""

    def __init__(self) -> None:
        self._ops = {id(function.__code__): op for function, op in functions().items()}
        self._frame: FrameType | None = None  # held until the next operator, so that its address is not another one's
        self._operation: Operation | None = None

    def current(self) -> Operation | None:
        """Return the operation that the calling operator is a step of.

        Cost: a look at each frame between the operator and the user's own code.
        """
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            code = frame.f_code
            if id(code) in self._ops:
                break
            passed = _PASSED.get(code.co_filename)
            frame = frame.f_back if (_passed_through(code.co_filename) if passed is None else passed) else None
        if frame is not self._frame:
            self._frame, self._operation = frame, None
            if frame is not None:
                self._operation = Operation(self._ops[id(frame.f_code)], frame.f_locals["input"])
        return self._operation

    def forget(self) -> None:
        """Hold on to nothing."""
        self._frame = self._operation = None


_PASSED: dict[str, bool] = {}  # looked up for every frame of every operator, so without another call


def _passed_through(file: str) -> bool:
    """Tell whether a file is one of ours or of PyTorch, and not the user's own."""
    return _PASSED.setdefault(file, file.startswith(PASSED_THROUGH))
