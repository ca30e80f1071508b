"""Read what zero share was asked of each layer."""

from collections.abc import Mapping, Sequence
from numbers import Real

from eventnet.models.calibration.layer import Layer
from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError, UnknownNameError

ZeroFraction = float | Sequence[float] | Mapping[str, float]

WHERE = "eventnet.models.calibrate"


def asked_shares(zero_fraction: ZeroFraction, layers: Sequence[Layer]) -> dict[str, float]:
    """Return the share asked of each layer by name; a layer that a mapping does not name is left out.

    Parameters
    ----------
    zero_fraction
        One share for all, one for each layer in order, or one by name.
    layers
        The layers that have producers, in execution order.

    Raises
    ------
    ParameterError
        If a share is not a number in [0, 1), or a sequence has another length than there are layers.
    UnknownNameError
        If a name is no layer's.
    """
    names = [layer.name for layer in layers]
    if isinstance(zero_fraction, Mapping):
        for name in zero_fraction:
            if name not in names:
                raise UnknownNameError(f"{WHERE}: zero_fraction names {name!r}, {expected_one_of(str(name), names)}")
        return {name: _checked(share, f"zero_fraction of {name}") for name, share in zero_fraction.items()}
    if hasattr(zero_fraction, "tolist"):  # an array or a tensor
        zero_fraction = zero_fraction.tolist()
    if isinstance(zero_fraction, Real):
        return dict.fromkeys(names, _checked(zero_fraction, "zero_fraction"))
    if isinstance(zero_fraction, str) or not isinstance(zero_fraction, Sequence):
        raise ParameterError(
            f"{WHERE}: zero_fraction is {zero_fraction!r}, expected a number, a sequence or a dict of numbers. "
            "Give one share for all layers, or one for each."
        )
    if len(zero_fraction) != len(names):
        raise ParameterError(
            f"{WHERE}: zero_fraction has {len(zero_fraction)} entries, expected {len(names)}, one for each of "
            f"{', '.join(names)}. Give a dict to calibrate only some of them."
        )
    return {name: _checked(share, f"zero_fraction of {name}") for name, share in zip(names, zero_fraction, strict=True)}


def _checked(share: object, what: str) -> float:
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= float(share) < 1:
        raise ParameterError(
            f"{WHERE}: {what} is {share!r}, expected a number from 0 to below 1. Give the share of operands to be zero."
        )
    return float(share)
