from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import Task
from hwmodel.given import matmul_weights
from hwmodel.plan import Block, Events
from hwmodel.products import Products, multiply_all


def one_window_task() -> Task:
    """Make a window of three operands for four filters."""
    return Task.matmul(np.array([2, 0, 5]), np.array([[1, 2, 3, 4], [9, 9, 9, 9], [5, 6, 7, 8]]))


def events_of_operand(operand, filters=None, output_block=0) -> Events:
    one = np.array([operand])
    return Events(np.array([0, 1]), one, one, np.array([output_block]), filters or slice(None))


def test_a_job_adds_the_products_of_its_events():
    products = Products(one_window_task())
    products.adder(events_of_operand(0))(0)
    assert products.outputs.tolist() == [2, 4, 6, 8]
    assert products.added.tolist() == [4]
    products.adder(events_of_operand(2))(0)
    assert products.outputs.tolist() == [27, 34, 41, 48]
    assert products.added.tolist() == [8]


@pytest.mark.parametrize(
    ("filters", "outputs", "added"),
    [
        (slice(1, 3), [0, 4, 6, 0], 2),
        (slice(1, None, 2), [0, 4, 0, 8], 2),
        (slice(0, 100, 3), [2, 0, 0, 8], 2),
        (slice(4, None), [0, 0, 0, 0], 0),
    ],
)
def test_a_job_adds_to_its_own_filters_only(filters, outputs, added):
    products = Products(one_window_task(), integers=True)
    products.adder(events_of_operand(0, filters))(0)
    assert products.outputs.tolist() == outputs
    assert (products.integer_outputs > 0).tolist() == [one > 0 for one in outputs]
    assert products.added.tolist() == [added]


def test_a_job_adds_to_the_output_block_that_it_names():
    task = Task.matmul(np.array([[1, 1], [10, 10]]), np.array([[1], [2]]))
    products = Products(task)
    products.adder(events_of_operand(1, output_block=1))(0)
    assert products.outputs.tolist() == [[0], [2]]
    assert products.added.tolist() == [0, 1]


def test_a_job_without_events_adds_nothing():
    products = Products(one_window_task())
    nothing = np.zeros(0, dtype=np.int64)
    products.adder(Events(np.array([0, 0]), nothing, nothing, np.array([0])))(0)
    assert products.outputs.tolist() == [0, 0, 0, 0]
    assert products.added.tolist() == [0]


def test_a_block_whose_jobs_carry_no_events_has_no_adder():
    nothing = np.zeros(0, dtype=np.int64)
    assert Products(one_window_task()).adder_of(Block(np.array([0]), nothing, nothing, nothing)) is None


def test_a_task_without_values_has_no_outputs_but_may_have_integer_ones():
    task = Task.matmul(np.array([True, False]), (2, 3))
    assert not Products.possible(task)
    products = multiply_all(task, integers=True)
    assert products.outputs is None
    left, right = task.activations.integers.reshape(-1), task.weights.integers[0]
    assert products.integer_outputs.tolist() == (left.astype(int) @ right.astype(int)).tolist()
    assert multiply_all(one_window_task()).integer_outputs is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_integer_outputs_are_the_products_of_the_small_integers(works, data):
    work = data.draw(works)
    task = work.task()
    integers = type(work)(
        **vars(work)
        | {
            "activations": task.layout.give_activations(task.activations.integers).astype(int),
            "weights": task.layout.give_weights(task.weights.integers).astype(int),
        }
    )
    products = multiply_all(task, integers=True)
    assert products.integer_outputs.tolist() == integers.counts().outputs.tolist()
    assert products.added.tolist() == task.products_planned.tolist()


@pytest.mark.parametrize(
    ("left", "right", "result"),
    [
        ("float32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("int8", "uint8", "int64"),
        ("float16", "float16", "float32"),
        ("int64", "float64", "float64"),
    ],
)
def test_products_are_added_in_the_wider_type(left, right, result):
    task = Task.matmul(np.ones(2, dtype=left), np.ones((2, 1), dtype=right))
    assert multiply_all(task).outputs.dtype == result
    assert multiply_all(task).outputs.tolist() == [2]


def test_a_nan_event_reaches_its_outputs_and_no_other():
    task = Task.convolution(np.array([[1.0, np.nan, 0.0, 2.0]]), np.array([[[1.0, 1.0]]]))
    assert np.isnan(multiply_all(task).outputs).tolist() == [[True, True, False]]


def test_several_threads_may_multiply_at_once():
    generator = np.random.default_rng(4)
    rows, columns = generator.integers(-3, 4, (6, 20, 50)), generator.integers(-3, 4, (50, 40))
    tasks = [Task.matmul(one, columns) for one in rows]
    with ThreadPoolExecutor(4) as pool:
        outputs = list(pool.map(lambda task: multiply_all(task).outputs.tolist(), tasks))
    assert outputs == (rows @ columns).tolist()


def test_operands_that_cannot_be_written_are_read():
    operands = np.ones((20, 3), dtype=np.float32), np.ones((3, 40), dtype=np.float32)
    for operand in operands:
        operand.setflags(write=False)
    assert multiply_all(Task.matmul(*operands)).outputs.tolist() == [[3.0] * 40] * 20


def test_tiles_are_made_once_for_weights_that_are_laid_out():
    laid_out = matmul_weights(np.ones((3, 40), dtype=np.float32))
    multiply_all(Task.matmul(np.ones((20, 3), dtype=np.float32), laid_out), integers=True)
    tiles, integer_tiles = laid_out.tiles(np.float32, cut=True), laid_out.integer_tiles(cut=True)
    assert laid_out.tiles(np.dtype("float32"), cut=True) is tiles
    assert laid_out.integer_tiles(cut=True) is integer_tiles
    assert laid_out.tiles(np.float64, cut=True).values.dtype == np.float64
    assert laid_out.tiles(np.float64, cut=False).values.tolist() == laid_out.values[:, None].tolist()


def test_jobs_of_a_block_may_have_filters_of_their_own():
    """Three jobs with the first operand: the odd filters, the even ones, and none."""
    products = Products(one_window_task(), integers=True)
    events = Events(
        pointers=np.arange(4),
        positions=np.zeros(3, dtype=np.int64),
        operands=np.zeros(3, dtype=np.int64),
        output_block=np.zeros(3, dtype=np.int64),
        filters=(slice(0, None, 2), slice(1, None, 2), slice(9, None)),
        share=np.array([1, 0, 2]),
    )
    add = products.adder(events)
    add(0)
    assert products.outputs.tolist() == [0, 4, 0, 8]
    add(1)
    add(2)
    assert products.outputs.tolist() == [2, 4, 6, 8]
    assert (products.integer_outputs > 0).all()
    assert products.added.tolist() == [4]
