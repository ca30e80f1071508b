import pytest
import torch
from torch import nn
from torch.nn import functional as F

from eventnet.models.calibration.operands import OperandCount, count, window_coverage

GEOMETRIES = {
    "1D": (nn.Conv1d(4, 6, 3, padding=1), (2, 4, 11)),
    "1D, strided and dilated": (nn.Conv1d(4, 6, 3, stride=2, dilation=3, padding=4), (1, 4, 17)),
    "2D": (nn.Conv2d(3, 5, 3), (1, 3, 7, 9)),
    "2D, padded": (nn.Conv2d(3, 5, 5, padding=2), (1, 3, 7, 9)),
    "2D, padded by more than the kernel": (nn.Conv2d(3, 5, 2, padding=3), (1, 3, 4, 4)),
    "2D, strided past the end": (nn.Conv2d(3, 5, 2, stride=3), (1, 3, 9, 10)),
    "2D, different in each dimension": (
        nn.Conv2d(3, 5, (1, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
        (2, 3, 8, 12),
    ),
    "2D, in groups": (nn.Conv2d(6, 9, 3, padding=1, groups=3), (1, 6, 8, 8)),
    "3D": (nn.Conv3d(2, 3, (2, 3, 3), stride=(1, 2, 2), padding=(1, 0, 1)), (1, 2, 5, 7, 6)),
    "same": (nn.Conv2d(3, 5, 3, padding="same", dilation=2), (1, 3, 8, 8)),
    "same, with an odd one after": (nn.Conv2d(3, 5, 4, padding="same"), (1, 3, 8, 8)),
    "valid": (nn.Conv2d(3, 5, 3, padding="valid"), (1, 3, 8, 8)),
    "reflected": (nn.Conv2d(3, 5, 3, padding=(1, 2), padding_mode="reflect"), (1, 3, 8, 9)),
    "wrapped": (nn.Conv1d(3, 5, 3, padding=2, padding_mode="circular"), (1, 3, 9)),
}


def half_zero(shape):
    return F.relu(torch.randn(shape, generator=torch.Generator().manual_seed(1)))


def operands_of(layer, x):
    """Count the products of a filter of ones with ones: PyTorch then adds up what each window reads."""
    copy = type(layer)(
        x.shape[1],
        x.shape[1],
        layer.kernel_size,
        layer.stride,
        layer.padding,
        dilation=layer.dilation,
        groups=x.shape[1],
        bias=False,
        padding_mode=layer.padding_mode,
    ).double()
    nn.init.ones_(copy.weight)
    with torch.no_grad():
        read = int(copy((x != 0).double()).sum())
        total = copy(torch.ones_like(x).double()).numel() * copy.weight[0].numel()
    return OperandCount(total - read, total, x.numel())


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")  # it may be slow, says PyTorch
@pytest.mark.parametrize("case", GEOMETRIES)
def test_operands_are_those_that_the_windows_read(case):
    layer, shape = GEOMETRIES[case]
    x = half_zero(shape)
    assert count(layer, x) == operands_of(layer, x)


def test_padding_alone_counts_as_zeros():
    # Of 4x4 windows of 3x3, the four corners read 5 operands of padding, the other eight on the edge 3.
    assert count(nn.Conv2d(1, 1, 3, padding=1), torch.ones(1, 1, 4, 4)) == OperandCount(4 * 5 + 8 * 3, 16 * 9, 16)


def test_a_sample_without_a_batch_dimension_counts_the_same():
    layer, x = nn.Conv2d(3, 5, 3, padding=1), half_zero((1, 3, 8, 8))
    assert count(layer, x[0]) == count(layer, x)


def test_a_linear_layer_multiplies_each_activation():
    assert count(nn.Linear(4, 3), torch.tensor([[0.0, 1, 0, 2], [0, 0, 0, 3]])) == OperandCount(5, 8, 8)


def test_a_transposed_convolution_has_no_operands_in_padding():
    assert count(nn.ConvTranspose2d(1, 3, 3, padding=1), torch.eye(3).view(1, 1, 3, 3)) == OperandCount(6, 9, 9)


@pytest.mark.parametrize(("value", "zeros"), [(float("nan"), 0), (float("inf"), 0), (-0.0, 1), (1e-45, 0)])
def test_a_negative_zero_is_a_zero_and_a_nan_is_none(value, zeros):
    assert count(nn.Conv1d(1, 1, 1), torch.full((1, 1, 1), value)).zeros == zeros
    assert count(nn.Linear(1, 1), torch.full((1, 1), value)).zeros == zeros


def test_counts_add_up():
    count = OperandCount(1, 4, 2) + OperandCount(2, 8, 3)
    assert count == OperandCount(3, 12, 5)
    assert count.zero_share == 0.25


def test_coverage_counts_windows_over_each_coordinate():
    coverage = window_coverage(size=7, kernel=3, stride=2, padding=(1, 0), dilation=1)
    assert coverage.tolist() == [1, 2, 1, 2, 1, 1, 0]  # windows at -1, 1 and 3
