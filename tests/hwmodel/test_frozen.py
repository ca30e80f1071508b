from dataclasses import FrozenInstanceError, field, fields, replace
from inspect import signature

import pytest

from hwmodel.frozen import frozen


@frozen
class Lane:
    name: str
    ticks: int = 3
    counts: list = field(default_factory=list)
    kept: dict = field(default_factory=dict, init=False)

    def __post_init__(self):
        if self.ticks < 0:
            raise ValueError(self.name)


@frozen
class WideLane(Lane):
    width: int = 16


def test_it_is_made_as_any_dataclass_is():
    lane = Lane("a", counts=[1])
    assert (lane.name, lane.ticks, lane.counts, lane.kept) == ("a", 3, [1], {})
    assert Lane("b").counts is not Lane("b").counts
    assert WideLane("c", 1, width=2).width == 2
    assert [one.name for one in fields(WideLane)] == ["name", "ticks", "counts", "kept", "width"]
    assert repr(Lane("d")) == "Lane(name='d', ticks=3, counts=[], kept={})"
    assert list(signature(Lane).parameters) == ["name", "ticks", "counts"]


def test_it_is_frozen_and_compared_by_identity():
    lane = Lane("a")
    with pytest.raises(FrozenInstanceError):
        lane.ticks = 4
    assert lane != Lane("a")
    assert hash(lane) != hash(Lane("a"))
    assert replace(lane, ticks=5).ticks == 5


def test_arguments_that_do_not_fit_are_refused_as_python_does():
    with pytest.raises(TypeError, match=r"Lane\.__init__\(\) missing 1 required positional argument: 'name'"):
        Lane()
    with pytest.raises(TypeError, match="unexpected keyword argument 'lanes'"):
        Lane("a", lanes=2)
    with pytest.raises(ValueError, match="a"):
        Lane("a", -1)
