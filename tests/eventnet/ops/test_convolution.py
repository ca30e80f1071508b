"""Convolutions, transposed ones and the backward of both."""

import pytest
import torch
from torch import nn

import eventnet

GEOMETRIES = [
    {},
    {"stride": 2, "padding": 1, "groups": 2},
    {"stride": 3, "padding": 2, "dilation": 2},
    {"padding": 1, "groups": 4},
]
LAYERS = {1: (nn.Conv1d, nn.ConvTranspose1d), 2: (nn.Conv2d, nn.ConvTranspose2d), 3: (nn.Conv3d, nn.ConvTranspose3d)}


def image(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape))).relu()


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("transposed", [False, True], ids=["plain", "transposed"])
def test_convolutions_agree_forward_and_backward(agrees, dimensions, geometry, transposed):
    torch.manual_seed(0)
    layer = LAYERS[dimensions][transposed](4, 8, 3, **geometry)
    run = agrees(layer, image(1, 4, *(6, 7, 5)[:dimensions]))
    assert [record.part for record in run.product_records] == ["forward", "input_gradient"]


def test_asymmetric_kernels_strides_and_padding_agree(agrees):
    agrees(nn.Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(0, 1), dilation=(1, 2)), image(1, 2, 8, 6))
    agrees(nn.ConvTranspose2d(2, 3, (3, 2), stride=(3, 2), padding=(1, 0), output_padding=(2, 1)), image(1, 2, 4, 5))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_other_paddings_agree(agrees, mode):
    agrees(nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode), image(1, 2, 6, 6))


def test_the_gradient_of_the_weights_is_a_product_of_two_activations():
    layer = nn.Conv2d(1, 1, 2, bias=False)
    sample = torch.tensor([[[[1.0, 0.0, 0.0], [0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]]])
    gradient = torch.tensor([[[[1.0, 0.0], [0.0, 3.0]]]])
    with eventnet.watch(machine="cnvlutin") as watcher:
        layer(sample).backward(gradient)
    record = watcher.run.product_records[-1]
    assert record.part == "weight_gradient"
    assert layer.weight.grad.tolist() == [[[[1.0, 6.0], [0.0, 0.0]]]]
    assert record.macs == 4 * 4
    assert record.effectual_macs == 2
    assert (record.activations, record.events) == (9 + 4, 2 + 2)


def test_both_gradients_have_as_many_products_as_the_forward():
    layer = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
    with eventnet.watch() as watcher:
        layer(image(1, 4, 8, 8).requires_grad_()).sum().backward()
    forward, input_gradient, weight_gradient = watcher.run.product_records
    assert forward.macs == input_gradient.macs == weight_gradient.macs
    assert [record.first_layer for record in watcher.run.product_records] == [True, False, False]


def test_a_transposed_convolution_inserts_no_zeros():
    record = eventnet.simulate(nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1), torch.ones(1, 3, 6, 7)).product_records[0]
    assert record.macs == 3 * 6 * 7 * 5 * 4 * 4
    assert record.effectual_macs == record.macs


def test_a_double_backward_of_a_convolution_agrees():
    layer = nn.Conv2d(2, 3, 3)
    sample = image(1, 2, 6, 6).requires_grad_()

    def penalty():
        (slope,) = torch.autograd.grad(layer(sample).square().sum(), sample, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), layer.weight)[0]

    expected = penalty()
    with eventnet.watch() as watcher:
        found = penalty()
    torch.testing.assert_close(found, expected)
    assert watcher.run.agreement


def test_weights_made_by_another_network_are_activations():
    sample, made = image(1, 2, 5, 5), torch.tensor([[[[1.0, 0.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 1.0]]]])
    run = eventnet.simulate(torch.nn.functional.conv2d, sample, made)
    assert run.records[0].activations == 50 + 8
    assert run.records[0].effectual_macs == run.records[0].macs - run.records[0].zero_macs  # either zero counts
    assert run.agreement


@pytest.mark.parametrize(
    ("layer", "space"), [(nn.Conv1d, (9,)), (nn.Conv2d, (9, 8)), (nn.ConvTranspose1d, (5,)), (nn.ConvTranspose2d, (5, 4))]
)
def test_the_gradients_of_a_sequence_of_frames_agree(layer, space):
    torch.manual_seed(0)
    module, frames = layer(4, 6, 3, stride=2, padding=1, groups=2), torch.randn(3, 4, *space)

    def gradients():
        leaf = frames.clone().requires_grad_()
        return torch.autograd.grad(module(leaf).square().sum(), [leaf, *module.parameters()])

    expected = gradients()
    with eventnet.watch(leading="sequence", strict=True) as watcher:
        found = gradients()
    assert watcher.run.agreement, watcher.run.agreement
    assert watcher.run.coverage == 1
    parts = [record.part for record in watcher.run.product_records]
    assert parts == ["forward", "input_gradient", "weight_gradient"]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_the_gradient_of_a_bias_alone_is_a_sum():
    module = nn.Conv2d(2, 3, 3)
    module.weight.requires_grad_(False)
    with eventnet.watch(strict=True) as watcher:
        module(torch.randn(1, 2, 6, 6)).square().sum().backward()
    assert [record.op for record in watcher.run.records if record.part == "input_gradient"][-1] == "sum"
