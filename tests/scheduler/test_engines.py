from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import hwmodel
import hwmodel.task
import scheduler
from hwmodel import Task, UnknownNameError, UnsupportedError
from hwmodel.machines.dadiannao import DaDianNao
from scheduler.engines import ENGINES, check_engine


@dataclass(frozen=True)
class OnlyMatrices(DaDianNao):
    """A machine that has no convolutions."""

    name: ClassVar[str] = "only_matrices"

    def cannot_map(self, task: Task) -> str | None:
        return "it has no windows" if task.kind == "convolution" else None


def small_task(**changes) -> Task:
    return Task.matmul(**({"activations": np.array([1, 0, 2]), "weights": np.array([[3], [4], [5]]), "name": "fc6"} | changes))


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_gives_ticks_and_outputs(engine):
    outcome = scheduler.run(hwmodel.load("dadiannao"), small_task(), engine=engine)
    assert outcome.ticks == 1
    assert outcome.outputs.tolist() == [13]


def test_reference_values_multiply_nothing_and_take_the_same_time():
    node = hwmodel.load("cnvlutin", lanes=2, skip_fully_connected=True)
    with_values, without = (scheduler.run(node, small_task(), values=values) for values in ("events", "reference"))
    assert without.products is None
    assert without.outputs is None
    assert without.ticks == with_values.ticks
    assert without.ledger == with_values.ledger


def test_integers_are_added_up_beside_the_values_if_asked_for():
    node = hwmodel.load("dadiannao")
    task = small_task()
    expected = task.activations.integers.reshape(1, 3).astype(int) @ task.weights.integers[0].astype(int)
    outcome = scheduler.run(node, task, integers=True)
    assert outcome.products.integer_outputs.tolist() == expected[0].tolist()
    assert outcome.outputs.tolist() == [13]
    only_integers = scheduler.run(node, task, values="reference", integers=True)
    assert only_integers.products.integer_outputs.tolist() == expected[0].tolist()
    assert only_integers.outputs is None
    assert scheduler.run(node, task).products.integer_outputs is None


@pytest.mark.parametrize("operands", [{"weights": (3, 1)}, {"activations": np.array([True, False, True])}])
def test_a_task_without_values_takes_time_and_has_no_outputs(operands):
    outcome = scheduler.run(hwmodel.load("dadiannao"), small_task(**operands))
    assert outcome.ticks == 1
    assert outcome.outputs is None


def test_the_products_of_a_task_are_added_up_once_for_all_machines(monkeypatch):
    multiplied = []
    multiply = hwmodel.task.multiply
    monkeypatch.setattr("hwmodel.task.multiply", lambda *arguments: multiplied.append(1) or multiply(*arguments))
    task = small_task()
    for name in ("cnvlutin", "dadiannao", "cnvlutin"):
        outcome = scheduler.run(hwmodel.load(name), task, engine="bulk", integers=True)
        assert outcome.outputs.tolist() == [13]
        assert outcome.products.all_there
    assert len(multiplied) == 2  # the values, and the small integers


def test_an_engine_that_nobody_knows_is_refused():
    with pytest.raises(UnknownNameError) as error:
        scheduler.run(hwmodel.load("dadiannao"), small_task(), engine="events")
    assert str(error.value) == (
        f"scheduler.run: no engine is called 'events', expected one of {', '.join(sorted(ENGINES))}. Did you mean 'event'?"
    )
    with pytest.raises(UnknownNameError) as error:
        check_engine("xyz", "eventnet.simulate")
    assert str(error.value) == (f"eventnet.simulate: no engine is called 'xyz', expected one of {', '.join(sorted(ENGINES))}.")


def test_values_that_nobody_knows_are_refused():
    with pytest.raises(UnknownNameError) as error:
        scheduler.run(hwmodel.load("dadiannao"), small_task(), values="event")
    assert str(error.value) == ("scheduler.run: values is 'event', expected one of events, reference. Did you mean 'events'?")


def test_a_task_that_a_machine_cannot_map_is_refused_with_its_reason():
    assert scheduler.run(OnlyMatrices(), small_task()).ticks == 1
    with pytest.raises(UnsupportedError) as error:
        scheduler.run(OnlyMatrices(), Task.convolution((1, 3), (1, 1, 1), name="conv1"))
    assert str(error.value) == (
        "scheduler.run: machine 'only_matrices' cannot run task 'conv1' (convolution), because it has no windows. "
        "Choose another machine for it."
    )
