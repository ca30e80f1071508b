"""PyTorch is the judge: what was added up from events against what PyTorch computes for the same call.

Three checks on every multiply-accumulate operator:

- *rounding bound*: ``|event - torch| <= 2 gamma_n S``, with S the sum of ``|a * w|``, ``gamma_n = n u / (1 - n u)`` and u
  the unit roundoff of the accumulator (N. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., section 3.1);
  results rounded to 16 bits may differ by that rounding too, and integers must be equal;
- *products*: every output block received exactly as many products as the tensors say it must;
- *integers*: the same jobs on small positive integers in the same zero pattern, compared with ``==``.

The bound is loose for long sums; the two others are exact and see a single lost product.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from eventnet.product import Product
from eventnet.weights import as_array
from hwmodel.compiled import compiled
from hwmodel.operands import Array
from hwmodel.products import Products

# Unit roundoff of the accumulator, and of the type that the result is rounded to; both sides round once, and a result near
# zero is rounded to a multiple of the type's smallest number.
ACCUMULATOR_ROUNDOFF = {torch.float64: 2.0**-53}
FLOAT32_ROUNDOFF = 2.0**-24
RESULT_ROUNDOFF = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
SMALLEST = {torch.bfloat16: 2.0**-133, torch.float16: 2.0**-24}
EXACT_IN_FLOAT32 = 1 << 24
LARGEST_PRODUCT = 49  # of two small integers


@dataclass(frozen=True)
class Verdict:
    """How one operator agreed with PyTorch.

    ``error_ratio`` is the largest error over its bound; the flags say whether the two exact checks hold.
    """

    name: str
    op: str
    error_ratio: float
    products_equal: bool
    integers_equal: bool

    @property
    def agrees(self) -> bool:
        """Tell whether all three checks hold."""
        return self.error_ratio <= 1 and self.products_equal and self.integers_equal

    def __str__(self) -> str:
        failed = [
            text
            for holds, text in (
                (self.error_ratio <= 1, f"its error is {self.error_ratio:.3g} times the bound"),
                (self.products_equal, "an output block did not receive the products it should"),
                (self.integers_equal, "small integers give another sum"),
            )
            if not holds
        ]
        told = "; ".join(failed) if failed else f"largest error {self.error_ratio:.3g} of the bound, both exact checks hold"
        return f"{self.op} in {self.name!r}: {told}"


@dataclass(frozen=True)
class Agreement:
    """How a run's operators agreed with PyTorch; true if each of them does.

    ``outputs_equal`` is False if the program's final outputs are integers and not those of the untouched program, although
    no threshold and no other numerics moved anything on purpose.
    """

    verdicts: tuple[Verdict, ...]
    outputs_equal: bool = True

    def __bool__(self) -> bool:
        return self.outputs_equal and all(verdict.agrees for verdict in self.verdicts)

    @property
    def worst(self) -> Verdict | None:
        """Return the operator that agrees least; None if nothing was multiplied."""
        order = [(not one.products_equal, not one.integers_equal, one.error_ratio) for one in self.verdicts]
        return self.verdicts[order.index(max(order))] if self.verdicts else None

    def __str__(self) -> str:
        if not self.outputs_equal:
            return "the program's integer outputs are NOT those of the untouched program"
        if not self.verdicts:
            return "no product to compare with PyTorch"
        failed = sum(not verdict.agrees for verdict in self.verdicts)
        if not failed:
            return f"every product agrees with PyTorch, {len(self.verdicts)} compared; worst: {self.worst}"
        return f"{failed} of {len(self.verdicts)} products DISAGREE with PyTorch; worst: {self.worst}"

    @staticmethod
    def of(verdicts: Iterable["Verdict | None"], outputs_equal: bool = True) -> "Agreement":
        """Collect the verdicts of a run's records."""
        return Agreement(tuple(verdict for verdict in verdicts if verdict is not None), outputs_equal)


def judge(product: Product, products: Products, actual: torch.Tensor, expected: torch.Tensor, name: str, op: str) -> Verdict:
    """Compare one product of an operator call with PyTorch.

    Parameters
    ----------
    product
        What was multiplied.
    products
        The sums that the jobs of one machine made of it.
    actual, expected
        The call's result from events and from PyTorch, of the same shape.
    name, op
        What to call it.
    """
    return Verdict(
        name=name,
        op=op,
        error_ratio=error_ratio(product, actual, expected),
        products_equal=products.all_there,
        integers_equal=integers_equal(product, products),
    )


def error_ratio(product: Product, actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest error over its rounding bound; infinite where there is an error and the bound is zero."""
    if not expected.is_floating_point():
        return 0.0 if torch.equal(actual, expected) else float("inf")
    if not expected.numel():
        return 0.0
    terms = product.task.terms + 1  # and what is added to the product
    narrow = RESULT_ROUNDOFF.get(product.accumulator) if product.accumulator is not None else None
    rounding = terms * (narrow or ACCUMULATOR_ROUNDOFF.get(expected.dtype, FLOAT32_ROUNDOFF))
    gamma = rounding / (1 - rounding) if rounding < 1 else float("inf")
    if expected.dtype not in RESULT_ROUNDOFF and actual.dtype == expected.dtype:
        return float(_largest_ratio(_flat(actual), _flat(expected), _flat(product.magnitude()), 2 * gamma))
    bound = 2 * gamma * product.magnitude()
    if expected.dtype in RESULT_ROUNDOFF:
        larger = torch.maximum(expected.abs().double(), actual.abs().double())
        bound = bound + 2 * RESULT_ROUNDOFF[expected.dtype] * larger + SMALLEST[expected.dtype]
    error = (actual.double() - expected.double()).abs()
    same = (actual == expected) | (actual.isnan() & expected.isnan())
    ratio = torch.where(same, torch.zeros_like(error), error / bound)
    return float("inf") if bool(ratio.isnan().any()) else float(ratio.max())


def _flat(tensor: torch.Tensor) -> Array:
    return as_array(tensor).reshape(-1)


@compiled
def _largest_ratio(actual: Array, expected: Array, magnitude: Array, factor: float) -> float:
    """Return the largest error over its bound, ``factor`` times the magnitude; infinite for any that is no number."""
    largest = 0.0
    for one in range(actual.size):
        found, wanted = np.float64(actual[one]), np.float64(expected[one])
        if found == wanted or (found != found and wanted != wanted):
            continue
        bound = factor * magnitude[one]
        ratio = np.inf if bound == 0 else abs(found - wanted) / bound
        if not ratio <= largest:
            largest = np.inf if ratio != ratio else ratio
    return largest


def integers_equal(product: Product, products: Products) -> bool:
    """Compare the sums of small integers with PyTorch's product of the same integers; every bit must agree."""
    sums = products.integer_outputs
    assert sums is not None
    task = product.task
    exact = torch.float32 if task.terms * LARGEST_PRODUCT < EXACT_IN_FLOAT32 else torch.float64
    first = torch.from_numpy(np.ascontiguousarray(task.layout.give_activations(task.activations.integers))).to(exact)
    second = torch.from_numpy(np.ascontiguousarray(task.layout.give_weights(task.weights.integers))).to(exact)
    return bool(np.array_equal(product.multiply(first, second).numpy(), sums))
