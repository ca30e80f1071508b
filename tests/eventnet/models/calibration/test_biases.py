import re
from time import sleep

import pytest
import torch
from torch import nn

from eventnet import models
from eventnet.models.calibration import biases
from hwmodel.errors import ParameterError, UnknownNameError


class Branches(nn.Module):
    """Two branches that read the same activations, one of them pooled, and a layer that reads both."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.reduce = nn.Conv2d(8, 4, 1)
        self.long = nn.Conv2d(4, 8, 3, padding=1)
        self.short = nn.Conv2d(8, 8, 1)
        self.pool = nn.MaxPool2d(3, stride=1, padding=1)
        self.last = nn.Conv2d(16, 4, 3, padding=1)

    def forward(self, x):
        x = self.stem(x).relu()
        long = self.long(self.reduce(x).relu()).relu()
        return self.last(torch.cat([self.short(self.pool(x)).relu(), long], dim=1))


class Residual(nn.Module):
    """Blocks that add to what they read, as in a residual network."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.inner = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))
        self.outer = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))

    def forward(self, x):
        x = self.stem(x).relu()
        for inner, outer in zip(self.inner, self.outer, strict=True):
            x = (x + outer(inner(x).relu())).relu()
        return x


def sequential():
    """Three convolutions and two linear layers, with much in between."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, padding=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(16, 16, 3, padding=1, groups=2),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, ceil_mode=True),
        nn.LocalResponseNorm(5),
        nn.Conv2d(16, 32, 3, padding=2, dilation=2),
        nn.ReLU(),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(3200, 400),
        nn.ReLU(),
        nn.Linear(400, 10),
    )


@pytest.mark.parametrize("share", [0.3, 0.44, 0.8])
def test_every_layer_of_a_sequence_meets_its_share(share, initialise, picture, zero_shares):
    shares = zero_shares(models.calibrate(initialise(sequential()), picture, share), picture)
    assert [shares[name] for name in ("2", "6", "10", "12")] == pytest.approx([share] * 4, abs=0.002)


def test_padding_counts_as_zeros(initialise, picture):
    model = models.calibrate(initialise(sequential()), picture, 0.44)
    activations = model[:6](picture)
    # A quarter of the operands of this dilated layer is padding, so fewer of its activations are.
    assert (activations == 0).float().mean() < 0.3


def test_each_layer_may_have_a_share_of_its_own(initialise, picture, zero_shares):
    asked = [0.3, 0.4, 0.5, 0.6]
    shares = zero_shares(models.calibrate(initialise(sequential()), picture, asked), picture)
    assert [shares[name] for name in ("2", "6", "10", "12")] == pytest.approx(asked, abs=0.002)


def test_layers_that_a_dict_does_not_name_keep_their_producers_biases(initialise, picture, zero_shares):
    model = initialise(sequential())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    shares = zero_shares(models.calibrate(model, picture, {"6": 0.7}), picture)
    assert shares["6"] == pytest.approx(0.7, abs=0.002)
    changed = [name for name, value in model.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["2.bias"]


def test_the_same_model_is_returned_with_its_weights_untouched(initialise, picture):
    model = initialise(sequential())
    weights = [layer.weight.clone() for layer in model if hasattr(layer, "weight")]
    assert models.calibrate(model, picture, 0.44) is model
    assert all(
        torch.equal(layer.weight, weight)
        for layer, weight in zip([layer for layer in model if hasattr(layer, "weight")], weights, strict=True)
    )


def test_the_last_layer_feeds_nothing_and_keeps_its_bias(initialise, picture):
    model = initialise(sequential())
    bias = model[12].bias.clone()
    models.calibrate(model, picture, 0.44)
    assert torch.equal(model[12].bias, bias)


def test_layers_that_share_a_producer_meet_the_share_together(initialise, picture, zero_shares):
    model = models.calibrate(initialise(Branches()), picture, 0.44)
    shares = zero_shares(model, picture)
    # reduce and short are 1x1 convolutions of the same size: as many operands each.
    assert (shares["reduce"] + shares["short"]) / 2 == pytest.approx(0.44, abs=0.002)
    assert shares["reduce"] > shares["short"]
    assert shares["long"] == pytest.approx(0.44, abs=0.002)
    assert shares["last"] == pytest.approx(0.44, abs=0.002)


def test_blocks_that_add_to_what_they_read_meet_the_share_together(initialise, picture, zero_shares):
    model = models.calibrate(initialise(Residual()), picture, 0.44)
    shares = zero_shares(model, picture)
    assert sum(shares[f"inner.{block}"] for block in range(3)) / 3 == pytest.approx(0.44, abs=0.002)
    for block in range(3):
        assert shares[f"outer.{block}"] == pytest.approx(0.44, abs=0.002)


def test_several_samples_are_counted_together(initialise, picture, zero_shares):
    pictures = torch.cat([picture, -2 * picture.flip(2)])
    model = models.calibrate(initialise(sequential()), pictures, 0.44)
    shares = zero_shares(model, pictures)
    assert [shares[name] for name in ("2", "6", "10", "12")] == pytest.approx([0.44] * 4, abs=0.002)


@pytest.mark.parametrize("name", ["alexnet", "lenet5", "lenet300"])
def test_a_network_of_the_catalogue_meets_its_share_in_every_layer(name, zero_shares):
    size = models.input_shape(name)[2]
    x = models.photo("astronaut", size)[:, : models.input_shape(name)[1]]
    shares = zero_shares(models.calibrate(models.load(name), x, 0.44), x)
    first, *others = shares.values()
    assert first < 0.1
    assert others == pytest.approx([0.44] * len(others), abs=0.005)


def test_googlenets_branches_meet_their_share_together(zero_shares):
    x = models.photo("coffee", 224)
    model = models.load("googlenet")[:11]
    shares = zero_shares(models.calibrate(model, x, 0.44), x)
    for name in ("conv2_reduce", "conv2", "inception_3a.conv3x3", "inception_3a.conv5x5"):
        assert shares[name] == pytest.approx(0.44, abs=0.005)
    four = [shares[f"inception_3a.{name}"] for name in ("conv1x1", "conv3x3_reduce", "conv5x5_reduce", "pool_proj")]
    assert sum(four) / 4 == pytest.approx(0.44, abs=0.005)


def test_the_same_input_gives_the_same_biases():
    one, other = (models.calibrate(models.load("lenet5"), models.digits()[0][:1], 0.5) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_calibrating_again_changes_the_share_to_the_new_one(initialise, picture, zero_shares):
    model = initialise(sequential())
    for share in (0.8, 0.3):
        shares = zero_shares(models.calibrate(model, picture, share), picture)
        assert shares["6"] == pytest.approx(share, abs=0.002)


def test_flags_hooks_grad_mode_and_random_state_stay_as_they_were(initialise, picture):
    model = initialise(sequential()).train()
    model[8].eval()
    calls = []
    handle = model[2].register_forward_hook(lambda *call: calls.append(None))
    training = [module.training for module in model.modules()]
    state = torch.get_rng_state()
    models.calibrate(model, picture, 0.44)
    assert [module.training for module in model.modules()] == training
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert calls
    handle.remove()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_batch_normalisation_in_training_learns_nothing_from_it(initialise, picture):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3)).train()
    models.calibrate(model, picture, 0.44)
    assert model[1].num_batches_tracked == 0
    assert torch.equal(model[1].running_mean, torch.zeros(4))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_works_under_the_callers_grad_mode(mode, initialise, picture, zero_shares):
    model = initialise(sequential())
    with mode():
        models.calibrate(model, picture, 0.44)
    assert zero_shares(model, picture)["2"] == pytest.approx(0.44, abs=0.002)


def test_shares_that_still_change_after_a_sweep_are_met_again(initialise, picture, zero_shares):
    class Around(nn.Module):
        """A skip around two layers: what feeds its end moves what lies inside, and the other way round."""

        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.d = (nn.Conv2d(i, 8, 3, padding=1) for i in (3, 8, 8, 16))

        def forward(self, x):
            a = self.a(x).relu()
            return self.d(torch.cat([a, self.c(self.b(a).relu()).relu()], dim=1))

    shares = zero_shares(models.calibrate(initialise(Around()), picture, 0.6), picture)
    # d has twice the channels of b, and so twice the operands.
    assert (shares["b"] + 2 * shares["d"]) / 3 == pytest.approx(0.6, abs=0.002)
    assert shares["c"] == pytest.approx(0.6, abs=0.002)


def test_a_share_that_is_not_reached_leaves_all_biases_as_they_were(initialise, picture):
    model = initialise(nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Tanh(), nn.Conv2d(8, 8, 3)))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    message = (
        "eventnet.models.calibrate: 4 came to a zero share of 0.0000 at the nearest, expected 0.4400. Shifting 2 gives "
        "0.0000 to 0.0000 here, zeros in the padding included; ask for a share that it reaches."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        models.calibrate(model.train(), picture, 0.44)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(module.training for module in model.modules())


def test_a_producer_without_a_bias_is_named(picture):
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.ReLU(), nn.Conv2d(4, 4, 3))
    message = "eventnet.models.calibrate: 0 has no bias, expected one to shift its outputs by. Make it with bias=True."
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        models.calibrate(model, picture, 0.44)


def test_a_model_in_which_no_layer_feeds_another_is_refused(picture):
    message = (
        "eventnet.models.calibrate: of the model's 1 convolutions and linear layers none feeds another, expected "
        "two in a row. Calibrate a deeper model: the zeros of a first layer are those of the input."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        models.calibrate(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()), picture, 0.44)


def test_the_first_layer_cannot_be_asked_for_a_share(picture, initialise):
    message = "eventnet.models.calibrate: zero_fraction names '0', expected one of 10, 12, 2, 6. Did you mean '10'?"
    with pytest.raises(UnknownNameError, match=f"^{re.escape(message)}$"):
        models.calibrate(initialise(sequential()), picture, {"0": 0.44})


def test_an_input_that_is_no_tensor_is_refused():
    message = "eventnet.models.calibrate: x is list, expected a tensor. Give the model's input."
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        models.calibrate(models.load("lenet5"), [1, 2], 0.44)


def test_shares_that_never_settle_are_refused(initialise, picture, monkeypatch):
    monkeypatch.setattr(biases, "SWEEPS", 0)
    with pytest.raises(ParameterError) as caught:
        models.calibrate(initialise(sequential()), picture, 0.44)
    assert str(caught.value) == (
        "eventnet.models.calibrate: the zero share of 2 still changes after 0 sweeps, expected it to settle. "
        "Name fewer layers in a dict: some of these move each other."
    )


def test_a_short_calibration_shows_no_progress_and_a_long_one_does(initialise, picture, monkeypatch, capsys):
    models.calibrate(initialise(sequential()), picture, 0.44)
    assert capsys.readouterr() == ("", "")
    meet = biases.meet
    monkeypatch.setattr(biases, "meet", lambda *args: sleep(0.4) or meet(*args))
    models.calibrate(initialise(sequential()), picture, 0.44)
    captured = capsys.readouterr()
    assert "calibrating" in captured.err
    assert captured.out == ""
