from dataclasses import replace

import pytest

from hwmodel.frozen import frozen
from hwmodel.lazy import lazy


@frozen
class Square:
    side: int

    @lazy
    def area(self) -> int:
        """Give the area."""
        if self.side < 0:
            raise ValueError("no side")
        CALLS.append(self.side)
        return self.side**2


CALLS: list[int] = []


def test_it_is_worked_out_once_for_each_instance():
    CALLS.clear()
    two, three = Square(2), Square(3)
    assert [two.area, two.area, three.area, two.area] == [4, 4, 9, 4]
    assert CALLS == [2, 3]
    assert replace(two, side=5).area == 25


def test_what_could_not_be_worked_out_is_tried_again():
    square = Square(-1)
    for _ in range(2):
        with pytest.raises(ValueError, match="no side"):
            square.area  # noqa: B018  # reading it is what raises


def test_the_class_has_the_method_and_its_docstring():
    assert isinstance(Square.area, lazy)
    assert Square.area.func(Square(4)) == 16
    assert Square.area.__doc__ == "Give the area."
