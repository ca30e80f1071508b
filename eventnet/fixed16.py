"""Fixed point of 16 bits, as DaDianNao and Cnvlutin use it: integers, equal bit for bit to a plain integer reference."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from eventnet.numerics import ROLES, Numerics, Rounded, Total
from eventnet.product import Product
from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError, UnsupportedError, ValuesError

LEAST, MOST = -(2**15), 2**15 - 1  # 16 bits, two's complement
# With these, every number that flows on is exact in float32: 2**15 * 2**112 is below its largest, 2**-126 its smallest normal.
FEWEST_FRACTION_BITS, MOST_FRACTION_BITS = -112, 126
# What PyTorch's float64 adds exactly, products and addend together: 2**52 of each.
LARGEST_SUM = 2**52
MOST_TERMS = LARGEST_SUM // (LEAST * LEAST)

FractionBits = int | Mapping[str, int | Mapping[str, int]]


@dataclass(frozen=True)
class Fixed16(Numerics):
    """Fixed point of 16 bits, two's complement, saturating, with a binary point for each tensor.

    A number x is written as the integer ``q = round(x * 2**f)``, half to even, saturated to -32768 .. 32767, and stands for
    ``q * 2**-f``. Products of two such integers are exact in the accumulator, which has 64 bits here: the 32 of the hardware
    and more, so that it never overflows (at most 2**22 products are added, each at most 2**30). What is added to the products
    enters at their own binary point, the sum of both operands', rounded half to even; if it is too large for that (above
    2**52 there), both have as many fraction bits fewer as make it fit. A factor of the products (``alpha``) multiplies the
    accumulators in float64, rounded half to even: exact for integers as long as their products with it stay below 2**52.
    ``beta`` multiplies the addend in float64 before it is rounded. The result is rounded half to even to its own binary point
    and saturates. An infinite addend, as the masks of attention are, makes that infinity of the result, as in PyTorch.

    Parameters
    ----------
    fraction_bits
        Binary points, -112 to 126, that are chosen and not calibrated: one for all tensors, or for some modules by name one for
        all of the module's tensors or a dict of those for ``activations``, ``weights`` and ``outputs``. In backward only those
        of weights hold. Everywhere else the binary point is calibrated each time that a tensor is rounded: the most fraction
        bits with which all of its elements fit.

    Raises
    ------
    ParameterError
        If a binary point is none.

    Examples
    --------
    >>> import torch, eventnet
    >>> layer = torch.nn.Linear(2, 1, bias=False)
    >>> layer.weight.data = torch.tensor([[0.5, -1.25]])
    >>> run = eventnet.simulate(layer, torch.tensor([[3.0, 1.0]]), numerics=eventnet.Fixed16(fraction_bits=1))
    >>> run.outputs.item()  # -1.25 is -2.5 halves, which rounds to -2
    0.5
    """

    fraction_bits: FractionBits = field(default_factory=dict)
    name = "fixed16"

    def __post_init__(self) -> None:
        if isinstance(self.fraction_bits, Mapping):
            for module, chosen in self.fraction_bits.items():
                if not isinstance(chosen, Mapping):
                    _check_fraction_bits(f"fraction_bits of {module!r}", chosen)
                    continue
                for role, bits in chosen.items():
                    if role not in ROLES:
                        raise ParameterError(
                            f"eventnet.Fixed16: fraction_bits of {module!r} names {role!r}, {expected_one_of(str(role), ROLES)}"
                        )
                    _check_fraction_bits(f"fraction_bits of the {role} of {module!r}", bits)
        else:
            _check_fraction_bits("fraction_bits", self.fraction_bits)

    def rounds(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is floating point."""
        return tensor.is_floating_point()

    def operand(self, tensor: Tensor, fraction_bits: int | None, where: str) -> Rounded:
        """Write a tensor in integers; scaling by a power of two is exact, so that only this rounds.

        Raises
        ------
        ValuesError
            If the tensor holds NaN or infinite values.
        """
        given = tensor.detach()
        _refuse(~given.isfinite(), "operands are NaN or infinite, expected finite ones", where)
        wide = given if given.dtype == torch.float64 else given.float()  # a type that scaling is exact in
        bits = calibrated(wide) if fraction_bits is None else fraction_bits
        scaled = torch.round(wide * 2.0**bits)
        values = scaled.clamp(LEAST, MOST).to(torch.int16)
        saturated = int(((scaled < LEAST) | (scaled > MOST)).sum())
        return Rounded(values, bits, saturated, vanished=int(((values == 0) & (wide != 0)).sum()))

    def addend(self, tensor: Tensor, where: str) -> Tensor:
        """Widen to float64: it is rounded when the binary point of the products is known.

        Raises
        ------
        ValuesError
            If the tensor holds NaN.
        """
        _refuse(tensor.isnan(), "addends are NaN, expected none", where)
        return tensor.detach().double()

    def reference(self, func: Any, arguments: dict[str, Any], operands: Mapping[str, Rounded], addend: str, where: str) -> Any:
        """Let PyTorch's float64, which is exact here, compute on the integers; bare products where the rest would round.

        Raises
        ------
        ValuesError
            If a factor of the products or of the addend is NaN or infinite.
        """
        for factor in ("alpha", "beta"):
            if not math.isfinite(arguments.get(factor, 1)):
                raise ValuesError(
                    f"{where}: {factor} is {arguments[factor]}, expected a finite number, because numerics 'fixed16' has no "
                    "number for what it gives. Repair the program, or run it in floating point."
                )
        changed = arguments | {name: rounded.values.double() for name, rounded in operands.items()}
        if addend and arguments[addend] is not None:
            given, _ = _apart(arguments[addend] * arguments.get("beta", 1))
            bits = sum(rounded.fraction_bits or 0 for rounded in operands.values())
            whole = _adds_up(arguments.get("alpha", 1), given, bits)
            changed[addend] = torch.round(given * 2.0**bits) if whole else torch.zeros_like(given)
        changed |= {name: 1 for name in ("alpha", "beta") if name in arguments}
        return func(**changed)

    def expected(self, product: Product, first: Rounded, second: Rounded, found: Tensor, where: str) -> Total:
        """Take PyTorch's exact integers.

        Raises
        ------
        UnsupportedError
            If so many products are added that they would not be exact.
        """
        if product.task.terms > MOST_TERMS:
            raise UnsupportedError(
                f"{where}: a sum has {product.task.terms} products, expected at most {MOST_TERMS} with numerics 'fixed16', so "
                "that PyTorch's float64 can judge it exactly. Run it in floating point."
            )
        assert torch.equal(found, torch.round(found)), "PyTorch's float64 does not add integers exactly"
        bits = _point(first, second)
        finite, infinities = (None, None) if product.addend is None else _apart(product.addend)
        if _adds_up(product.scale, finite, bits):
            return Total(found.to(torch.int64), bits, infinities)
        return _sum(found, product.scale, product.addend, bits)

    def total(self, product: Product, first: Rounded, second: Rounded, outputs: Tensor, expected: Total) -> Total:
        """Scale the accumulators, and add what is added."""
        return _sum(product.finish(outputs), product.scale, product.addend, _point(first, second))

    def finish(self, total: Total, fraction_bits: int | None, like: Tensor, where: str) -> Rounded:
        """Round to 16 bits, and bring the numbers that these stand for into the program's type."""
        assert total.fraction_bits is not None
        rounded = self.operand(total.values.double() * 2.0**-total.fraction_bits, fraction_bits, where)
        assert rounded.fraction_bits is not None
        exact = rounded.values.double() * 2.0**-rounded.fraction_bits
        if total.infinities is not None:
            exact = exact + total.infinities
        return replace(rounded, values=torch.empty_like(like).copy_(exact))

    def chosen(self, module: str, role: str) -> int | None:
        """Return the binary point that was chosen for one of a module's tensors."""
        if not isinstance(self.fraction_bits, Mapping):
            return self.fraction_bits
        of_module = self.fraction_bits.get(module, {})
        return of_module.get(role) if isinstance(of_module, Mapping) else of_module

    def modules(self) -> list[str]:
        """List the modules for which a binary point was chosen."""
        return list(self.fraction_bits) if isinstance(self.fraction_bits, Mapping) else []

    def as_dict(self) -> Any:
        """Return the name, with what was chosen if anything was."""
        if isinstance(self.fraction_bits, Mapping):
            bits: Any = {name: dict(one) if isinstance(one, Mapping) else one for name, one in self.fraction_bits.items()}
        else:
            bits = self.fraction_bits
        return self.name if bits == {} else {"name": self.name, "fraction_bits": bits}


def calibrated(tensor: Tensor) -> int:
    """Return the most fraction bits with which every element of a tensor fits into 16 bits; 0 if all are zero."""
    bits = _most_fraction_bits(tensor, LEAST, MOST)
    return 0 if bits is None else min(max(bits, FEWEST_FRACTION_BITS), MOST_FRACTION_BITS)


def _point(first: Rounded, second: Rounded) -> int:
    assert first.fraction_bits is not None
    assert second.fraction_bits is not None
    return first.fraction_bits + second.fraction_bits


def _fits(tensor: Tensor, most: int) -> int:
    """Return the most fraction bits, up to so many, with which no element is larger than the largest sum."""
    bits = _most_fraction_bits(tensor, -LARGEST_SUM, LARGEST_SUM)
    return most if bits is None else min(bits, most)


def _adds_up(scale: float, addend: Tensor | None, bits: int) -> bool:
    """Tell whether an addend can be added to products with so many fraction bits as they are."""
    return scale == 1 and (addend is None or _fits(addend, bits) == bits)


def _sum(done: Tensor, scale: float, addend: Tensor | None, bits: int) -> Total:
    """Scale integers and add to them, with as many of their fraction bits as let both fit; all in float64, exact but scale."""
    scaled = done.double() * scale
    kept = bits + _fits(scaled, 0)
    if addend is None:
        return Total(torch.round(scaled * 2.0 ** (kept - bits)).to(torch.int64), kept)
    finite, infinities = _apart(addend)
    kept = _fits(finite, kept)
    total = torch.round(scaled * 2.0 ** (kept - bits)) + torch.round(finite * 2.0**kept)
    return Total(total.to(torch.int64), kept, infinities)


def _apart(addend: Tensor) -> tuple[Tensor, Tensor]:
    """Return an addend with zeros for infinities, and the infinities with zeros for all else."""
    infinite = addend.isinf()
    return addend.masked_fill(infinite, 0), addend.masked_fill(~infinite, 0)


def _most_fraction_bits(tensor: Tensor, least: int, most: int) -> int | None:
    """Return the most fraction bits with which every element lies between two integers when rounded; None if all are zero."""
    low, high = (float(one) for one in torch.aminmax(tensor))
    if low == high == 0:
        return None
    bits = most.bit_length() + 1 - math.frexp(max(-low, high))[1]  # one too many, at least
    while round(math.ldexp(high, bits)) > most or round(math.ldexp(low, bits)) < least:
        bits -= 1
    return bits


def _refuse(bad: Tensor, what: str, where: str) -> None:
    """Raise ValuesError if anything is bad."""
    count = int(bad.sum())
    if count:
        raise ValuesError(
            f"{where}: {count} of {bad.numel()} {what}, because numerics 'fixed16' has no number for them. Repair the program, "
            "or run it in floating point."
        )


def _check_fraction_bits(what: str, bits: object) -> None:
    if not isinstance(bits, int) or isinstance(bits, bool) or not FEWEST_FRACTION_BITS <= bits <= MOST_FRACTION_BITS:
        raise ParameterError(
            f"eventnet.Fixed16: {what} is {bits!r}, expected an integer from {FEWEST_FRACTION_BITS} to {MOST_FRACTION_BITS}: "
            "how many of the 16 bits are behind the binary point, fewer than 0 or more than 16 to scale."
        )
