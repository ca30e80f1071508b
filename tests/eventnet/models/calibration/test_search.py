import re

import pytest
import torch
from torch import nn

from eventnet.models.calibration import search
from eventnet.models.calibration.groups import join
from eventnet.models.calibration.producers import watch
from eventnet.models.calibration.search import meet
from eventnet.models.calibration.trial import run_trial
from hwmodel.errors import ParameterError


def group_of(model, x, share):
    """Return the one group of a model in which one layer feeds another."""
    layers = watch(model, x)
    (group,) = join(layers, {layers[1].name: share}, run_trial(model, x, layers[1:]).counts)
    return group


def convolutions(*between, padding=0):
    first, second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, padding=padding)
    return nn.Sequential(first, *between, second).requires_grad_(False)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.44, 0.9, 0.999])
@pytest.mark.parametrize("pool", [nn.Identity(), nn.MaxPool2d(3, stride=2, ceil_mode=True)], ids=["plain", "pooled"])
def test_shares_from_none_to_nearly_all_are_met(share, pool, initialise, picture):
    model = initialise(convolutions(nn.ReLU(), pool))
    met = meet(group_of(model, picture, share), model, picture)
    assert met.zero_share == pytest.approx(share, abs=0.002)


def test_zeros_that_need_whole_channels_to_be_zero_are_met(generator, picture):
    # After global pooling only a channel that is zero everywhere gives a zero: the last hundredth of the quantiles.
    model = nn.Sequential(
        nn.Conv2d(3, 64, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2)
    ).requires_grad_(False)
    nn.init.normal_(model[0].weight, generator=generator)
    met = meet(group_of(model, picture, 0.5), model, picture)
    assert met.zero_share == 0.5


def test_few_activations_are_met_as_nearly_as_they_allow(generator):
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)).requires_grad_(False)
    nn.init.normal_(model[0].weight, generator=generator)
    x = torch.ones(1, 3)
    assert [meet(group_of(model, x, share), model, x).zero_share for share in (0, 0.44, 0.55)] == [0, 0.4, 0.6]


@pytest.mark.parametrize("name", ["alexnet", "nin"])
def test_it_takes_ten_runs_at_most(name, load, monkeypatch):
    model, x = load(name)
    runs = []
    monkeypatch.setattr(search, "run_trial", lambda *args: runs.append(None) or run_trial(*args))
    meet(group_of(model[:8], x, 0.44), model[:8], x)
    assert len(runs) <= 10


def test_more_zeros_than_asked_in_the_padding_alone_are_refused(initialise, picture):
    model = initialise(convolutions(nn.ReLU(), padding=2))
    with pytest.raises(ParameterError) as caught:
        meet(group_of(model, picture, 0.05), model, picture)
    # Of the 20 x 3 coordinates that windows read in a row or column, 6 lie in the padding: 1 - (54 / 60)^2.
    assert str(caught.value) == (
        "eventnet.models.calibrate: 2 came to a zero share of 0.1900 at the nearest, expected 0.0500. Shifting 0 gives "
        "0.1900 to 1.0000 here, zeros in the padding included; ask for a share that it reaches."
    )


def test_a_sigmoid_gives_no_zeros_to_shift(initialise, picture):
    model = initialise(convolutions(nn.Sigmoid()))
    message = (
        "eventnet.models.calibrate: 2 came to a zero share of 0.0000 at the nearest, expected 0.4400. Shifting 0 gives "
        "0.0000 to 0.0000 here, zeros in the padding included; ask for a share that it reaches."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        meet(group_of(model, picture, 0.44), model, picture)


def test_outputs_that_are_all_the_same_cannot_be_told_apart():
    model, x = convolutions(nn.ReLU()), torch.zeros(1, 3, 20, 20)
    message = (
        "eventnet.models.calibrate: 2 came to a zero share of 1.0000 at the nearest, expected 0.4400. Shifting 0 gives "
        "1.0000 to 1.0000 here, zeros in the padding included; ask for a share that it reaches."
    )
    with pytest.raises(ParameterError, match=f"^{re.escape(message)}$"):
        meet(group_of(model, x, 0.44), model, x)
