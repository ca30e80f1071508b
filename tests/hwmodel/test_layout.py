"""Layouts: there and back again, and the two gradients of a convolution against plain loops on small integers."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel import ShapeError, Task
from hwmodel.products import multiply_all

generated = settings(max_examples=60, deadline=None, derandomize=True)


@st.composite
def geometries(draw):
    """Draw sizes, kernel, stride, padding, dilation and groups in one or two dimensions, with at least one window."""
    dimensions = draw(st.integers(1, 2))
    each = [
        (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 2)), draw(st.integers(1, 2)))
        for _ in range(dimensions)
    ]
    sizes = [dilation * (kernel - 1) + 1 + draw(st.integers(0, 4)) for kernel, _, _, dilation in each]
    return sizes, each, draw(st.integers(1, 2)), np.random.default_rng(draw(st.integers(0, 999)))


def integers(rng, *shape):
    return rng.integers(-3, 4, shape) * (rng.random(shape) < 0.7)


def sends(shape, each):
    """Yield every input position, kernel position and the output position that it sends to."""
    kernel = [one[0] for one in each]
    for position in np.ndindex(*shape):
        for tap in np.ndindex(*kernel):
            target = tuple(p * s - pad + t * d for p, t, (_, s, pad, d) in zip(position, tap, each, strict=True))
            yield position, tap, target


@generated
@given(geometries())
def test_a_transposed_convolution_adds_what_every_input_position_sends(drawn):
    shape, each, groups, rng = drawn
    channels, filters = 2, 3
    out_shape = [(n - 1) * s - 2 * pad + d * (k - 1) + 1 for n, (k, s, pad, d) in zip(shape, each, strict=True)]
    if min(out_shape) < 1:
        return
    activations = integers(rng, groups * channels, *shape)
    weights = integers(rng, groups * channels, filters, *(one[0] for one in each))
    kernel, stride, padding, dilation = zip(*each, strict=True)
    task = Task.transposed_convolution(activations, weights, stride, padding, 0, dilation, groups)
    expected = np.zeros((groups * filters, *out_shape), dtype=np.int64)
    for position, tap, target in sends(shape, each):
        if all(0 <= one < size for one, size in zip(target, out_shape, strict=True)):
            for group in range(groups):
                mine = slice(group * channels, (group + 1) * channels)
                into = (slice(group * filters, (group + 1) * filters), *target)
                expected[into] += activations[(mine, *position)] @ weights[(mine, slice(None), *tap)]
    products = multiply_all(task)
    assert products.outputs.tolist() == expected.tolist()
    assert products.added.tolist() == task.products_planned.tolist()
    assert task.macs == groups * channels * int(np.prod(shape)) * filters * int(np.prod(kernel))
    assert task.layout.give_activations(task.activations.values).tolist() == activations.tolist()
    assert task.layout.give_weights(task.weights.values).tolist() == weights.tolist()


@generated
@given(geometries())
def test_a_weight_gradient_multiplies_input_and_gradient(drawn):
    shape, each, groups, rng = drawn
    channels, filters = 2, 3
    kernel, stride, padding, dilation = zip(*each, strict=True)
    out_shape = [(n + 2 * pad - d * (k - 1) - 1) // s + 1 for n, (k, s, pad, d) in zip(shape, each, strict=True)]
    activations = integers(rng, 1, groups * channels, *shape)
    gradient = integers(rng, 1, groups * filters, *out_shape)
    task = Task.weight_gradient(activations, gradient, kernel, stride, padding, dilation, groups)
    expected = np.zeros((groups * filters, channels, *kernel), dtype=np.int64)
    for position, tap, source in sends(out_shape, each):
        if all(0 <= one < size for one, size in zip(source, shape, strict=True)):
            for group in range(groups):
                mine = slice(group * filters, (group + 1) * filters)
                seen = activations[(0, slice(group * channels, (group + 1) * channels), *source)]
                expected[(mine, slice(None), *tap)] += np.outer(gradient[(0, mine, *position)], seen)
    assert multiply_all(task).outputs.tolist() == expected.tolist()
    assert task.events == np.count_nonzero(activations) + np.count_nonzero(gradient)
    assert task.layout.give_activations(task.activations.values).tolist() == activations.tolist()
    assert task.layout.give_weights(task.weights.values).tolist() == gradient.tolist()


def test_a_gradient_of_another_size_is_refused():
    message = (
        "Task.weight_gradient: a gradient of shape (1, 3, 4) does not fit an input of shape (1, 2, 8) and a kernel of (3,), "
        "expected (1, filters, 6)."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        Task.weight_gradient((1, 2, 8), (1, 3, 4), (3,))


def test_channels_that_do_not_fit_a_transposed_convolution_are_refused():
    message = (
        "Task.transposed_convolution 'up': activations of shape (3, 8) and weights of shape (2, 4, 3) do not fit with 1 groups, "
        "expected ([frames,] C, *spatial) and (C, F / groups, *kernel) with one to three dimensions of space."
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(message)}$"):
        Task.transposed_convolution((3, 8), (2, 4, 3), name="up")
