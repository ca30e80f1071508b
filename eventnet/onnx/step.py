"""One node of an ONNX graph as its operator's function sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from hwmodel.errors import UnsupportedError

Function = Callable[..., Any]
LARGEST_TENSOR = 2**31


@dataclass(frozen=True)
class Step:
    """What a node says besides its inputs.

    Attributes
    ----------
    where
        The file and the node, as errors begin.
    operator
        The operator's name in the ONNX standard.
    opset
        The version of the standard that the file is written in.
    outputs
        How many outputs the node names.
    attributes
        Its attributes, as Python numbers, strings, tuples and tensors.
    """

    where: str
    operator: str
    opset: int
    outputs: int = 1
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or its default."""
        return self.attributes.get(name, default)

    def check_elements(self, count: int) -> None:
        """Refuse to make a tensor larger than any model needs: its size is only a number in the file, or an input.

        Raises
        ------
        UnsupportedError
            If it would have more than 2^31 elements.
        """
        if count > LARGEST_TENSOR:
            raise self.unsupported(f"a tensor of {count} elements is to be made", f"at most {LARGEST_TENSOR}")

    def unsupported(self, found: str, expected: str) -> UnsupportedError:
        """Make the error for something that this operator cannot do here."""
        return UnsupportedError(f"{self.where}: {found}, expected {expected}. Export the model without it.")


def integers(values: list[int] | tuple[int, ...]) -> torch.Tensor:
    """Make a tensor of 64-bit integers, as a factory does: from no operand, and so with no unknown origin."""
    made = torch.zeros(len(values), dtype=torch.int64)
    made.numpy()[:] = values
    return made


def axis_of(axis: int, rank: int) -> int:
    """Return an axis counted from the front.

    Raises
    ------
    IndexError
        If there is no such axis.
    """
    if not -max(1, rank) <= axis < max(1, rank):
        raise IndexError(f"axis {axis} is out of the range of {rank} dimensions")
    return axis + rank if axis < 0 else axis


def listed(values: torch.Tensor | None) -> list[int] | None:
    """Return the values of a tensor of integers as a list, or None if the input was left out."""
    return None if values is None else [int(one) for one in values.detach().flatten().tolist()]
