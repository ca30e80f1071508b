"""The compressed format by hand, there and back, and every contradiction in one sentence."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import Compressed, ParameterError, Task, ValuesError
from hwmodel.compressed import kmeans_codebook

CODEBOOK = np.array([0.0, 1.5, -2.0, 4.0] + [0.0] * 12, dtype=np.float32)


def packed(**changes) -> Compressed:
    """Make two elements' shares of a matrix of two inputs and five outputs: 0, 2, 4 and 1, 3; runs have one bit.

    Element 0: input 0 has -2 for its third output (a filler for the two zeros before), input 1 has 1.5 for its first and 4 for its
    third. Element 1: input 0 has nothing, input 1 has -2 for its second.
    """
    arrays = {
        "codebook": CODEBOOK,
        "column_pointers": np.array([[0, 2, 4], [0, 0, 1]]),
        "entry_offsets": np.array([0, 4, 5]),
        "entry_codes": np.array([0, 2, 1, 3, 2], dtype=np.uint8),
        "entry_zero_runs": np.array([1, 0, 0, 1, 1], dtype=np.uint8),
        "run_bits": 1,
    }
    return Compressed(**(arrays | changes))


def test_entries_say_where_weights_are_by_the_zeros_before_them():
    assert packed().to_dense().tolist() == [[0, 0, 0, 0, -2], [1.5, 0, 0, -2, 4]]
    assert packed().to_dense().dtype == np.float32
    assert packed().shape == (2, 5)


def test_a_dense_matrix_becomes_those_entries():
    made = Compressed.from_dense(packed().to_dense(), pes=2, codebook=CODEBOOK, run_bits=1)
    assert made.column_pointers.tolist() == [[0, 2, 4], [0, 0, 1]]
    assert made.entry_offsets.tolist() == [0, 4, 5]
    assert made.entry_codes.tolist() == [0, 2, 1, 3, 2]
    assert made.entry_zero_runs.tolist() == [1, 0, 0, 1, 1]


def test_entries_are_counted_with_fillers_and_without():
    entries, stored = packed().entries()
    assert entries.tolist() == [[2, 0], [2, 1]]
    assert stored.tolist() == [[1, 0], [2, 1]]


def test_outputs_behind_the_last_weight_are_there_if_it_is_said():
    assert packed(outputs=7).to_dense().shape == (2, 7)
    assert Compressed.from_dense(np.zeros((3, 4))).to_dense().tolist() == np.zeros((3, 4)).tolist()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(0, 12), st.integers(0, 90)),
    pes=st.integers(1, 9),
    run_bits=st.integers(1, 8),
    density=st.sampled_from([0.1, 0.0, 0.02, 1.0]),
)
def test_fifteen_values_come_back_as_they_were(seed, shape, pes, run_bits, density):
    rng = np.random.default_rng(seed)
    dense = rng.integers(1, 16, shape) * (rng.random(shape) < density)
    made = Compressed.from_dense(dense, pes=pes, run_bits=run_bits)
    assert made.shape == shape
    assert made.to_dense().tolist() == dense.tolist()
    given_back = Compressed(
        made.codebook, made.column_pointers, made.entry_offsets, made.entry_codes, made.entry_zero_runs, shape[1], run_bits
    )
    assert given_back.to_dense().tolist() == dense.tolist()
    fillers = (made.entry_codes == 0).sum()
    assert made.entry_codes.size - fillers == np.count_nonzero(dense)
    assert (made.entry_zero_runs[made.entry_codes == 0] == 2**run_bits - 1).all()


def test_more_values_become_fifteen_centroids():
    dense = np.random.default_rng(3).normal(size=(40, 50)).astype(np.float32) * (np.arange(50) % 3 == 0)
    made = Compressed.from_dense(dense)
    assert made.codebook[0] == 0
    assert made.codebook.dtype == made.to_dense().dtype == np.float32
    assert ((made.codes() != 0) == (dense != 0)).all()
    for code in range(1, 16):  # where k-means ends: a centroid is the mean of its weights, and no other is nearer to them
        own = dense[made.codes() == code].astype(np.float64)
        assert made.codebook[code] == np.float32(own.mean())
        assert (np.abs(own[:, None] - made.codebook[1:].astype(np.float64)).argmin(axis=1) == code - 1).all()


def test_centroids_start_evenly_and_stay_if_they_have_no_weights():
    """From 0 to 140 in steps of 10. At the ends 5 weights and 3, 4 and 4, by the middle of their means; the lower one on a tie."""
    weights = np.array([*range(8), *range(133, 141)], dtype=np.float64)

    assert kmeans_codebook(weights).tolist() == [0, 2, 6, *range(20, 130, 10), 134.5, 138.5]


def test_weights_take_the_nearest_value_of_a_codebook_and_the_lower_on_a_tie():
    codebook = np.array([0.0, 8.0, 2.0, 4.0] + [100.0] * 12)
    made = Compressed.from_dense(np.array([[-9.0, 2.9, 3.0, 3.1, 0.0, 6.5]]), pes=1, codebook=codebook)
    assert made.to_dense().tolist() == [[2, 2, 2, 4, 0, 8]]


def test_a_task_multiplies_the_values_of_the_codebook():
    task = Task.matmul(np.array([1.0, 10.0]), packed())
    assert task.weights.values.tolist() == [packed().to_dense().tolist()]
    assert task.weights.compressed is not None
    assert task.macs == 10
    assert task.effectual_macs == 4


def test_only_weights_may_come_compressed():
    with pytest.raises(ParameterError) as error:
        Task.matmul(packed(), packed().to_dense().T)
    assert str(error.value) == (
        "hwmodel.Task: the activations are hwmodel.Compressed, expected an array, a mask or a shape. Only weights come "
        "compressed; use to_dense() for activations."
    )


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"codebook": CODEBOOK[:8]}, "the codebook has shape (8,), expected (16,), a value for each code of four bits"),
        (
            {"codebook": CODEBOOK + 1},
            "the codebook starts [ 1.   2.5 -1. ], expected finite numbers of which the first is the zero weight",
        ),
        (
            {"codebook": np.where(np.arange(16) == 1, np.inf, 0)},
            "the codebook starts [ 0. inf  0.], expected finite numbers of which the first is the zero weight",
        ),
        ({"run_bits": 9}, "run_bits is 9, expected an integer from 1 to 8"),
        (
            {"column_pointers": np.array([[0, 5, 4], [0, 0, 1]])},
            "column_pointers do not divide the 4 entries of element 0 into columns, expected 0 to 4, rising",
        ),
        (
            {"column_pointers": np.array([[0, 2, 4], [0, 0, 2]])},
            "column_pointers do not divide the 1 entries of element 1 into columns, expected 0 to 1, rising",
        ),
        (
            {"column_pointers": np.array([0, 2, 4])},
            "column_pointers has dtype int64 and shape (3,), expected integers in 2 dimensions",
        ),
        (
            {"entry_codes": np.array([0.0, 2, 1, 3, 2])},
            "entry_codes has dtype float64 and shape (5,), expected integers in 1 dimensions",
        ),
        (
            {"entry_offsets": np.array([0, 5])},
            "column_pointers have shape (2, 3) and entry_offsets (2,), expected (elements, inputs + 1) and (elements + 1,)",
        ),
        (
            {"entry_offsets": np.array([0, 4, 6])},
            "entry_offsets do not divide 5 entries among 2 elements, expected 0 to 5, rising",
        ),
        ({"entry_zero_runs": np.array([1, 0])}, "there are 5 entry_codes and 2 entry_zero_runs, expected as many"),
        (
            {"entry_codes": np.array([0, 16, 1, 3, 2])},
            "entry_codes hold 16, expected numbers from 0 to 15",
        ),
        (
            {"entry_zero_runs": np.array([1, 0, 2, 1, 1])},
            "entry_zero_runs hold 2, expected numbers from 0 to 1",
        ),
        (
            {"outputs": 4},
            "the zero runs lead to output 4, expected at most 3, the last of 4 outputs",
        ),
    ],
)
def test_arrays_that_contradict_each_other_are_refused(changes, what):
    with pytest.raises(
        ParameterError, match=f"^{re.escape(f'hwmodel.Compressed: {what}. Make one with Compressed.from_dense.')}$"
    ):
        packed(**changes)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        (
            {"matrix": np.ones(3)},
            ParameterError,
            "expected a matrix of real numbers, (inputs, outputs), as a numpy array. Masks and shapes have no values to compress.",
        ),
        (
            {"matrix": np.ones((2, 2), dtype=bool)},
            ParameterError,
            "expected a matrix of real numbers, (inputs, outputs), as a numpy array. Masks and shapes have no values to compress.",
        ),
        (
            {"matrix": np.array([[np.nan]])},
            ValuesError,
            "the matrix holds NaN or infinite values, expected finite ones. An entry can only stand for a number.",
        ),
        (
            {"matrix": np.ones((2, 2)), "pes": 0},
            ParameterError,
            "pes is 0 and run_bits 4, expected an integer of at least 1 and one from 1 to 8.",
        ),
    ],
)
def test_what_cannot_be_compressed_is_refused(arguments, kind, message):
    with pytest.raises(kind) as error:
        Compressed.from_dense(**arguments)
    assert str(error.value) == f"hwmodel.Compressed.from_dense: {message}"
