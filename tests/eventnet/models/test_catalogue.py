import re

import pytest
import torch
from torch import nn

from eventnet import models
from hwmodel.errors import ParameterError, UnknownNameError

KNOWN = "alexnet, cnnm, cnns, googlenet, lenet300, lenet5, nin, vgg19"


def test_names_are_those_of_the_files_in_sorted_order():
    assert models.names() == KNOWN.split(", ")


@pytest.mark.parametrize("name", models.names())
def test_every_parameter_belongs_to_a_layer_that_load_initialises(name, build):
    model = build(name)
    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert sum(1 for _ in model.parameters()) == 2 * len(layers)
    assert list(model.buffers()) == []


def test_a_model_comes_in_eval_mode_on_the_cpu_with_gradients_enabled():
    model = models.load("lenet300")
    assert not any(module.training for module in model.modules())
    assert all(parameter.requires_grad and parameter.device.type == "cpu" for parameter in model.parameters())


def test_weights_are_he_initialised_and_biases_zero():
    model = models.load("alexnet")
    for layer in (model.conv2, model.conv5, model.fc8):
        fan_in = layer.weight[0].numel()
        assert layer.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.01)
        assert layer.weight.mean().item() == pytest.approx(0, abs=0.01 * layer.weight.std().item())
        assert torch.count_nonzero(layer.bias) == 0


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    first, again, other = models.load("lenet5", seed=3), models.load("lenet5", seed=3), models.load("lenet5", seed=4)
    assert torch.equal(first.conv1.weight, again.conv1.weight)
    assert not torch.equal(first.conv1.weight, other.conv1.weight)


def test_loading_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    models.load("lenet5")
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_do_not_depend_on_the_global_random_state():
    torch.manual_seed(1)
    first = models.load("lenet5")
    torch.manual_seed(2)
    assert torch.equal(first.fc3.weight, models.load("lenet5").fc3.weight)


@pytest.mark.parametrize(
    ("name", "path"),
    [("alexnet", "conv1"), ("googlenet", "inception_3a.conv1x1"), ("vgg19", "conv5_4"), ("lenet5", "relu3")],
)
def test_module_paths_read_well(name, path, build):
    assert path in dict(build(name).named_modules())


def test_input_shapes_are_those_of_one_sample():
    assert models.input_shape("alexnet") == (1, 3, 227, 227)
    assert models.input_shape("vgg19") == (1, 3, 224, 224)
    assert models.input_shape("lenet5") == (1, 1, 32, 32)
    assert models.input_shape("lenet300") == (1, 1, 28, 28)


@pytest.mark.parametrize("function", ["load", "input_shape"])
def test_a_misspelt_name_is_refused_with_the_nearest_known_one(function):
    message = f"eventnet.models.{function}: no model is called 'alexnt', expected one of {KNOWN}. Did you mean 'alexnet'?"
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        getattr(models, function)("alexnt")


def test_a_name_like_no_other_is_refused_with_the_known_ones():
    message = f"eventnet.models.load: no model is called 'q', expected one of {KNOWN}."
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        models.load("q")


@pytest.mark.parametrize("seed", [-1, 0.5, True, None, "a", 2**63])
def test_a_seed_that_is_no_integer_in_range_is_refused(seed):
    message = f"eventnet.models.load: seed is {seed!r}, expected an integer from 0 to 2**63 - 1. Leave it out for seed 0."
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        models.load("lenet5", seed=seed)
