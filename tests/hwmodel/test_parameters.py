from dataclasses import dataclass, field

import pytest

from hwmodel import ParameterError
from hwmodel.parameters import check_parameters, parameter


@dataclass(frozen=True)
class Device:
    """A device with a parameter of each kind, and a field that is none."""

    lanes: int = parameter(16, "neuron lanes", minimum=1)
    clock_hz: float = parameter(1e9, "clock frequency", minimum=1.0)
    throttles: bool = parameter(False, "wait for the encoder")
    order: str = parameter("slice", "which neurons", choices=("slice", "brick"))
    label: object = field(default=None)

    def __post_init__(self) -> None:
        check_parameters(self, "device 'd'")


def test_defaults_and_every_allowed_value_pass():
    assert Device() == Device(lanes=16, clock_hz=1e9, throttles=False, order="slice")
    assert Device(lanes=1, clock_hz=1, throttles=True, order="brick", label="anything").clock_hz == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lanes": 0}, "lanes is 0, expected an integer of at least 1 (neuron lanes)."),
        ({"lanes": 2.5}, "lanes is 2.5, expected an integer of at least 1 (neuron lanes)."),
        ({"lanes": 16.0}, "lanes is 16.0, expected an integer of at least 1 (neuron lanes)."),
        ({"lanes": True}, "lanes is True, expected an integer of at least 1 (neuron lanes)."),
        ({"lanes": "16"}, "lanes is '16', expected an integer of at least 1 (neuron lanes)."),
        ({"lanes": None}, "lanes is None, expected an integer of at least 1 (neuron lanes)."),
        ({"clock_hz": 0.5}, "clock_hz is 0.5, expected a number of at least 1.0 (clock frequency)."),
        ({"clock_hz": float("nan")}, "clock_hz is nan, expected a number of at least 1.0 (clock frequency)."),
        ({"clock_hz": "fast"}, "clock_hz is 'fast', expected a number of at least 1.0 (clock frequency)."),
        ({"throttles": 1}, "throttles is 1, expected True or False (wait for the encoder)."),
        ({"order": "slices"}, "order is 'slices', expected one of 'slice', 'brick'."),
        ({"order": None}, "order is None, expected one of 'slice', 'brick'."),
    ],
)
def test_a_value_of_the_wrong_kind_or_out_of_range_is_refused(changes, message):
    with pytest.raises(ParameterError) as error:
        Device(**changes)
    assert str(error.value) == f"device 'd': {message}"
