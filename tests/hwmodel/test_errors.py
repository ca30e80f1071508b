import inspect

import pytest

from hwmodel import errors

CLASSES = [one for _, one in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize(
    ("name", "standard"),
    [
        ("ShapeError", ValueError),
        ("ParameterError", ValueError),
        ("UnknownNameError", LookupError),
        ("DuplicateNameError", ValueError),
        ("PriceError", LookupError),
        ("ValuesError", ValueError),
        ("DataError", ValueError),
        ("UnsupportedError", NotImplementedError),
    ],
)
def test_each_error_is_also_a_standard_one(name, standard):
    assert issubclass(getattr(errors, name), standard)
    assert issubclass(getattr(errors, name), errors.EventNetError)


@pytest.mark.parametrize("error", CLASSES)
def test_each_error_can_be_made_again_from_its_arguments_as_simpy_does(error):
    message = "here: this was found, expected that. Do so."
    again = type(error(message))(*error(message).args)
    assert str(again) == message
