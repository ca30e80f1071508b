"""Find the quantile whose shift gives a group of layers its zero share."""

from dataclasses import dataclass

from torch import Tensor, nn

from eventnet.models.calibration.groups import Group, listed
from eventnet.models.calibration.shares import WHERE
from eventnet.models.calibration.shifts import OutputQuantiles
from eventnet.models.calibration.trial import run_trial
from hwmodel.errors import ParameterError

# A zero share this near to the target is met, and one that other groups move by no more than this stays met.
TOLERANCE = 0.001

# Layers of few activations cannot come that near: each one moves the share by its part, or by a few parts where it is
# pooled or convolved several times over, and half of such a step may be missing.
ACTIVATIONS_MISSING = 2

# False position is quick where the share is smooth in the quantile, bisection sure where it is a staircase: they take
# turns at first, then bisection goes on alone.
TRIALS = 15
TAKING_TURNS = 6


@dataclass(frozen=True)
class Met:
    """The zero share that a group came to, and, by name of producer, the thresholds that its bias is to lose."""

    quantile: float
    zero_share: float
    activations: int
    thresholds: dict[str, Tensor]


def meet(group: Group, model: nn.Module, x: Tensor) -> Met:
    """Find the shift of a group's producers that brings its consumers nearest to the group's target.

    Raises
    ------
    ParameterError
        If no shift comes near the target; the message says what shares are reached.

    Notes
    -----
    Cost: up to 15 runs of the model, each as far as the last consumer.
    """
    quantiles = [OutputQuantiles(layer) for layer in group.producers]

    def at(quantile: float) -> Met:
        trial = run_trial(model, x, group.consumers, quantiles, quantile)
        count = group.count(trial.counts)
        return Met(quantile, count.zero_share, count.activations, trial.thresholds)

    # The ends are guesses: a shift below every output leaves no zeros, one above every output leaves nothing else.
    low_quantile, low_share = 0.0, 0.0
    high_quantile, high_share = 1.0, 1.0
    nearest: Met | None = None
    for turn in range(TRIALS):
        bisect = turn % 2 == 1 or turn >= TAKING_TURNS
        weight = 0.5 if bisect else (group.target - low_share) / (high_share - low_share)
        met = at(low_quantile + weight * (high_quantile - low_quantile))
        if nearest is None or _missing(met, group) < _missing(nearest, group):
            nearest = met
        if _missing(nearest, group) <= TOLERANCE:
            return nearest
        if met.zero_share < group.target:
            low_quantile, low_share = met.quantile, met.zero_share
        else:
            high_quantile, high_share = met.quantile, met.zero_share
    assert nearest is not None
    if _missing(nearest, group) > max(2 * TOLERANCE, ACTIVATIONS_MISSING / nearest.activations):
        raise ParameterError(_unreached(group, nearest, at(0.0), at(1.0)))
    return nearest


def _missing(met: Met, group: Group) -> float:
    return abs(met.zero_share - group.target)


def _unreached(group: Group, nearest: Met, lowest: Met, highest: Met) -> str:
    return (
        f"{WHERE}: {listed(group.consumers)} came to a zero share of {nearest.zero_share:.4f} at the nearest, expected "
        f"{group.target:.4f}. Shifting {listed(group.producers)} gives {lowest.zero_share:.4f} to "
        f"{highest.zero_share:.4f} here, zeros in the padding included; ask for a share that it reaches."
    )
