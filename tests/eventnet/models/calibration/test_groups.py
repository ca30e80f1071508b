import re

import pytest
from torch import nn

from eventnet.models.calibration.groups import Group, join
from eventnet.models.calibration.layer import Layer
from eventnet.models.calibration.operands import OperandCount
from hwmodel.errors import ParameterError


def layers(**producers):
    return [Layer(name, nn.Linear(1, 1), fed_by, calls=1) for name, fed_by in producers.items()]


def joined(network, **asked):
    """Return each group's producers and consumers by name, for layers of ten operands each."""
    shares = asked or {layer.name: 0.5 for layer in network if layer.producers}
    counts = {name: OperandCount(0, 10, 10) for name in shares}
    return [
        ([layer.name for layer in group.producers], [layer.name for layer in group.consumers])
        for group in join(network, shares, counts)
    ]


def test_layers_in_a_row_are_groups_of_their_own():
    assert joined(layers(a=(), b=("a",), c=("b",))) == [(["a"], ["b"]), (["b"], ["c"])]


def test_layers_that_share_a_producer_are_one_group():
    assert joined(layers(a=(), b=("a",), c=("a",))) == [(["a"], ["b", "c"])]


def test_groups_are_joined_by_a_later_layer_that_shares_a_producer_with_both():
    network = layers(a=(), b=(), c=("a",), d=("b",), e=("a", "b"))
    assert joined(network) == [(["a", "b"], ["c", "d", "e"])]


def test_without_the_layer_that_joins_them_groups_stay_apart():
    network = layers(a=(), b=(), c=("a",), d=("b",), e=("a", "b"))
    assert joined(network, c=0.1, d=0.2) == [(["a"], ["c"]), (["b"], ["d"])]


def test_a_group_comes_after_those_that_move_its_producers():
    # Two branches, one of two layers: what follows them waits for the layer inside, though `short` came before it.
    network = layers(stem=(), short=("stem",), reduce=("stem",), long=("reduce",), last=("short", "long"))
    assert joined(network) == [(["stem"], ["short", "reduce"]), (["reduce"], ["long"]), (["short", "long"], ["last"])]


def test_a_group_that_is_executed_earlier_still_waits_for_what_moves_one_of_its_producers():
    network = layers(early=(), first=("early",), inner=(), late=("inner",), last=("early", "late"))
    assert joined(network) == [(["inner"], ["late"]), (["early", "late"], ["first", "last"])]


def test_groups_that_move_each_other_come_in_the_order_of_execution():
    network = layers(a=(), b=("a",), c=("b",), d=("a", "c"))
    assert joined(network) == [(["a", "c"], ["b", "d"]), (["b"], ["c"])]


def test_a_groups_target_is_the_mean_weighted_by_operands():
    counts = {"b": OperandCount(0, 10, 10), "c": OperandCount(0, 30, 10)}
    (group,) = join(layers(a=(), b=("a",), c=("a",)), {"b": 0.2, "c": 0.6}, counts)
    assert group.target == pytest.approx(0.5)


def test_a_target_that_all_share_is_kept_exactly():
    counts = {name: OperandCount(0, 3, 3) for name in "bcd"}
    (group,) = join(layers(a=(), b=("a",), c=("a",), d=("a",)), dict.fromkeys("bcd", 0.1), counts)
    assert group.target == 0.1


def test_a_group_that_a_run_did_not_reach_is_refused():
    consumers = tuple(layers(b=("a",), c=("a",)))
    group = Group(tuple(layers(a=())), consumers, target=0.5)
    message = (
        "eventnet.models.calibrate: b, c was not reached with shifted biases, expected the same calls in every run. "
        "Calibrate a model that takes the same path whatever its values."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        group.count({name: OperandCount(0, 0, 0) for name in "bc"})
