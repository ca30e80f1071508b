import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import ParameterError, ShapeError, Task, ValuesError
from hwmodel.given import convolution_weights, matmul_weights
from hwmodel.layout import PADDING
from hwmodel.products import multiply_all

generated = settings(max_examples=60, deadline=None, derandomize=True)


def small_convolution(**changes):
    """Make two channels of four neurons, kernel 1x3, padding 1, two filters: four windows."""
    arguments = {
        "activations": np.array([[1, 0, 3, 0], [0, 0, 4, 5]]),
        "weights": np.array([[[1, 0, 2], [0, 0, 3]], [[1, 1, 1], [1, 1, 1]]]),
        "padding": 1,
    }
    return Task.convolution(**(arguments | changes))


def test_a_small_convolution_has_the_counts_that_a_pencil_gives():
    task = small_convolution()
    assert task.macs == 2 * 4 * 6  # filters, windows, operands
    assert task.activation_count == 8
    assert task.events == 4
    # Windows read neurons (-1 0 1), (0 1 2), (1 2 3), (2 3 4): 1, 3, 3 and 3 events of two channels together.
    assert task.products_planned.tolist() == [2 * 1, 2 * 3, 2 * 3, 2 * 3]
    assert task.zero_macs == 2 * (4 * 6 - 10)
    # Channel 0 is nonzero in 1, 2 and 1 windows at the three taps, channel 1 in 2, 2 and 2.
    assert task.uses_per_operand.reshape(3, 2).T.tolist() == [[2, 2, 1], [1, 2, 2]]
    assert task.effectual_macs == (2 * 2 + 2 * 1 + 1 * 2) + (1 * 1 + 2 * 1 + 2 * 2)
    assert task.weight_bytes == 2 * 12


def test_a_small_convolution_has_the_outputs_that_a_pencil_gives():
    outputs = multiply_all(small_convolution()).outputs
    assert outputs.tolist() == [[0, 19, 15, 3], [1, 8, 12, 12]]


def test_outputs_keep_frames_only_if_they_were_given():
    assert multiply_all(Task.convolution(np.ones((2, 5)), np.ones((3, 2, 2)))).outputs.shape == (3, 4)
    assert multiply_all(Task.convolution(np.ones((1, 2, 5)), np.ones((3, 2, 2)))).outputs.shape == (1, 3, 4)
    assert multiply_all(Task.convolution(np.ones((2, 5, 6)), np.ones((3, 2, 2, 4)))).outputs.shape == (3, 4, 3)
    assert multiply_all(Task.convolution(np.ones((2, 5, 6, 7)), np.ones((3, 2, 2, 4, 7)))).outputs.shape == (3, 4, 3, 1)


def test_taps_name_the_position_that_is_read_or_padding():
    task = Task.convolution((1, 5), (1, 1, 3), stride=2, padding=2, dilation=2)
    assert task.taps[3].tolist() == [[PADDING, 0, 2], [0, 2, 4], [2, 4, PADDING]]
    assert task.taps[0].tolist() == task.taps[1].tolist() == task.taps[2].tolist() == [[0]]


def test_a_nan_is_an_event_and_a_negative_zero_is_not():
    task = Task.matmul(np.array([np.nan, -0.0, 0.0, 1e-45, -1.0], dtype=np.float32), np.ones((5, 1), dtype=np.float32))
    assert task.events == 3
    assert task.products_planned.tolist() == [3]


@generated
@given(data=st.data())
def test_counts_and_outputs_are_those_of_plain_loops(works, data):
    work = data.draw(works)
    task, counts = work.task(), work.counts()
    assert task.macs == counts.macs
    assert task.effectual_macs == counts.effectual_macs
    assert task.zero_macs == counts.zero_macs
    assert task.products_planned.tolist() == counts.products_of_blocks
    assert task.activation_count == work.activations.size
    assert task.events == sum(1 for value in work.activations.reshape(-1).tolist() if value)
    products = multiply_all(task)
    assert products.outputs.tolist() == counts.outputs.tolist()
    assert products.outputs.dtype == np.int64
    assert products.added.tolist() == counts.products_of_blocks
    assert task.layout.output_shape == counts.outputs.shape


@generated
@given(data=st.data())
def test_masks_and_shapes_count_as_the_numbers_they_stand_for(works, data):
    work = data.draw(works)
    masked = work.task(activations=work.activations != 0, weights=work.weights != 0)
    for name in ("macs", "effectual_macs", "zero_macs", "events", "activation_count"):
        assert getattr(masked, name) == getattr(work.task(), name)
    assert masked.products_planned.tolist() == work.task().products_planned.tolist()
    assert multiply_all(masked).outputs is None

    ones = work.task(activations=np.ones_like(work.activations), weights=np.ones_like(work.weights))
    shapes = work.task(activations=work.activations.shape, weights=work.weights.shape)
    for name in ("macs", "effectual_macs", "zero_macs", "events", "activation_count"):
        assert getattr(shapes, name) == getattr(ones, name)
    assert shapes.products_planned.tolist() == ones.products_planned.tolist()
    assert multiply_all(shapes).outputs is None


@generated
@given(data=st.data())
def test_if_both_operands_are_activations_the_zeros_of_both_count(works, data):
    work = data.draw(works)
    task, counts = work.task(two_activations=True), work.counts()
    assert task.activation_count == work.activations.size + work.weights.size
    assert task.events == np.count_nonzero(work.activations) + np.count_nonzero(work.weights)
    assert task.zero_macs == counts.zero_macs_of_either
    assert task.effectual_macs == counts.effectual_macs
    assert task.weight_bytes == 0


@generated
@given(data=st.data())
def test_operands_come_back_in_the_shape_that_was_given(works, data):
    work = data.draw(works)
    task = work.task()
    assert task.layout.give_activations(task.activations.values).tolist() == work.activations.tolist()
    assert task.layout.give_activations(task.activations.nonzero).tolist() == (work.activations != 0).tolist()
    assert task.layout.give_weights(task.weights.values).tolist() == work.weights.tolist()
    assert task.layout.give_activations(task.activations.values).shape == work.activations.shape
    assert task.layout.give_weights(task.weights.values).shape == work.weights.shape


@generated
@given(data=st.data())
def test_float32_gives_the_same_small_integers_in_any_order(works, data):
    work = data.draw(works)
    task = work.task(activations=work.activations.astype(np.float32), weights=work.weights.astype(np.float32))
    outputs = multiply_all(task).outputs
    assert outputs.dtype == np.float32
    assert outputs.tolist() == work.counts().outputs.tolist()


def test_laid_out_weights_can_be_used_again():
    weights = np.array([[[1, 0, 2], [0, 0, 3]], [[1, 1, 1], [1, 1, 1]]])
    laid_out = convolution_weights(weights, 1)
    task = small_convolution(weights=laid_out)
    assert task.weights is laid_out
    assert multiply_all(task).outputs.tolist() == multiply_all(small_convolution()).outputs.tolist()

    matrix = np.arange(6).reshape(3, 2)
    laid_out = matmul_weights(matrix)
    assert multiply_all(Task.matmul(np.array([1, 0, 2]), laid_out)).outputs.tolist() == [8, 11]


def test_weights_laid_out_for_other_groups_are_refused():
    laid_out = convolution_weights(np.ones((4, 2, 3)), 1)
    with pytest.raises(ShapeError) as error:
        Task.convolution((4, 5), laid_out, groups=2)
    assert str(error.value) == (
        "hwmodel.Task: weights were laid out as (1, 6, 4) (groups, operands, filters), expected (2, 6, 2). "
        "Lay them out for this task."
    )


def test_half_precision_is_added_in_single():
    task = Task.matmul(np.array([1, 2], dtype=np.float16), np.array([[3], [4]], dtype=np.float16))
    assert multiply_all(task).outputs.dtype == np.float32
    assert multiply_all(task).outputs.tolist() == [11]


def test_arrays_need_not_be_contiguous():
    rows = np.arange(12).reshape(3, 4)
    assert multiply_all(Task.matmul(rows.T, rows)).outputs.tolist() == (rows.T @ rows).tolist()
    mask = rows.T % 2 == 0
    assert Task.matmul(mask, (3, 4)).events == 6


@pytest.mark.parametrize(
    ("activations", "weights"),
    [((0, 4), (4, 5)), ((3, 0), (0, 5)), ((3, 4), (4, 0)), ((2, 0, 4), (2, 4, 5)), ((0, 3, 4), (0, 4, 5))],
    ids=["no rows", "no operands", "no columns", "no rows in a batch", "an empty batch"],
)
def test_a_product_without_rows_operands_or_columns_is_no_work(activations, weights):
    task = Task.matmul(np.ones(activations, dtype=np.int64), np.ones(weights, dtype=np.int64))
    assert task.macs == task.effectual_macs == task.zero_macs == 0
    assert task.products_planned.tolist() == [0] * (task.groups * task.windows)
    assert multiply_all(task).outputs.tolist() == np.zeros((*activations[:-1], weights[-1])).tolist()


def test_a_convolution_without_frames_is_no_work():
    task = Task.convolution(np.ones((0, 1, 5)), np.ones((1, 1, 3)))
    assert task.macs == task.effectual_macs == 0
    assert task.products_planned.tolist() == []
    assert multiply_all(task).outputs.shape == (0, 1, 3)


def test_a_task_does_not_change():
    with pytest.raises(AttributeError):
        small_convolution().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"weights": (2, 2)},
            "Task.convolution 'conv1': weights have 2 dimensions, expected 3, 4 or 5 "
            "(filters, channels of a group, and one to three of the kernel).",
        ),
        (
            {"weights": (2, 2, 1, 1, 1, 1)},
            "Task.convolution 'conv1': weights have 6 dimensions, expected 3, 4 or 5 "
            "(filters, channels of a group, and one to three of the kernel).",
        ),
        (
            {"activations": (4,)},
            "Task.convolution 'conv1': activations have 1 dimensions, expected 2 (channels and 1 of space) "
            "or one more for frames, because weights have 3.",
        ),
        (
            {"activations": (1, 1, 2, 4)},
            "Task.convolution 'conv1': activations have 4 dimensions, expected 2 (channels and 1 of space) "
            "or one more for frames, because weights have 3.",
        ),
        (
            {"activations": (3, 4)},
            "Task.convolution 'conv1': activations have 3 channels, expected 2 (1 groups of 2, as the weights say).",
        ),
        (
            {"activations": (2, 4), "groups": 2},
            "Task.convolution 'conv1': activations have 2 channels, expected 4 (2 groups of 2, as the weights say).",
        ),
        (
            {"activations": (4, 4), "weights": (3, 2, 3), "groups": 2},
            "Task.convolution 'conv1': 3 filters do not divide into 2 groups, expected a multiple.",
        ),
        (
            {"padding": 0, "activations": (2, 2)},
            "Task.convolution 'conv1': a kernel that spans 3 does not fit an input of 2 with padding 0, "
            "expected at least one window.",
        ),
        (
            {"dilation": 4},
            "Task.convolution 'conv1': a kernel that spans 9 does not fit an input of 4 with padding 1, "
            "expected at least one window.",
        ),
        (
            {"stride": (1, 1)},
            "Task.convolution 'conv1': stride has 2 entries, expected one for each of 1 dimensions.",
        ),
    ],
)
def test_a_convolution_that_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ShapeError) as error:
        small_convolution(name="conv1", **arguments)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": 0}, "Task.convolution: groups is 0, expected an integer of at least 1."),
        ({"groups": 1.0}, "Task.convolution: groups is 1.0, expected an integer of at least 1."),
        ({"groups": True}, "Task.convolution: groups is True, expected an integer of at least 1."),
        ({"stride": 0}, "Task.convolution: stride is 0, expected an integer of at least 1."),
        ({"stride": [0]}, "Task.convolution: stride is 0, expected an integer of at least 1."),
        ({"stride": [1.5]}, "Task.convolution: stride is 1.5, expected an integer of at least 1."),
        ({"stride": 1.5}, "Task.convolution: stride is 1.5, expected an integer of at least 1."),
        ({"padding": -1}, "Task.convolution: padding is -1, expected an integer of at least 0."),
        ({"dilation": 0}, "Task.convolution: dilation is 0, expected an integer of at least 1."),
    ],
)
def test_a_number_out_of_range_is_refused(arguments, message):
    with pytest.raises(ParameterError) as error:
        small_convolution(**arguments)
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["", "fc6"])
@pytest.mark.parametrize(("activations", "weights"), [((), (3, 2)), ((3,), (3,)), ((2, 3), (1, 3, 2)), ((1, 2, 3), (3, 2))])
def test_operands_of_a_matrix_product_have_fitting_dimensions(activations, weights, name):
    with pytest.raises(ShapeError) as error:
        Task.matmul(activations, weights, name=name)
    assert str(error.value) == (
        f"Task.matmul{' ' if name else ''}{repr(name) if name else ''}: operands have {len(activations)} and "
        f"{len(weights)} dimensions, expected (K) or (M, K) with (K, N), or (B, M, K) with (B, K, N)."
    )


def test_a_transposed_weight_is_refused_with_a_hint():
    with pytest.raises(ShapeError) as error:
        Task.matmul((2, 3), (4, 3), name="fc6")
    assert str(error.value) == (
        "Task.matmul 'fc6': operands of shape (2, 3) and (4, 3) do not multiply, expected 4 columns in the first, "
        "as the second has rows. Transpose a weight that is stored as (outputs, inputs)."
    )


def test_batches_of_unequal_length_are_refused():
    with pytest.raises(ShapeError) as error:
        Task.matmul((2, 3, 4), (3, 4, 5))
    assert str(error.value) == (
        "Task.matmul: operands of shape (2, 3, 4) and (3, 4, 5) are batches of 2 and 3 matrices, expected as many in both. "
        "Repeat the shorter one."
    )


def test_complex_operands_are_refused():
    with pytest.raises(ParameterError) as error:
        Task.matmul(np.ones(3, dtype=np.complex64), np.ones((3, 1)))
    assert str(error.value) == (
        "hwmodel.Task: an operand has dtype complex64, expected real numbers or a boolean mask. Convert it first."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    with pytest.raises(ValuesError) as error:
        Task.matmul(np.ones(2), np.array([[1.0], [value]]))
    assert str(error.value) == (
        "hwmodel.Task: the weights hold NaN or infinite values, expected finite ones. "
        "A zero activation times such a weight is NaN, and no event would carry it."
    )


@pytest.mark.parametrize("operand", [[[1, 0], [0, 2]], "4", 4, (3, -1), (2.5, 1), None])
def test_operands_that_are_neither_arrays_nor_shapes_are_refused(operand):
    message = (
        f"hwmodel.Task: an operand is {type(operand).__name__}, expected a numpy array of numbers, a boolean mask, or a shape of "
        "integers that are not negative. Convert it first."
    )
    with pytest.raises(ParameterError) as error:
        Task.matmul(operand, (2, 2))
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("task", "once"),
    [
        (Task.matmul(np.eye(3, 4), np.ones((4, 2))), True),
        (Task.matmul(np.ones((2, 3, 4)), np.ones((2, 4, 2))), True),
        (Task.convolution(np.eye(4)[None], np.ones((2, 1, 1, 1))), True),
        (Task.convolution(np.eye(4)[None], np.ones((2, 1, 1, 1)), stride=2), False),
        (Task.convolution(np.eye(4)[None], np.ones((2, 1, 1, 1)), padding=1), False),
        (Task.convolution(np.eye(4)[None], np.ones((2, 1, 2, 1))), False),
        (Task.transposed_convolution(np.eye(4)[None], np.ones((1, 2, 3, 3))), True),
    ],
    ids=["rows", "batch", "pointwise", "strided", "padded", "rows of a kernel", "transposed"],
)
def test_events_that_windows_read_once_are_those_of_the_tensor(task, once):
    assert task.geometry.reads_each_once is once
    assert task.events_covered == task.events_of_windows.sum()


@pytest.mark.parametrize("groups", [np.int64(2), 2])
def test_a_geometry_that_tasks_share_counts_in_integers_that_hold_any_number(groups):
    convolution = Task.convolution((4, 5, 7), (2, 2, 3, 3), groups=groups)
    transposed = Task.transposed_convolution((4, 5, 7), (4, 1, 3, 3), groups=groups)
    gradient = Task.weight_gradient((1, 4, 5, 7), (1, 2, 3, 5), kernel=[np.int64(3), 3], groups=groups)
    assert [type(task.macs) for task in (convolution, transposed, gradient)] == [int] * 3


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"groups": 0}, "groups is 0"),
        ({"groups": True}, "groups is True"),
        ({"groups": 1.0}, "groups is 1.0"),
        ({"kernel": [3, 0]}, "kernel is 0"),
        ({"kernel": [3, "3"]}, "kernel is '3'"),
    ],
)
def test_numbers_of_a_weight_gradient_are_refused_if_they_are_none(given, found):
    with pytest.raises(ParameterError) as error:
        Task.weight_gradient((1, 4, 5, 5), (1, 2, 3, 3), **{"kernel": [3, 3], **given})
    assert str(error.value) == f"Task.weight_gradient: {found}, expected an integer of at least 1."


@pytest.mark.parametrize(
    ("activations", "gradient", "kernel", "groups"),
    [
        ((1, 4, 5, 5), (1, 2, 3, 3), [3], 1),
        ((4, 5, 5), (2, 3, 3), [3, 3], 1),
        ((1, 3, 5, 5), (1, 2, 3, 3), [3, 3], 2),
        ((1, 4, 5, 5), (1, 3, 3, 3), [3, 3], 2),
    ],
)
def test_operands_of_a_weight_gradient_that_do_not_fit_are_refused(activations, gradient, kernel, groups):
    with pytest.raises(ShapeError) as error:
        Task.weight_gradient(activations, gradient, kernel, groups=groups)
    assert str(error.value) == (
        f"Task.weight_gradient: an input of shape {activations} and a gradient of shape {gradient} do not fit a kernel of "
        f"{len(kernel)} dimensions and {groups} groups, expected (1, C, *spatial) and (1, F, *output), C and F multiples of "
        f"{groups}."
    )
