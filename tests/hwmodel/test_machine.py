from dataclasses import FrozenInstanceError, dataclass
from types import MappingProxyType
from typing import ClassVar

import pytest

import hwmodel
from hwmodel import Ledger, Machine, ParameterError, Plan, PriceTable, StaticPower, Task, ZeroPolicy
from hwmodel.parameters import parameter


@dataclass(frozen=True)
class Heater(Machine):
    """A machine that only draws static power."""

    name: ClassVar[str] = "heater"
    paper: ClassVar[str] = "nobody, nowhere"
    zero_policy: ClassVar[ZeroPolicy] = ZeroPolicy(activations="gate", weights="dense")

    coils: int = parameter(3, "coils that glow", minimum=1)

    def plan(self, task: Task) -> Plan:
        raise NotImplementedError

    @property
    def prices(self) -> PriceTable:
        static = {"coil": StaticPower(2.0, "a guess", "recalled", 45), "lamp": StaticPower(0.5, "a guess", "recalled", 45)}
        return PriceTable("guesses", MappingProxyType({}), MappingProxyType(static))

    @property
    def static_copies(self) -> dict[str, int]:
        return {"coil": self.coils}

    weight_memory_bytes = 0
    offchip_bytes_per_second = 1.0


def test_static_power_is_that_of_every_copy_and_of_one_if_none_are_told():
    assert Heater().static_w() == 3 * 2.0 + 0.5
    assert Heater(coils=1).static_w() == 2.5


def test_parameters_are_listed_with_those_of_every_machine():
    assert Heater(coils=4).parameters() == {"clock_hz": 1e9, "coils": 4}


def test_parameters_are_checked_under_the_machines_name():
    with pytest.raises(ParameterError) as error:
        Heater(coils=0)
    assert str(error.value) == "machine 'heater': coils is 0, expected an integer of at least 1 (coils that glow)."


def test_a_machine_need_not_declare_its_units():
    assert Heater().plan_units == ()


def test_a_machine_does_not_change():
    with pytest.raises(FrozenInstanceError):
        Heater().coils = 5  # type: ignore[misc]


def test_a_machine_maps_everything_and_has_nothing_to_remark_unless_it_says_so():
    assert Heater().cannot_map(Task.matmul((1,), (1, 1))) is None
    assert Heater().stored_bytes(Task.matmul((1,), (1, 1)), 2) == 2
    assert Heater().remarks(Ledger()) == ()


def test_machines_with_equal_parameters_are_equal():
    assert Heater(coils=2) == Heater(coils=2)
    assert Heater(coils=2) != Heater(coils=3)
    assert hwmodel.load("cnvlutin") == hwmodel.load("cnvlutin", lanes=16)


@pytest.mark.parametrize("name", sorted(hwmodel.machines()))
def test_every_machine_keeps_the_contract(name):
    machine = hwmodel.load(name)
    assert machine.name == name
    assert type(machine).__doc__
    assert {machine.zero_policy.activations, machine.zero_policy.weights} <= {"skip", "gate", "dense"}
    assert machine.clock_hz > 0
    assert machine.weight_memory_bytes >= 0
    assert machine.offchip_bytes_per_second > 0
    assert machine.static_w() > 0 or not machine.prices.static  # one element alone, of which nobody published it
    assert set(machine.static_copies) <= set(machine.prices.static)
    assert hwmodel.load(name, **machine.parameters()) == machine
    with pytest.raises(FrozenInstanceError):
        machine.clock_hz = 1.0
