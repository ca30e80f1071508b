import re

import numpy as np
import pytest
import torch
from torch import nn

from eventnet.models.calibration.layer import Layer
from eventnet.models.calibration.shares import asked_shares
from hwmodel.errors import ParameterError, UnknownNameError

LAYERS = [Layer(name, nn.Linear(1, 1), ("conv1",), calls=1) for name in ("conv2", "fc3")]


@pytest.mark.parametrize("share", [0.25, np.float32(0.25), np.float64(0.25), np.array(0.25), torch.tensor(0.25)])
def test_a_number_is_for_all_layers(share):
    assert asked_shares(share, LAYERS) == {"conv2": 0.25, "fc3": 0.25}


@pytest.mark.parametrize("shares", [[0.25, 0], (0.25, 0), np.array([0.25, 0]), torch.tensor([0.25, 0])])
def test_a_sequence_is_for_layers_in_order(shares):
    assert asked_shares(shares, LAYERS) == {"conv2": 0.25, "fc3": 0}


def test_a_dict_is_for_the_layers_it_names():
    assert asked_shares({"fc3": 0.5}, LAYERS) == {"fc3": 0.5}


@pytest.mark.parametrize("share", [1, 1.0, -0.1, float("nan"), float("inf"), True])
def test_a_share_outside_its_range_is_refused(share):
    message = (
        f"eventnet.models.calibrate: zero_fraction is {share!r}, expected a number from 0 to below 1. "
        "Give the share of operands to be zero."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        asked_shares(share, LAYERS)


@pytest.mark.parametrize("shares", [[0.5, 44], {"fc3": 44}])
def test_a_share_of_one_layer_outside_its_range_is_refused_with_its_name(shares):
    message = (
        "eventnet.models.calibrate: zero_fraction of fc3 is 44, expected a number from 0 to below 1. "
        "Give the share of operands to be zero."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        asked_shares(shares, LAYERS)


def test_a_sequence_of_another_length_is_refused():
    message = (
        "eventnet.models.calibrate: zero_fraction has 3 entries, expected 2, one for each of conv2, fc3. "
        "Give a dict to calibrate only some of them."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        asked_shares([0.1, 0.2, 0.3], LAYERS)


def test_a_name_that_no_layer_has_is_refused():
    message = "eventnet.models.calibrate: zero_fraction names 'conv_2', expected one of conv2, fc3. Did you mean 'conv2'?"
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        asked_shares({"conv_2": 0.5}, LAYERS)


@pytest.mark.parametrize("share", ["0.44", None, {0.1, 0.2}])
def test_what_is_no_number_sequence_or_dict_is_refused(share):
    message = (
        f"eventnet.models.calibrate: zero_fraction is {share!r}, expected a number, a sequence or a dict of numbers. "
        "Give one share for all layers, or one for each."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        asked_shares(share, LAYERS)
