"""How far a program's final outputs moved from those of the untouched program."""

from dataclasses import dataclass
from math import inf
from typing import Any

import torch
from torch.utils._pytree import tree_flatten

from eventnet import aten


@dataclass(frozen=True)
class Difference:
    """The largest difference of the final outputs, absolute and relative to the largest output.

    Reported, and judged only where outputs are integers (``integers_equal``) of a run without threshold in the tensors' own
    numerics: rounding moves floats, and the two others move everything on purpose. ``comparable`` is False if the outputs have
    another structure, as those of a program with a deadline may. ``not_finite`` counts elements that are NaN or infinite in the
    untouched program's outputs.
    """

    maximum: float
    relative: float
    integers_equal: bool = True
    comparable: bool = True
    not_finite: int = 0

    @property
    def size(self) -> str:
        """Give both in words."""
        return f"{self.maximum:.3g} ({self.relative:.3g} relative)"

    def __str__(self) -> str:
        if not self.comparable:
            return "outputs have another structure than the untouched program's"
        lost = f"; {self.not_finite:,} of its elements are NaN or infinite" if self.not_finite else ""
        return f"outputs differ from the untouched program's by at most {self.size}{lost}"


def difference(outputs: Any, reference: Any) -> Difference:
    """Compare two nested outputs of a program."""
    found, found_tree = tree_flatten(outputs)
    wanted, wanted_tree = tree_flatten(reference)
    tensors = [pair for pair in zip(found, wanted, strict=False) if isinstance(pair[1], torch.Tensor)]
    if found_tree != wanted_tree or any(
        not isinstance(ours, torch.Tensor) or ours.shape != theirs.shape for ours, theirs in tensors
    ):
        return Difference(float("nan"), float("nan"), comparable=False)
    largest = moved = 0.0
    not_finite = 0
    integers_equal = True
    for ours, theirs in tensors:
        if not theirs.numel() or not aten.has_storage(theirs) or theirs.is_quantized:
            continue
        if not theirs.is_floating_point() and not theirs.is_complex():
            integers_equal = integers_equal and torch.equal(ours, theirs)
        wide = torch.complex128 if theirs.is_complex() else torch.float64
        ours, theirs = ours.detach().to(wide), theirs.detach().to(wide)
        not_finite += int((~theirs.isfinite()).sum())
        apart = torch.where((ours == theirs) | (ours.isnan() & theirs.isnan()), 0.0, (ours - theirs).abs())
        moved = max(moved, float(apart.nan_to_num(nan=inf).max()))  # a NaN on one side only is as far as can be
        largest = max(largest, float(theirs.abs().nan_to_num(nan=0.0).max()))
    return Difference(moved, moved / largest if largest else moved, integers_equal, not_finite=not_finite)
