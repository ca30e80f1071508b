import pytest
import torch
from torch import nn

from eventnet.models.calibration.layer import Layer
from eventnet.models.calibration.shifts import OutputQuantiles

CONVOLUTION = Layer("conv", nn.Conv2d(1, 8, 1), (), calls=1)
LINEAR = Layer("fc", nn.Linear(1, 8), (), calls=1)


@pytest.fixture
def outputs(generator):
    """Eight channels of ten places, each around a mean of its own."""
    return torch.randn(1, 8, 2, 5, generator=generator) + torch.arange(8).view(1, 8, 1, 1)


def zeros_by_channel(layer, outputs, share):
    quantiles = OutputQuantiles(layer)
    shifted = quantiles.shift(outputs, quantiles.thresholds(outputs, share))
    return (shifted <= 0).sum(dim=(0, 2, 3)) if outputs.dim() == 4 else (shifted <= 0).sum()


@pytest.mark.parametrize(("share", "zeros"), [(0, 0), (0.3, 3), (0.5, 5), (1, 10)])
def test_each_channel_of_a_convolution_has_its_own_quantile(outputs, share, zeros):
    assert zeros_by_channel(CONVOLUTION, outputs, share).tolist() == [zeros] * 8


def test_channels_are_rounded_up_and_down_so_that_all_together_meet_the_share(outputs):
    by_channel = zeros_by_channel(CONVOLUTION, outputs, 0.4375)
    assert set(by_channel.tolist()) == {4, 5}
    assert by_channel.sum() == 35  # 0.4375 of 80


def test_places_of_all_samples_count():
    outputs = torch.arange(20.0).view(2, 1, 2, 5)
    layer = Layer("conv", nn.Conv2d(1, 1, 1), (), calls=1)
    assert OutputQuantiles(layer).thresholds(outputs, 0.5).tolist() == [9.5]


def test_a_sample_without_a_batch_dimension_is_shifted_by_channel(outputs):
    quantiles = OutputQuantiles(CONVOLUTION)
    thresholds = quantiles.thresholds(outputs[0], 0.3)
    assert torch.equal(thresholds, quantiles.thresholds(outputs, 0.3))
    assert torch.equal(quantiles.shift(outputs[0], thresholds), quantiles.shift(outputs, thresholds)[0])


def test_a_linear_layer_has_one_quantile_of_all_its_outputs():
    outputs = torch.tensor([[3.0, 1, 2, 0, 7, 5, 6, 4]])
    quantiles = OutputQuantiles(LINEAR)
    assert quantiles.thresholds(outputs, 0.5).tolist() == [3.5]
    assert zeros_by_channel(LINEAR, outputs, 0.25) == 2


def test_a_convolution_with_a_single_place_has_one_quantile_of_all_its_outputs():
    outputs = torch.tensor([3.0, 1, 2, 0, 7, 5, 6, 4]).view(1, 8, 1, 1)
    assert OutputQuantiles(CONVOLUTION).thresholds(outputs, 0.5).tolist() == [3.5]


def test_thresholds_lie_halfway_between_values():
    thresholds = OutputQuantiles(LINEAR).thresholds(torch.tensor([0.0, 1, 10, 100]), 0.5)
    assert thresholds.tolist() == [5.5]


def test_changed_outputs_are_sorted_again(outputs):
    quantiles = OutputQuantiles(CONVOLUTION)
    before = quantiles.thresholds(outputs, 0.5)
    assert torch.allclose(quantiles.thresholds(outputs + 1, 0.5), before + 1)


def test_outputs_that_are_changed_in_place_are_sorted_again(outputs):
    quantiles = OutputQuantiles(CONVOLUTION)
    before = quantiles.thresholds(outputs, 0.5)
    assert torch.allclose(quantiles.thresholds(outputs.add_(1), 0.5), before + 1)
