import pytest

import hwmodel
from hwmodel import Task
from hwmodel.offchip import NO_PARAMETER, Parameter, WeightMemory


def memory(size: int) -> WeightMemory:
    """Make the weight memory of a node that holds so many bytes."""
    return WeightMemory(hwmodel.load("dadiannao", units=1, synapse_bytes_per_unit=size))


def use(chip: WeightMemory, name: str, size: int) -> int:
    return chip.use(Parameter(name, size, size))


def test_parameters_fill_the_memory_in_order_of_first_use_and_stay():
    chip = memory(100)
    assert use(chip, "a", 40) == 0
    assert use(chip, "b", 60) == 0
    assert chip.used_bytes == 100
    assert use(chip, "c", 2) == 2
    assert [use(chip, name, 2 * size) for name, size in [("a", 20), ("b", 30)]] == [0, 0]
    assert chip.used_bytes == 100


def test_of_a_table_that_does_not_fit_only_the_rows_that_are_looked_up_are_read():
    chip = memory(100)
    assert chip.use(Parameter("table", 101, 7)) == 7
    assert chip.use(Parameter("small table", 100, 7)) == 0


def test_a_parameter_that_does_not_fit_is_read_whole_at_each_use():
    chip = memory(100)
    assert use(chip, "a", 80) == 0
    assert [use(chip, "b", 22) for _ in range(3)] == [22, 22, 22]
    assert use(chip, "a", 80) == 0
    assert "b" not in chip.resident


def test_a_smaller_parameter_may_still_fit_after_one_that_did_not():
    chip = memory(100)
    assert use(chip, "big", 120) == 120
    assert use(chip, "small", 100) == 0
    assert use(chip, "big", 120) == 120


def test_the_same_parameter_used_twice_takes_its_place_once():
    chip = memory(100)
    for _ in range(3):
        assert use(chip, "shared", 80) == 0
    assert chip.used_bytes == 80


def test_a_product_of_two_activations_brings_nothing_onto_the_chip():
    chip = memory(0)
    assert Task.matmul((40,), (40, 1), two_activations=True).weight_bytes == 0
    assert chip.use(NO_PARAMETER) == 0
    assert use(chip, "weights", 80) == 80


def test_a_node_holds_thirty_two_megabytes():
    """A half of AlexNet's first classifier layer fits; all of its 9216 x 4096 weights of 16 bits do not."""
    chip = WeightMemory(hwmodel.load("dadiannao"))
    assert use(chip, "fc7", Task.matmul((4096,), (4096, 4096)).weight_bytes) == 0
    assert chip.used_bytes == 32 << 20
    assert use(chip, "fc6", Task.matmul((9216,), (9216, 4096)).weight_bytes) == 2 * 9216 * 4096


def test_a_transfer_takes_the_time_of_the_links_and_the_energy_of_the_memory():
    chip = WeightMemory(hwmodel.load("dadiannao", link_bytes_per_second=1e9))
    assert chip.seconds(500) == 500 / 1e9
    assert chip.pj(500) == pytest.approx(500 * 640 / 4)
    assert chip.seconds(0) == chip.pj(0) == 0
