"""Put together the layers that share a producer: they cannot each be given a share of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eventnet.models.calibration.layer import Layer
from eventnet.models.calibration.operands import NO_OPERANDS, OperandCount
from eventnet.models.calibration.shares import WHERE
from hwmodel.errors import ParameterError


@dataclass(frozen=True)
class Group:
    """Layers that meet one zero share over their operands together, and the layers that feed them.

    Parameters
    ----------
    producers
        Layers whose outputs are shifted, in execution order.
    consumers
        Layers whose operands are counted, in execution order; no layer outside shares a producer with one of them.
    target
        The zero share to meet: the mean of what was asked of the consumers, weighted by their operands.
    """

    producers: tuple[Layer, ...]
    consumers: tuple[Layer, ...]
    target: float

    def count(self, counts: Mapping[str, OperandCount]) -> OperandCount:
        """Add up the operands of the consumers, counted by name.

        Raises
        ------
        ParameterError
            If the run that was counted reached none of them.
        """
        count = sum((counts[layer.name] for layer in self.consumers), NO_OPERANDS)
        if count.total == 0:
            raise ParameterError(
                f"{WHERE}: {listed(self.consumers)} was not reached with shifted biases, expected the same calls in "
                "every run. Calibrate a model that takes the same path whatever its values."
            )
        return count


def join(layers: Sequence[Layer], asked: Mapping[str, float], counts: Mapping[str, OperandCount]) -> list[Group]:
    """Return the groups of the layers that were asked for a share, each after those whose shifts move its operands.

    Where a skip connection makes two groups move each other, the one that is executed first comes first.

    Parameters
    ----------
    layers
        All layers of the model, in execution order.
    asked
        Shares by name of layer.
    counts
        The operands of each layer that was asked, by name.
    """
    joined: list[tuple[set[str], list[Layer]]] = []
    for layer in layers:
        if layer.name not in asked:
            continue
        touching = [group for group in joined if not group[0].isdisjoint(layer.producers)]
        joined = [group for group in joined if group not in touching]
        names = set(layer.producers).union(*(group[0] for group in touching))
        joined.append((names, [*(consumer for group in touching for consumer in group[1]), layer]))
    order = {layer.name: place for place, layer in enumerate(layers)}
    groups = [
        Group(
            producers=tuple(layer for layer in layers if layer.name in names),
            consumers=tuple(sorted(consumers, key=lambda layer: order[layer.name])),
            target=_weighted(consumers, asked, counts),
        )
        for names, consumers in joined
    ]
    return _in_order(sorted(groups, key=lambda group: order[group.consumers[0].name]), _upstream(layers))


def _upstream(layers: Sequence[Layer]) -> dict[str, set[str]]:
    """Return the names of all layers that a layer's operands depend on, by its name."""
    upstream: dict[str, set[str]] = {}
    for layer in layers:
        upstream[layer.name] = set(layer.producers).union(*(upstream.get(name, ()) for name in layer.producers))
    return upstream


def _in_order(groups: list[Group], upstream: Mapping[str, set[str]]) -> list[Group]:
    ordered: list[Group] = []
    waiting = list(groups)
    while waiting:
        free = [group for group in waiting if not any(_moves(one, group, upstream) for one in waiting if one != group)]
        following = (free or waiting)[0]
        ordered.append(following)
        waiting.remove(following)
    return ordered


def _moves(mover: Group, moved: Group, upstream: Mapping[str, set[str]]) -> bool:
    """Tell whether shifting one group's producers changes what another group's producers put out."""
    shifted = {layer.name for layer in mover.producers}
    return any(not shifted.isdisjoint(upstream[layer.name]) for layer in moved.producers)


def listed(layers: Sequence[Layer]) -> str:
    """Name layers in a sentence."""
    return ", ".join(layer.name for layer in layers)


def _weighted(consumers: Sequence[Layer], asked: Mapping[str, float], counts: Mapping[str, OperandCount]) -> float:
    shares = {asked[layer.name] for layer in consumers}
    if len(shares) == 1:  # exactly what was asked, without the rounding of a mean
        return shares.pop()
    total = sum(counts[layer.name].total for layer in consumers)
    return sum(asked[layer.name] * counts[layer.name].total for layer in consumers) / total
