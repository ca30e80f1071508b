"""Numerics: fixed point equal bit for bit to plain integers, the other types to PyTorch's, and what is said of them.

The plain reference below shares nothing with the package: exact fractions to round, loops over kernel positions in int64 to add.
"""

import json
import re
import sys
from fractions import Fraction
from itertools import product
from math import prod
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import eventnet
import hwmodel
from eventnet.fixed16 import calibrated
from eventnet.models import digits, trained_lenet5
from eventnet.numerics import Float
from eventnet.settings import Settings
from eventnet.watch import Watcher

sys.path.insert(0, str(Path(__file__).parent))

NAMED = ["auto", "float32", "float64", "bfloat16", "fixed16"]
MACHINES = [
    None,
    hwmodel.load("cnvlutin", lanes=4, units=2, filters_per_unit=2, brick=4),
    hwmodel.load("dadiannao", lanes=4, units=2, filters_per_unit=2),
]
DENSITIES = st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])
GENERATED = settings(max_examples=60, deadline=None, derandomize=True)


# The plain integer reference


def point_of(values: list[Fraction]) -> int:
    """Try every binary point, from the most fraction bits down, until no element is out of range."""
    if not any(values):
        return 0
    return next(f for f in range(126, -113, -1) if all(-32768 <= round(one * Fraction(2) ** f) <= 32767 for one in values))


def rounded(values: list[Fraction], point: int | None = None) -> tuple[list[int], int]:
    if point is None:
        point = point_of([min(values), max(values)])
    return [min(max(round(one * Fraction(2) ** point), -32768), 32767) for one in values], point


def fractions(tensor: Tensor) -> list[Fraction]:
    return [Fraction(one) for one in tensor.detach().double().flatten().tolist()]


def fixed(tensor: Tensor, point: int | None = None) -> tuple[Tensor, int]:
    integers, point = rounded(fractions(tensor), point)
    return torch.tensor(integers, dtype=torch.int64).reshape(tensor.shape), point


def flowing(sums: Tensor, point: int, bias: Tensor | None = None, out: int | None = None) -> Tensor:
    """Add a bias in the sums' own binary point, and round the result to 16 bits: what flows on, in float32."""
    if bias is not None:
        sums = sums + torch.tensor([round(one * Fraction(2) ** point) for one in fractions(bias)]).reshape(bias.shape)
    integers, out = rounded([one / Fraction(2) ** point for one in map(Fraction, sums.flatten().tolist())], out)
    exact = [float(one / Fraction(2) ** out) for one in integers]
    return torch.tensor(exact, dtype=torch.float64).reshape(sums.shape).float()


def taps(kernel, stride, dilation, outputs):
    """Give every kernel position, and the slices of the padded input that it reads."""
    for position in product(*map(range, kernel)):
        starts = [one * step for one, step in zip(position, dilation, strict=True)]
        yield position, tuple(slice(a, a + s * (n - 1) + 1, s) for a, s, n in zip(starts, stride, outputs, strict=True))


def padded(image: Tensor, padding) -> Tensor:
    return F.pad(image, [pad for one in reversed(padding) for pad in (one, one)])


def sizes(image: Tensor, kernel, stride, padding, dilation) -> list[int]:
    both = zip(image.shape[2:], kernel, stride, padding, dilation, strict=True)
    return [(size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in both]


def plain_convolution(image: Tensor, weight: Tensor, stride, padding, dilation, groups) -> Tensor:
    outputs, kernel = sizes(image, weight.shape[2:], stride, padding, dilation), weight.shape[2:]
    wide, filters, channels = padded(image, padding), weight.shape[0] // groups, weight.shape[1]
    sums = torch.zeros((1, weight.shape[0], *outputs), dtype=torch.int64)
    for position, read in taps(kernel, stride, dilation, outputs):
        for group in range(groups):
            seen = wide[(0, slice(group * channels, (group + 1) * channels), *read)].reshape(channels, -1)
            own = slice(group * filters, (group + 1) * filters)
            sums[0, own] += (weight[(own, slice(None), *position)] @ seen).reshape(filters, *outputs)
    return sums


def plain_transposed(image: Tensor, weight: Tensor, space, stride, padding, dilation, groups) -> Tensor:
    """Send every input position to where the kernel puts it; the output has ``space`` positions."""
    channels, filters = weight.shape[0] // groups, weight.shape[1]
    wide = padded(torch.zeros((1, groups * filters, *space), dtype=torch.int64), padding)
    # Positions beyond the output are written, and cut off at the end.
    wide = F.pad(
        wide, [pad for one, d in zip(reversed(weight.shape[2:]), reversed(dilation), strict=True) for pad in (0, one * d)]
    )
    for position, written in taps(weight.shape[2:], stride, dilation, image.shape[2:]):
        for group in range(groups):
            own = slice(group * channels, (group + 1) * channels)
            sent = weight[(own, slice(None), *position)].T @ image[0, own].reshape(channels, -1)
            wide[(0, slice(group * filters, (group + 1) * filters), *written)] += sent.reshape(filters, *image.shape[2:])
    return wide[(slice(None), slice(None), *(slice(p, p + size) for p, size in zip(padding, space, strict=True)))]


def plain_weight_gradient(image: Tensor, gradient: Tensor, kernel, stride, padding, dilation, groups) -> Tensor:
    wide, channels, filters = padded(image, padding), image.shape[1] // groups, gradient.shape[1] // groups
    sums = torch.zeros((gradient.shape[1], channels, *kernel), dtype=torch.int64)
    for position, read in taps(kernel, stride, dilation, gradient.shape[2:]):
        for group in range(groups):
            seen = wide[(0, slice(group * channels, (group + 1) * channels), *read)].reshape(channels, -1)
            own = slice(group * filters, (group + 1) * filters)
            sums[(own, slice(None), *position)] = gradient[0, own].reshape(filters, -1) @ seen.T
    return sums


def values(generator: torch.Generator, *shape: int, density: float = 1.0, scale: float = 1.0) -> Tensor:
    return torch.randn(shape, generator=generator) * scale * (torch.rand(shape, generator=generator) < density)


def watched(program, machine=None, numerics="fixed16", **flags):
    """Run a program on a machine or, without one, product by product; return its result and the run."""
    watcher = Watcher([machine], None, Settings(numerics=numerics, progress=False, **flags))
    with watcher:
        result = program()
    assert watcher.run.agreement, str(watcher.run.agreement)
    return result, watcher.run


# Equal to the plain reference, bit for bit


@st.composite
def geometries(draw: st.DrawFn) -> dict:
    dimensions = draw(st.integers(1, 3))
    each = {
        name: tuple(draw(st.integers(*limits)) for _ in range(dimensions))
        for name, limits in {"kernel": (1, 3), "stride": (1, 2), "padding": (0, 2), "dilation": (1, 2)}.items()
    }
    return {
        **each,
        "groups": draw(st.sampled_from([1, 1, 2, 3])),
        "channels": draw(st.integers(1, 2)),
        "filters": draw(st.integers(1, 2)),
        "space": tuple(draw(st.integers(5, 7)) for _ in range(dimensions)),
        "bias": draw(st.booleans()),
        "density": draw(DENSITIES),
        "weight_density": draw(DENSITIES),
        "scale": 2.0 ** draw(st.integers(-30, 30)),
        "seed": draw(st.integers(0, 999)),
        "machine": draw(st.sampled_from(MACHINES)),
    }


@GENERATED
@given(drawn=geometries())
def test_convolutions_forward_and_backward_are_equal_to_plain_integers(drawn):
    generator = torch.Generator().manual_seed(drawn["seed"])
    groups, kernel, step = drawn["groups"], drawn["kernel"], (drawn["stride"], drawn["padding"], drawn["dilation"])
    image = values(generator, 1, groups * drawn["channels"], *drawn["space"], density=drawn["density"], scale=drawn["scale"])
    shape = groups * drawn["filters"], drawn["channels"], *kernel
    weight = nn.Parameter(values(generator, *shape, density=drawn["weight_density"]))
    bias = nn.Parameter(values(generator, shape[0]) * drawn["scale"]) if drawn["bias"] else None
    image.requires_grad_()
    convolve = (F.conv1d, F.conv2d, F.conv3d)[len(kernel) - 1]
    gradient = values(generator, 1, shape[0], *sizes(image, kernel, *step), density=drawn["density"], scale=1e-3)

    def program():
        output = convolve(image, weight, bias, *step, groups)
        return output.detach(), *torch.autograd.grad(output, [image, weight, *([] if bias is None else [bias])], gradient)

    (output, *gradients), run = watched(program, drawn["machine"])
    (x, x_point), (w, w_point), (g, g_point) = fixed(image), fixed(weight), fixed(gradient)
    broadcast = None if bias is None else bias.reshape(-1, *[1] * len(kernel))
    assert torch.equal(output, flowing(plain_convolution(x, w, *step, groups), x_point + w_point, broadcast))
    sent = plain_transposed(g, w, image.shape[2:], *step, groups)
    assert torch.equal(gradients[0], flowing(sent, g_point + w_point))
    assert torch.equal(gradients[1], flowing(plain_weight_gradient(x, g, kernel, *step, groups), x_point + g_point))
    if bias is not None:
        unwatched = torch.autograd.grad(convolve(image, weight, bias, *step, groups), [image, weight, bias], gradient)
        assert torch.equal(gradients[2], unwatched[2])  # no product: PyTorch's own
    forward = run.records[0]
    assert forward.events == int(torch.count_nonzero(x))
    assert (forward.activation_fraction_bits, forward.weight_fraction_bits) == (x_point, w_point)
    assert forward.verdict.error_ratio == 0


@GENERATED
@given(drawn=geometries())
def test_transposed_convolutions_forward_and_backward_are_equal_to_plain_integers(drawn):
    generator = torch.Generator().manual_seed(drawn["seed"])
    groups, kernel, stride = drawn["groups"], drawn["kernel"], drawn["stride"]
    padding = tuple(min(pad, size - 1) for pad, size in zip(drawn["padding"], kernel, strict=True))
    step = stride, padding, drawn["dilation"]
    more = tuple(s - 1 for s in stride)
    space = tuple(size - 2 for size in drawn["space"])
    image = values(generator, 1, groups * drawn["channels"], *space, density=drawn["density"], scale=drawn["scale"])
    weight = nn.Parameter(
        values(generator, groups * drawn["channels"], drawn["filters"], *kernel, density=drawn["weight_density"])
    )
    bias = nn.Parameter(values(generator, groups * drawn["filters"]) * drawn["scale"]) if drawn["bias"] else None
    image.requires_grad_()
    convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[len(kernel) - 1]
    positions = zip(space, kernel, stride, padding, drawn["dilation"], more, strict=True)
    out_space = [(size - 1) * s - 2 * p + d * (k - 1) + m + 1 for size, k, s, p, d, m in positions]
    gradient = values(generator, 1, groups * drawn["filters"], *out_space, density=drawn["density"], scale=1e-3)

    def program():
        output = convolve(image, weight, bias, stride, padding, more, groups, drawn["dilation"])
        return output.detach(), *torch.autograd.grad(output, [image, weight], gradient)

    (output, image_gradient, weight_gradient), _ = watched(program, drawn["machine"])
    (x, x_point), (w, w_point), (g, g_point) = fixed(image), fixed(weight), fixed(gradient)
    broadcast = None if bias is None else bias.reshape(-1, *[1] * len(kernel))
    assert torch.equal(output, flowing(plain_transposed(x, w, out_space, *step, groups), x_point + w_point, broadcast))
    assert torch.equal(image_gradient, flowing(plain_convolution(g, w, *step, groups), g_point + w_point))
    swapped = plain_weight_gradient(g, x, kernel, *step, groups)
    assert torch.equal(weight_gradient, flowing(swapped, x_point + g_point))


@GENERATED
@given(
    rows=st.integers(1, 4), length=st.integers(1, 40), columns=st.integers(1, 9), bias=st.booleans(), density=DENSITIES,
    scale=st.integers(-30, 30), seed=st.integers(0, 999), machine=st.sampled_from(MACHINES),
)  # fmt: skip
def test_linear_layers_forward_and_backward_are_equal_to_plain_integers(
    rows, length, columns, bias, density, scale, seed, machine
):
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(length, columns, bias=bias)
    for parameter in layer.parameters():
        parameter.data.copy_(values(generator, *parameter.shape))
    sample = values(generator, rows, length, density=density, scale=2.0**scale).requires_grad_()
    gradient = values(generator, rows, columns, density=density)

    def program():
        output = layer(sample)
        return output.detach(), *torch.autograd.grad(output, [sample, layer.weight], gradient)

    (output, sample_gradient, weight_gradient), run = watched(program, machine)
    (x, x_point), (w, w_point), (g, g_point) = fixed(sample), fixed(layer.weight), fixed(gradient)
    assert torch.equal(output, flowing(x @ w.T, x_point + w_point, layer.bias))
    assert torch.equal(sample_gradient, flowing(g @ w, g_point + w_point))
    assert torch.equal(weight_gradient, flowing(g.T @ x, g_point + x_point))
    assert run.records[0].events == int(torch.count_nonzero(x))


@GENERATED
@given(
    batch=st.integers(1, 3), rows=st.integers(1, 4), length=st.integers(1, 9), columns=st.integers(1, 5), density=DENSITIES,
    seed=st.integers(0, 999), machine=st.sampled_from(MACHINES),
)  # fmt: skip
def test_products_of_two_activations_are_equal_to_plain_integers(batch, rows, length, columns, density, seed, machine):
    generator = torch.Generator().manual_seed(seed)
    first = values(generator, batch, rows, length, density=density, scale=100.0).requires_grad_()
    second = values(generator, batch, length, columns, density=density).requires_grad_()
    added, gradient = values(generator, batch, rows, columns), values(generator, batch, rows, columns, density=density)

    def program():
        output = torch.bmm(first, second)
        return output.detach(), *torch.autograd.grad(output, [first, second], gradient), torch.baddbmm(added, first, second)

    (output, first_gradient, second_gradient, sum_of_both), run = watched(program, machine)
    (x, x_point), (y, y_point), (g, g_point) = fixed(first), fixed(second), fixed(gradient)
    assert torch.equal(output, flowing(x @ y, x_point + y_point))
    assert torch.equal(first_gradient, flowing(g @ y.mT, g_point + y_point))
    assert torch.equal(second_gradient, flowing(x.mT @ g, x_point + g_point))
    assert torch.equal(sum_of_both, flowing(x @ y, x_point + y_point, added))
    assert run.records[0].events == int(torch.count_nonzero(x) + torch.count_nonzero(y))


@GENERATED
@given(
    tokens=st.integers(1, 5), width=st.integers(1, 6), causal=st.booleans(), density=DENSITIES, seed=st.integers(0, 999),
    machine=st.sampled_from(MACHINES),
)  # fmt: skip
def test_attention_is_equal_to_plain_integers_between_pytorchs_own_functions(tokens, width, causal, density, seed, machine):
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (values(generator, 1, 2, tokens, width, density=density) for _ in range(3))
    output, run = watched(lambda: F.scaled_dot_product_attention(query, key, value, is_causal=causal), machine)
    (q, q_point), (k, k_point), (v, v_point) = fixed(query), fixed(key), fixed(value)
    scores = flowing(q @ k.mT, q_point + k_point) * width**-0.5
    if causal:
        scores = scores.masked_fill(~torch.ones(tokens, tokens, dtype=torch.bool).tril(), float("-inf"))
    w, w_point = fixed(torch.softmax(scores, dim=-1))
    assert torch.equal(output, flowing(w @ v, w_point + v_point))
    assert [record.numerics for record in run.records if record.op == "matmul"] == ["fixed16"] * 2


@pytest.mark.parametrize("operator", ["mm", "mv", "dot", "addmv", "swapped", "conv with static input"])
def test_the_other_products_are_equal_to_plain_integers(operator):
    generator = torch.Generator().manual_seed(4)
    matrix, vector = values(generator, 3, 5), values(generator, 5, density=0.5)
    weight, added = nn.Parameter(values(generator, 3, 5)), values(generator, 3)
    (m, m_point), (v, v_point), (w, w_point) = fixed(matrix), fixed(vector), fixed(weight)
    with torch.no_grad():
        program, expected = {
            "mm": (lambda: matrix @ weight.T, flowing(m @ w.T, m_point + w_point)),
            "mv": (lambda: torch.mv(matrix, vector), flowing(m @ v, m_point + v_point)),
            "dot": (lambda: torch.dot(vector, matrix[0].clone()), None),
            "addmv": (lambda: torch.addmv(added, weight, vector), flowing(w @ v, w_point + v_point, added)),
            "swapped": (lambda: weight @ matrix.T, flowing(w @ m.T, m_point + w_point)),
            "conv with static input": (lambda: F.conv1d(weight[None], weight[:2, :, None].repeat(1, 1, 2)[:, :3]), None),
        }[operator]
        if operator == "dot":
            row, row_point = fixed(matrix[0])
            expected = flowing(v @ row, v_point + row_point)
        if operator == "conv with static input":
            kernel, kernel_point = fixed(weight[:2, :, None].repeat(1, 1, 2)[:, :3])
            expected = flowing(plain_convolution(w[None], kernel, (1,), (0,), (1,), 1), w_point + kernel_point)
        found, _ = watched(program)
    assert torch.equal(found, expected)


# By hand


def times_one(numbers, **chosen):
    """Multiply numbers by one, in fixed point."""
    return watched(lambda: torch.mm(torch.tensor([numbers]), torch.eye(len(numbers))), numerics=eventnet.Fixed16(**chosen))


def test_numbers_are_rounded_half_to_even_and_saturate():
    outputs, run = times_one([0.5, 1.5, 2.5, -0.5, -1.5, 0.75, 40000.0, -40000.0, 32767.5], fraction_bits=0)
    assert outputs.tolist() == [[0.0, 2.0, 2.0, 0.0, -2.0, 1.0, 32767.0, -32768.0, 32767.0]]
    record = run.records[0]
    assert record.saturated == 3  # two numbers by far, and 32767.5, which rounds to 32768
    assert record.vanished == 2  # plus and minus a half
    assert record.events == 9 - 2 + 9  # of both operands: neither is a parameter
    assert (run.saturated, run.vanished) == (3, 2)


def test_results_are_rounded_half_to_even_and_saturate():
    layer = nn.Linear(1, 5, bias=False)
    layer.weight.data = torch.tensor([[1.0], [3.0], [5.0], [-30000.0], [0.25]])
    chosen = {"Linear": {"activations": 1, "weights": 2, "outputs": 0}}
    layer.weight.data[3] = -8000.0
    output, run = watched(lambda: layer(torch.tensor([[0.5]])), numerics=eventnet.Fixed16(fraction_bits=chosen))
    assert output.tolist() == [[0.0, 2.0, 2.0, -4000.0, 0.0]]
    assert (run.saturated, run.vanished) == (0, 2)
    output, run = watched(lambda: layer(torch.tensor([[16000.0]])), numerics=eventnet.Fixed16(fraction_bits=chosen))
    assert output.tolist() == [[16000.0, 32767.0, 32767.0, -32768.0, 4000.0]]
    assert (run.saturated, run.vanished) == (3, 0)


@pytest.mark.parametrize(
    ("numbers", "bits"),
    [
        ([0.0, 0.0], 0),
        ([1.0, 0.5], 14),
        ([-1.0, 0.5], 15),  # -32768 is a number of 16 bits
        ([1.0, -1.0], 14),
        ([32767 / 32768], 15),
        ([0.99999], 14),  # rounds to 32768 with 15
        ([32767.0], 0),
        ([32768.0], -1),
        ([-32768.0], 0),
        ([2.0**-149], 126),  # the least float32, where every number that flows on is still exact
        ([3.4e38], -112),
    ],
)
def test_a_calibrated_binary_point_is_the_last_that_fits(numbers, bits):
    assert calibrated(torch.tensor(numbers)) == bits
    if abs(bits) < 112:
        assert bits == point_of([Fraction(one) for one in torch.tensor(numbers).tolist()])


def test_small_integers_are_equal_in_every_numerics():
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2, padding=1), nn.Flatten(), nn.Linear(144, 5)
    )
    for parameter in model.parameters():
        parameter.data.copy_(torch.randint(-1, 2, parameter.shape, generator=generator))
    sample = torch.randint(0, 2, (1, 3, 8, 8), generator=generator).float()
    expected = model(sample)
    assert expected.abs().max() <= 256  # up to here bfloat16 has every integer
    for numerics in NAMED:
        run = eventnet.simulate(model, sample, numerics=numerics, baseline="dadiannao")
        assert torch.equal(run.outputs, expected), numerics
        assert run.agreement


def test_binary_points_may_be_chosen_for_each_tensor_of_a_module():
    model, sample = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2)), torch.tensor([[0.3, -0.7, 1.9]])
    chosen = {"0": {"activations": 3, "weights": 12}, "2": 6}
    run = eventnet.simulate(model, sample, numerics=eventnet.Fixed16(fraction_bits=chosen))
    (x, _), (w, _) = fixed(sample, 3), fixed(model[0].weight, 12)
    hidden = flowing(x @ w.T, 15, model[0].bias).relu()
    (x, _), (w, _) = fixed(hidden, 6), fixed(model[2].weight, 6)
    assert torch.equal(run.outputs, flowing(x @ w.T, 12, model[2].bias, out=6))
    first, last = run.product_records
    assert (first.activation_fraction_bits, first.weight_fraction_bits) == (3, 12)
    assert (last.activation_fraction_bits, last.weight_fraction_bits, last.output_fraction_bits) == (6, 6, 6)
    everywhere = eventnet.simulate(model, sample, numerics=eventnet.Fixed16(fraction_bits=6)).product_records
    assert {one.output_fraction_bits for one in everywhere} == {6}


def test_in_backward_only_the_weights_have_their_chosen_binary_point():
    layer = nn.Linear(2, 2, bias=False)
    sample = torch.tensor([[1.0, 0.5]], requires_grad=True)
    _, run = watched(lambda: layer(sample).backward(torch.full((1, 2), 1e-6)), numerics=eventnet.Fixed16(fraction_bits=4))
    by_part = {record.part: record for record in run.records if record.timed is False and record.numerics}
    assert by_part["forward"].activation_fraction_bits == 4
    gradient = calibrated(torch.tensor([1e-6]))
    assert by_part["input_gradient"].activation_fraction_bits == gradient
    assert by_part["input_gradient"].weight_fraction_bits == 4
    assert gradient in (by_part["weight_gradient"].activation_fraction_bits, by_part["weight_gradient"].weight_fraction_bits)


def test_the_addend_enters_at_the_products_own_binary_point():
    layer = nn.Linear(1, 3)
    layer.weight.data.zero_()
    layer.bias.data = torch.tensor([0.125, 0.375, 0.626])  # halves of 1/4, between 2/4 and 3/4
    output, _ = watched(lambda: layer(torch.zeros(1, 1)), numerics=eventnet.Fixed16(fraction_bits={"Linear": {"weights": 2}}))
    assert output.tolist() == [[0.0, 0.5, 0.75]]


def test_an_addend_too_large_for_the_products_binary_point_is_kept():
    layer = nn.Linear(1, 2)
    layer.weight.data = torch.tensor([[2.0**-40], [2.0**-41]])
    layer.bias.data = torch.tensor([3.0, 0.0])
    output, run = watched(lambda: layer(torch.tensor([[2.0**-30]])))
    assert output.tolist() == [[3.0, 0.0]]
    assert (run.saturated, run.vanished) == (0, 0)  # there were not bits enough in the sum already
    layer.bias.data.zero_()
    output, _ = watched(lambda: layer(torch.tensor([[2.0**-30]])))
    assert output.tolist() == [[2.0**-70, 2.0**-71]]


@pytest.mark.parametrize("alpha", [1, 0.5])
def test_an_infinite_addend_stays_one(alpha):
    generator = torch.Generator().manual_seed(6)
    first, second, mask = values(generator, 3, 6), values(generator, 6, 3), torch.zeros(3, 3)
    mask[0, 1], mask[2, 0], mask[1, 1] = -torch.inf, torch.inf, 0.5
    output, run = watched(lambda: torch.addmm(mask, first, second, alpha=alpha))
    assert torch.equal(output.isinf(), mask.isinf())
    assert (output[0, 1], output[2, 0]) == (-torch.inf, torch.inf)
    finite = mask.masked_fill(mask.isinf(), 0)
    bare, _ = watched(lambda: torch.addmm(finite, first, second, alpha=alpha))
    assert torch.equal(output[~mask.isinf()], bare[~mask.isinf()])
    assert run.saturated == 0


def test_masked_attention_of_every_kind_runs():
    torch.manual_seed(0)
    layer, tokens = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(1, 5, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    for needed in (False, True):
        (_, weights), run = watched(lambda needed=needed: layer(tokens, tokens, tokens, attn_mask=mask, need_weights=needed))
        assert not needed or not weights.triu(1).any()
        assert len([record for record in run.records if record.numerics]) == 4  # two projections, two products of activations


@pytest.mark.parametrize(("alpha", "beta"), [(1, 0), (3, -2), (0, 1), (-1, 1), (0.3, 0.7), (2.5, 0), (1, 0.1)])
def test_factors_multiply_the_accumulators_and_the_addend(alpha, beta):
    generator = torch.Generator().manual_seed(3)
    first, second, added = values(generator, 3, 6), values(generator, 6, 4), values(generator, 3, 4)
    if beta == 0:
        added.fill_(float("nan"))  # is not read
    output, _ = watched(lambda: torch.addmm(added, first, second, alpha=alpha, beta=beta))
    (x, x_point), (y, y_point) = fixed(first), fixed(second)
    scaled = torch.tensor([round(Fraction(one * float(alpha))) for one in (x @ y).flatten().tolist()]).reshape(3, 4)
    assert torch.equal(output, flowing(scaled, x_point + y_point, added.double() * beta if beta else None))


def test_float64_adds_what_float32_loses():
    sample, ones = torch.tensor([[1e8, 1.0, -1e8]]), torch.ones(3, 1)
    assert watched(lambda: sample @ ones, numerics="float64")[0].item() == 1.0
    assert watched(lambda: sample @ ones, numerics="float32")[0].item() == 0.0
    assert watched(lambda: sample.double() @ ones.double())[0].dtype == torch.float64


def test_bfloat16_rounds_operands_and_results():
    sample = torch.tensor([[1 + 2**-8, 1 + 3 * 2**-8]])  # both half way between two numbers of bfloat16
    output, _ = watched(lambda: sample @ torch.eye(2), numerics="bfloat16")
    assert output.tolist() == [[1.0, 1 + 2**-6]]
    output, _ = watched(lambda: torch.tensor([[1.0, 2.0**-8]]) @ torch.ones(2, 1), numerics="bfloat16")
    assert output.item() == 1.0
    assert output.dtype == torch.float32


def test_float32_rounds_what_is_wider():
    sample = torch.tensor([[1 + 2.0**-30]], dtype=torch.float64)
    one = torch.ones(1, 1, dtype=torch.float64)
    assert watched(lambda: sample @ one, numerics="auto")[0].item() == 1 + 2.0**-30
    output, run = watched(lambda: sample @ one, numerics="float32")
    assert output.item() == 1.0
    assert output.dtype == torch.float64
    assert run.records[0].numerics == "float32"


# Programs


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)
    )


@pytest.mark.parametrize("numerics", NAMED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_results_keep_the_programs_type_and_strides(numerics, dtype):
    layer = nn.Conv2d(4, 6, 3).to(dtype=dtype, memory_format=torch.channels_last)
    sample = torch.randn(1, 4, 7, 7, dtype=dtype).to(memory_format=torch.channels_last)
    expected = layer(sample)
    output, _ = watched(lambda: layer(sample), numerics=numerics)
    assert (output.dtype, output.stride(), output.shape) == (expected.dtype, expected.stride(), expected.shape)


def test_float32_is_what_an_ordinary_program_has_anyway():
    model, sample = network(), torch.randn(1, 3, 8, 8)
    default, named = (eventnet.simulate(model, sample, **one) for one in ({}, {"numerics": "float32"}))
    assert torch.equal(default.outputs, named.outputs)
    assert default.to_frame().equals(named.to_frame())
    assert {record.numerics for record in named.records} == {""}


@pytest.mark.parametrize("numerics", NAMED)
def test_integers_are_computed_as_integers(numerics):
    first, second = torch.randint(-(10**6), 10**6, (5, 7)), torch.randint(-(10**6), 10**6, (7, 3))
    run = eventnet.simulate(torch.mm, first, second, numerics=numerics)
    assert torch.equal(run.outputs, first @ second)
    assert run.agreement
    assert run.records[0].numerics == ""


@pytest.mark.parametrize("numerics", NAMED)
@pytest.mark.parametrize("grad_mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_a_network_agrees_on_both_machines(numerics, grad_mode):
    model, sample = network(), torch.randn(1, 3, 8, 8)
    with grad_mode():
        runs = eventnet.simulate(model, sample, numerics=numerics, machine=["cnvlutin", "dadiannao"], baseline="dadiannao")
    assert all(run.agreement for run in runs)
    assert runs[0].settings["numerics"] == numerics
    assert [one.events for one in runs[0].records] == [one.events for one in runs[1].records]


@pytest.mark.parametrize("numerics", ["bfloat16", "fixed16"])
def test_reference_values_are_those_of_the_numerics(numerics):
    model, sample = network(), torch.randn(1, 3, 8, 8)
    events = eventnet.simulate(model, sample, numerics=numerics)
    reference = eventnet.simulate(model, sample, numerics=numerics, values="reference")
    assert reference.agreement is None
    if numerics == "fixed16":
        assert torch.equal(reference.outputs, events.outputs)
    assert [one.saturated for one in reference.records] == [one.saturated for one in events.records]
    assert reference.ticks == events.ticks


def test_a_lost_event_is_seen_by_the_integers_themselves(monkeypatch):
    add, lost = hwmodel.products._add, []

    def lose_one(values, weights, positions, operands, begin, *rest):
        if values.dtype == torch.zeros(0, dtype=torch.int64).numpy().dtype and not lost:
            lost.append(begin)
            begin += 1
        add(values, weights, positions, operands, begin, *rest)

    monkeypatch.setattr(hwmodel.products, "_add", lose_one)
    torch.manual_seed(0)
    run = eventnet.simulate(nn.Conv2d(3, 4, 3), torch.randn(1, 3, 6, 6), numerics="fixed16", first_layer="none", engine="event")
    assert lost
    assert run.records[0].verdict.error_ratio == float("inf")
    assert run.records[0].verdict.integers_equal  # those are added apart
    assert not run.agreement


def test_weights_are_rounded_once_and_seen_to_be_written(monkeypatch):
    layer, sample = nn.Linear(4, 3), torch.ones(1, 4)
    rounding = []
    operand = eventnet.Fixed16.operand
    monkeypatch.setattr(
        eventnet.Fixed16, "operand", lambda self, one, *rest: rounding.append(one.shape) or operand(self, one, *rest)
    )
    with torch.no_grad():
        eventnet.simulate(lambda x: layer(x) + layer(x), sample, numerics="fixed16")
        first = eventnet.simulate(layer, sample, numerics="fixed16")
        assert rounding.count((4, 3)) == 1
        layer.weight.data.mul_(2)
        layer.bias.data.mul_(2)
        second = eventnet.simulate(layer, sample, numerics="fixed16")
        assert rounding.count((4, 3)) == 2
    assert torch.equal(second.outputs, 2 * first.outputs)
    with torch.no_grad():  # another binary point is another layout, and so is none
        coarse = eventnet.simulate(layer, sample, numerics=eventnet.Fixed16(fraction_bits={"Linear": {"weights": 1}}))
        exact = eventnet.simulate(layer, sample)
    assert coarse.records[0].weight_fraction_bits == 1
    torch.testing.assert_close(exact.outputs, layer(sample))


@pytest.mark.parametrize("numerics", NAMED)
def test_every_parameter_keeps_its_place_in_weight_memory(numerics):
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.flat = nn.Parameter(torch.ones(2 * 4096))

        def forward(self, value):
            one, two = self.flat[:4096].view(64, 64), self.flat[4096:].view(64, 64)
            return value @ one, value @ two, value @ one

    machine = hwmodel.load("dadiannao", synapse_bytes_per_unit=512)  # 8 KiB a node
    run = eventnet.simulate(Flat(), torch.ones(1, 64), machine=machine, numerics=numerics)
    assert [record.offchip_bytes for record in run.product_records] == [0, 8192, 0]
    assert run.product_records[0].activations == 64  # the rounded weights are no activations


def test_the_threshold_comes_before_the_rounding():
    layer = nn.Linear(4, 2)
    sample = torch.tensor([[0.01, -0.02, 0.5, 1e-6]])
    run = eventnet.simulate(layer, sample, numerics="fixed16", threshold=0.015)
    assert (run.records[0].events, run.pruned, run.vanished) == (2, 2, 0)
    (x, x_point), (w, w_point) = fixed(torch.tensor([[0.0, -0.02, 0.5, 0.0]])), fixed(layer.weight)
    assert torch.equal(run.outputs, flowing(x @ w.T, x_point + w_point, layer.bias))
    run = eventnet.simulate(layer, sample, numerics="fixed16")
    assert (run.records[0].events, run.pruned, run.vanished) == (3, 0, 1)  # 1e-6 is less than half of 2 ** -15


def test_the_report_says_what_was_dropped_and_how_far_that_moved_the_answer():
    layer = nn.Linear(4, 1, bias=False)
    layer.weight.data.fill_(1.0)
    sample = torch.tensor([[0.25, 0.25, 3.0, 0.0]])
    lines = str(eventnet.simulate(layer, sample, threshold=0.5)).splitlines()
    assert "threshold  2 nonzero activations dropped, which moved the outputs by at most 0.5 (0.143 relative)" in lines
    assert not [line for line in lines if line.startswith("numerics")]
    lines = str(eventnet.simulate(layer, sample, threshold=0.5, numerics=eventnet.Fixed16(fraction_bits=-1))).splitlines()
    assert (
        "threshold  2 nonzero activations dropped, which, together with fixed16, moved the outputs by at most 3.5 (1 relative)"
        in lines
    )
    assert "numerics   fixed16: 0 elements saturated, 4 nonzero ones became zero" in lines
    lines = str(eventnet.simulate(layer, sample, numerics="bfloat16")).splitlines()
    assert "numerics   bfloat16" in lines
    assert not [line for line in lines if line.startswith("threshold")]
    with eventnet.watch(threshold=0.5) as watcher:
        layer(sample)
    assert "threshold  2 nonzero activations dropped" in str(watcher.run).splitlines()


@pytest.mark.parametrize("flags", [{"numerics": "bfloat16"}, {"numerics": "fixed16"}, {"threshold": 2.0}], ids=str)
def test_an_answer_that_was_moved_on_purpose_is_no_disagreement(flags):
    sample = torch.tensor([[1.0, 1.0 + 2**-20]])
    run = eventnet.simulate(lambda x: (x @ torch.eye(2)).argmax(), sample, **flags)
    assert run.difference.integers_equal is False
    assert run.agreement
    assert eventnet.verify(lambda x: (x @ torch.eye(2)).argmax(), sample, **flags)


def test_json_and_frame_carry_the_numerics(tmp_path):
    layer, sample = nn.Linear(4, 2), torch.randn(1, 4)
    chosen = {"Linear": {"weights": 9}}
    run = eventnet.simulate(layer, sample, numerics=eventnet.Fixed16(fraction_bits=chosen))
    run.to_json(tmp_path / "run.json")
    document = json.loads((tmp_path / "run.json").read_text())
    assert document["settings"]["numerics"] == {"name": "fixed16", "fraction_bits": chosen}
    assert document["records"][0]["weight_fraction_bits"] == 9
    assert (document["totals"]["saturated"], document["totals"]["pruned"]) == (run.saturated, 0)
    assert run.to_frame()["numerics"].tolist()[0] == "fixed16"
    assert eventnet.simulate(layer, sample, numerics="fixed16").settings["numerics"] == "fixed16"
    assert eventnet.simulate(layer, sample).settings["numerics"] == "auto"


def test_anyone_may_bring_numerics():
    output, run = watched(lambda: torch.tensor([[1 + 2.0**-12]]) @ torch.ones(1, 1), numerics=Float(torch.float16))
    assert output.item() == 1.0
    assert run.records[0].numerics == "float16"


def test_training_steps_see_the_weights_that_they_write():
    torch.manual_seed(0)
    layer, sample, seen = nn.Linear(4, 2), torch.ones(1, 4), []
    steps = torch.optim.SGD(layer.parameters(), lr=0.1)

    def train():
        for _ in range(3):
            steps.zero_grad()
            seen.append((layer.weight.detach().clone(), layer.bias.detach().clone(), layer(sample)))
            seen[-1][2].square().sum().backward()
            steps.step()

    watched(train)
    (x, x_point) = fixed(sample)
    for weight, bias, output in seen:
        w, w_point = fixed(weight)
        assert torch.equal(output, flowing(x @ w.T, x_point + w_point, bias))


def test_samples_share_the_numerics():
    samples = [torch.full((1, 4), 0.1 * number) for number in range(3)]
    statistics = eventnet.simulate(nn.Linear(4, 2), samples=samples, numerics=eventnet.Fixed16(fraction_bits=2), threshold=0.05)
    assert statistics.disagreed == []
    of_layer = statistics.operators["Linear", "matmul", "forward"]
    assert (of_layer["pruned"].maximum, of_layer["vanished"].minimum >= 0) == (0, True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: eventnet.simulate(nn.Linear(4, 2), torch.ones(1, 4), numerics="float8"),
            "eventnet.simulate: numerics is 'float8', expected one of auto, bfloat16, fixed16, float32, float64. Did you mean "
            "'float64'?",
        ),
        (
            lambda: eventnet.verify(nn.Linear(4, 2), torch.ones(1, 4), numerics=None),
            "eventnet.verify: numerics is None, expected one of auto, bfloat16, fixed16, float32, float64.",
        ),
        (
            lambda: eventnet.simulate(
                nn.Sequential(nn.Linear(4, 2)), torch.ones(1, 4), numerics=eventnet.Fixed16(fraction_bits={"conv1": 3})
            ),
            "eventnet.simulate: the model has no module 'conv1', expected one of 0.",
        ),
        (
            lambda: eventnet.Fixed16(fraction_bits=3.5),
            "eventnet.Fixed16: fraction_bits is 3.5, expected an integer from -112 to 126: how many of the 16 bits are behind the "
            "binary point, fewer than 0 or more than 16 to scale.",
        ),
        (
            lambda: eventnet.Fixed16(fraction_bits={"conv1": 127}),
            "eventnet.Fixed16: fraction_bits of 'conv1' is 127, expected an integer from -112 to 126: how many of the 16 bits are "
            "behind the binary point, fewer than 0 or more than 16 to scale.",
        ),
        (
            lambda: eventnet.Fixed16(fraction_bits={"conv1": {"weights": True}}),
            "eventnet.Fixed16: fraction_bits of the weights of 'conv1' is True, expected an integer from -112 to 126: how many of "
            "the 16 bits are behind the binary point, fewer than 0 or more than 16 to scale.",
        ),
        (
            lambda: eventnet.Fixed16(fraction_bits={"conv1": {"weight": 3}}),
            "eventnet.Fixed16: fraction_bits of 'conv1' names 'weight', expected one of activations, outputs, weights. Did you "
            "mean 'weights'?",
        ),
        (
            lambda: eventnet.simulate(
                nn.Sequential(nn.Linear(4, 2)), torch.tensor([[1.0, float("nan"), float("inf"), 0]]), numerics="fixed16"
            ),
            "eventnet.simulate: matmul in 0: 2 of 4 operands are NaN or infinite, expected finite ones, because numerics "
            "'fixed16' has no number for them. Repair the program, or run it in floating point.",
        ),
        (
            lambda: eventnet.simulate(torch.mm, torch.ones(1, 2), torch.tensor([[1.0], [float("inf")]]), numerics="fixed16"),
            "eventnet.simulate: matmul in mm: 1 of 2 operands are NaN or infinite, expected finite ones, because numerics "
            "'fixed16' has no number for them. Repair the program, or run it in floating point.",
        ),
        (
            lambda: eventnet.simulate(
                torch.addmm, torch.tensor([float("nan")]), torch.ones(1, 2), torch.ones(2, 1), numerics="fixed16"
            ),
            "eventnet.simulate: matmul in addmm: 1 of 1 addends are NaN, expected none, because numerics 'fixed16' has no "
            "number for them. Repair the program, or run it in floating point.",
        ),
        *(
            (
                lambda factor=factor: eventnet.simulate(
                    torch.addmm, torch.ones(1), torch.ones(1, 2), torch.ones(2, 1), kwargs=factor, numerics="fixed16"
                ),
                f"eventnet.simulate: matmul in addmm: {next(iter(factor))} is {next(iter(factor.values()))}, expected a finite "
                "number, because numerics 'fixed16' has no number for what it gives. Repair the program, or run it in floating "
                "point.",
            )
            for factor in ({"alpha": float("inf")}, {"beta": float("nan")})
        ),
    ],
)
def test_what_means_nothing_gets_one_clear_sentence(make, message):
    with pytest.raises(eventnet.EventNetError, match=f"^{re.escape(message)}$"):
        make()


def test_weights_that_are_not_finite_name_the_parameter():
    model = nn.Sequential(nn.Linear(4, 3))
    model[0].weight.data[0, 1] = float("nan")
    message = "eventnet.simulate: parameter '0.weight': 1 of 12 weights are NaN or infinite, expected finite ones."
    with pytest.raises(hwmodel.ValuesError, match=f"^{re.escape(message)}"):
        eventnet.simulate(model, torch.ones(1, 4), numerics="fixed16")


def test_sums_that_could_not_be_judged_exactly_are_refused(monkeypatch):
    monkeypatch.setattr("eventnet.fixed16.MOST_TERMS", 7)
    message = (
        "eventnet.simulate: matmul in Linear: a sum has 8 products, expected at most 7 with numerics 'fixed16', so that PyTorch's "
        "float64 can judge it exactly. Run it in floating point."
    )
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(nn.Linear(8, 2), torch.ones(1, 8), numerics="fixed16")
    assert prod([2**22, 2**15, 2**15]) == 2**52  # as many products as are allowed, each as large as can be


def test_the_largest_sums_are_exact():
    length = 2**16
    output, _ = watched(lambda: torch.full((1, length), -32768.0) @ torch.full((length, 1), -32768.0))
    assert output.item() == 2.0**46


def test_lenet_in_fixed_point_gets_as_many_digits_right():
    model, (_, _, images, labels) = trained_lenet5(), digits()
    with torch.no_grad():
        in_float32 = model(images).argmax(dim=1)
        outputs, run = watched(lambda: model(images), leading="sequence")
        alone = [watched(lambda image=image: model(image[None]))[0].argmax() for image in images[::20]]
    assert len(images) == 355
    assert int((outputs.argmax(dim=1) == labels).sum()) == int((in_float32 == labels).sum())
    assert alone == list(in_float32[::20])
    assert {record.numerics for record in run.records if record.macs} == {"fixed16"}
