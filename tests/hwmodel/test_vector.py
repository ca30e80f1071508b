"""Vector work: rows of elements dealt to the copies of a unit."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import ParameterError, Unit, VectorTask
from hwmodel.vector import vector_plan


def block_of(elements, copies, width, results=0):
    plan = vector_plan(VectorTask("pool", elements, results), Unit("lane", copies), width, {"read": 2}, {"write": 3})
    (block,) = plan.blocks()
    block.check(copies)
    return block


def test_neighbouring_elements_go_to_each_copy_and_a_short_row_leaves_the_last_without_work():
    block = block_of(elements=20, copies=4, width=8, results=5)  # rows of 8, 8 and 4; two columns a copy
    assert block.copy.tolist() == [0, 1, 2, 3]
    assert block.ticks.tolist() == [3, 3, 2, 2]
    assert block.actions["read"].counts.tolist() == [2 * 6, 2 * 6, 2 * 4, 2 * 4]
    assert block.round_actions["write"].counts.tolist() == [3 * 5]


def test_a_few_elements_take_one_tick_of_one_copy():
    block = block_of(elements=2, copies=16, width=256)
    assert (block.copy.tolist(), block.ticks.tolist()) == ([0], [1])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(elements=st.integers(0, 10_000), copies=st.integers(1, 20), width=st.integers(1, 300))
def test_every_element_is_taken_once_and_the_last_is_ready_in_as_many_ticks_as_there_are_rows(elements, copies, width):
    block = block_of(elements, copies, width)
    assert block.actions["read"].total == 2 * elements
    assert int(block.ticks.max(initial=0)) == -(-elements // width)
    assert np.array_equal(block.ticks, block.useful_ticks)


def test_a_negative_number_of_elements_is_refused():
    message = (
        "hwmodel.VectorTask 'pool1': -1 elements and 0 results, expected numbers that are not negative. Count the elements of "
        "the operands."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        VectorTask("pool", -1, name="pool1")
