import pytest

from hwmodel import geometry
from hwmodel.errors import ShapeError


def test_products_of_the_same_shapes_share_a_geometry_whoever_asks():
    made = geometry.matmul("here", (3, 4), (4, 2))
    assert geometry.matmul("there", (3, 4), (4, 2)) is made
    assert geometry.matmul("here", (4,), (4, 2)) is not made
    assert geometry.convolution("here", (1, 5, 5), (1, 1, 3, 3), (1, 1), (0, 0), (1, 1), 1) is not geometry.convolution(
        "here", (1, 5, 5), (1, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1
    )


def test_shapes_that_do_not_fit_are_refused_each_time_under_the_name_of_who_asks():
    for where in ("here", "there"):
        with pytest.raises(ShapeError, match=f"^{where}: operands of shape"):
            geometry.matmul(where, (3, 4), (5, 2))


def test_only_so_many_geometries_are_kept(monkeypatch):
    monkeypatch.setattr(geometry, "KEPT", 1)
    first = geometry.matmul("here", (7, 4), (4, 2))
    assert geometry.matmul("here", (7, 4), (4, 2)) is first
    geometry.matmul("here", (8, 4), (4, 2))
    assert geometry.matmul("here", (7, 4), (4, 2)) is not first
