from dataclasses import replace

import numpy as np
import pytest

from hwmodel import ParameterError
from hwmodel.layout import ConvolutionLayout
from hwmodel.operands import Activations, Weights, as_values, small_integers


def test_small_integers_are_one_to_seven_where_the_mask_is():
    mask = np.random.default_rng(0).random((40, 50, 10)) < 0.5
    integers = small_integers(mask)
    assert integers.shape == mask.shape
    assert integers.dtype == np.int8
    assert ((integers != 0) == mask).all()
    assert set(np.unique(integers).tolist()) == {0, 1, 2, 3, 4, 5, 6, 7}


def test_small_integers_are_the_same_each_time_and_no_row_of_a_layer_repeats_another():
    rows = small_integers(np.ones((32, 512))).tolist()
    assert rows == small_integers(np.ones((32, 512))).tolist()
    assert len({tuple(row) for row in rows}) == 32


@pytest.mark.parametrize(
    ("given", "added_in"),
    [
        ("float16", "float32"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("int8", "int64"),
        ("uint8", "int64"),
        ("int32", "int64"),
        ("int64", "int64"),
    ],
)
def test_numbers_are_added_in_a_type_of_their_own_kind(given, added_in):
    values = as_values(np.array([1, 0, 2], dtype=given))
    assert values.dtype == added_in
    assert values.tolist() == [1, 0, 2]


def test_a_mask_has_no_values():
    assert as_values(np.array([True, False])) is None


@pytest.mark.parametrize("dtype", ["complex64", "complex128", "U1", "object"])
def test_what_is_no_real_number_is_refused(dtype):
    with pytest.raises(ParameterError) as error:
        as_values(np.zeros(1, dtype=dtype))
    assert str(error.value) == (
        f"hwmodel.Task: an operand has dtype {np.dtype(dtype)}, expected real numbers or a boolean mask. Convert it first."
    )


def test_activations_have_an_event_and_an_integer_for_each_nonzero():
    mask = np.array([[[1, 0]], [[0, 1]], [[0, 0]]], dtype=np.uint8)  # three channels of a row of two positions
    activations = Activations(ConvolutionLayout((3, 1, 2), (1, 3, 1, 1), (1, 1, 2), groups=1), mask)
    assert activations.shape == (1, 1, 1, 2, 3)
    assert activations.nonzero.tolist() == [[[[[1, 0, 0], [0, 1, 0]]]]]
    assert activations.planes.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert activations.events == 2
    assert ((activations.integers > 0) == (activations.nonzero > 0)).all()


def test_weights_know_their_zeros_from_values_from_a_mask_or_have_none():
    values = np.array([[[1.0, 0.0], [0.0, 0.0], [2.0, 3.0]]])
    of_values = Weights((1, 3, 2), values, None, (3, 2))
    of_mask = Weights((1, 3, 2), None, values != 0, (3, 2))
    dense = Weights((1, 3, 2), None, None, (3, 2))
    assert of_values.nonzeros_per_operand.tolist() == of_mask.nonzeros_per_operand.tolist() == [[1, 0, 2]]
    assert dense.nonzeros_per_operand.tolist() == [[2, 2, 2]]
    assert of_values.integers.tolist() == of_mask.integers.tolist()
    assert ((of_values.integers > 0) == (values != 0)).all()
    assert (dense.integers > 0).all()


def test_what_is_kept_with_weights_is_not_kept_with_changed_ones():
    weights = Weights((1, 1, 1), None, None, (1, 1))
    weights.kept["key"] = "made of them"
    assert replace(weights, nonzero=np.zeros((1, 1, 1), dtype=np.bool_)).kept == {}
