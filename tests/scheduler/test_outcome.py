from dataclasses import replace

import numpy as np
import pytest

import hwmodel
from hwmodel import Ledger, Task, Unit
from hwmodel.products import multiply_all
from scheduler import Outcome


def small_outcome() -> Outcome:
    """Make ten ticks of three copies: one busy throughout, one that stalls, one that idles."""
    return Outcome(
        ticks=10,
        busy_ticks=np.array([10, 4, 0]),
        stall_ticks=np.array([0, 6, 0]),
        idle_ticks=np.array([0, 0, 10]),
        useful_ticks=14,
        jobs=5,
        ledger=Ledger(),
        units=(Unit("lane", 3),),
        products=None,
    )


def test_check_passes_if_the_time_of_every_copy_is_accounted_for():
    small_outcome().check()


@pytest.mark.parametrize(
    "changes",
    [
        {"ticks": 11},
        {"busy_ticks": np.array([10, 5, 0])},
        {"stall_ticks": np.array([0, 5, 0])},
        {"idle_ticks": np.array([1, 0, 9])},
        {"useful_ticks": 15},
    ],
)
def test_check_notices_time_that_is_lost_or_invented(changes):
    with pytest.raises(AssertionError):
        replace(small_outcome(), **changes).check()


def test_outputs_are_those_of_the_products():
    assert small_outcome().outputs is None
    products = multiply_all(Task.matmul(np.array([1, 2]), np.array([[3], [4]])))
    assert replace(small_outcome(), products=products).outputs.tolist() == [11]
    masked = multiply_all(hwmodel.Task.matmul((2,), (2, 1)), integers=True)
    assert replace(small_outcome(), products=masked).outputs is None
