"""Generated operands, and what follows from them by plain loops: the judge of everything that hwmodel counts.

Nothing here reads how hwmodel lays a task out; the loops follow the words of the design page.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
from hypothesis import strategies as st

from hwmodel import Task

Window = list[list[int | None]]  # kernel positions, of a group's channels; None is padding


@dataclass
class Counts:
    """What plain loops over every product of a task find."""

    outputs: np.ndarray
    macs: int = 0
    effectual_macs: int = 0
    zero_macs: int = 0
    zero_macs_of_either: int = 0
    products_of_blocks: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Convolution:
    """Activations (C, *space), or (frames, C, *space), and weights (F, C / groups, *kernel), with their geometry."""

    activations: np.ndarray
    weights: np.ndarray
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def task(self, **changes) -> Task:
        arguments = {
            "activations": self.activations,
            "weights": self.weights,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }
        return Task.convolution(**(arguments | changes))

    @property
    def filters(self) -> int:
        """Count the filters of a group."""
        return len(self.weights) // self.groups

    @property
    def framed(self) -> np.ndarray:
        return self.activations if self.activations.ndim == self.weights.ndim else self.activations[None]

    @property
    def out_space(self) -> list[int]:
        out = []
        for size, kernel, stride, padding, dilation in zip(
            self.framed.shape[2:], self.weights.shape[2:], self.stride, self.padding, self.dilation, strict=True
        ):
            starts = range(-padding, size + padding, stride)
            out.append(sum(start + dilation * (kernel - 1) < size + padding for start in starts))
        return out

    def places(self) -> Iterator[tuple[int, ...]]:
        """Give the frame and the output position of every window, in order."""
        yield from product(range(len(self.framed)), *(range(size) for size in self.out_space))

    def window(self, group: int, frame: int, *place: int) -> Window:
        channels = self.weights.shape[1]
        window = []
        for tap in np.ndindex(*self.weights.shape[2:]):
            at = [
                where * stride - padding + step * dilation
                for where, stride, padding, step, dilation in zip(
                    place, self.stride, self.padding, tap, self.dilation, strict=True
                )
            ]
            inside = all(0 <= one < size for one, size in zip(at, self.framed.shape[2:], strict=True))
            window.append(
                [int(self.framed[(frame, group * channels + channel, *at)]) if inside else None for channel in range(channels)]
            )
        return window

    def windows(self, group: int) -> list[Window]:
        return [self.window(group, *place) for place in self.places()]

    def counts(self) -> Counts:
        taps = list(np.ndindex(*self.weights.shape[2:]))
        counts = Counts(np.zeros((len(self.framed), len(self.weights), *self.out_space), dtype=np.int64))
        for group in range(self.groups):
            own = slice(group * self.filters, (group + 1) * self.filters)
            for frame, *place in self.places():
                events = 0
                for tap, values in zip(taps, self.window(group, frame, *place), strict=True):
                    for channel, value in enumerate(values):
                        met = self.weights[(own, channel, *tap)]
                        events += _count(counts, value, met)
                        counts.outputs[(frame, own, *place)] += (value or 0) * met
                counts.products_of_blocks.append(events * self.filters)
        if self.activations.ndim < self.weights.ndim:
            counts.outputs = counts.outputs[0]
        return counts


@dataclass(frozen=True)
class MatrixProduct:
    """Rows (K,), (M, K) or (B, M, K) and columns (K, N) or (B, K, N)."""

    activations: np.ndarray
    weights: np.ndarray

    def task(self, **changes) -> Task:
        return Task.matmul(**({"activations": self.activations, "weights": self.weights} | changes))

    @property
    def groups(self) -> int:
        return len(self.weights) if self.weights.ndim == 3 else 1

    @property
    def filters(self) -> int:
        """Count the columns."""
        return self.weights.shape[-1]

    def rows(self, group: int) -> np.ndarray:
        return (self.activations[group] if self.weights.ndim == 3 else self.activations).reshape(-1, self.activations.shape[-1])

    def windows(self, group: int) -> list[Window]:
        return [[[int(value) for value in row]] for row in self.rows(group)]

    def counts(self) -> Counts:
        outputs = []
        counts = Counts(np.zeros(0))
        for group in range(self.groups):
            columns = self.weights[group] if self.weights.ndim == 3 else self.weights
            for row in self.rows(group):
                total, events = np.zeros(self.filters, dtype=np.int64), 0
                for value, met in zip(row.tolist(), columns, strict=True):
                    events += _count(counts, value, met)
                    total += value * met
                outputs.append(total)
                counts.products_of_blocks.append(events * self.filters)
        counts.outputs = np.array(outputs).reshape(*self.activations.shape[:-1], self.filters)
        return counts


def _count(counts: Counts, value: int | None, met: np.ndarray) -> bool:
    nonzero_weights = sum(1 for weight in met.tolist() if weight)
    counts.macs += len(met)
    counts.effectual_macs += nonzero_weights if value else 0
    counts.zero_macs += 0 if value else len(met)
    counts.zero_macs_of_either += len(met) - nonzero_weights if value else len(met)
    return bool(value)


@st.composite
def _integers(draw, shape):
    """Draw integers from -3 to 3 of which any share may be zero, none and all among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.5, 0.0, 0.1, 0.9, 1.0]))
    return rng.choice([-3, -2, -1, 1, 2, 3], size=shape) * (rng.random(shape) < density)


@st.composite
def _convolutions(draw):
    dimensions = draw(st.integers(1, 3))
    groups = draw(st.integers(1, 3))
    channels, filters = draw(st.sampled_from([1, 2, 3, 5, 17, 33])), draw(st.integers(1, 5))

    def one_each(strategy):
        return tuple(draw(strategy) for _ in range(dimensions))

    kernel = one_each(st.integers(1, {1: 4, 2: 3, 3: 2}[dimensions]))
    stride, padding, dilation = one_each(st.integers(1, 3)), one_each(st.integers(0, 2)), one_each(st.integers(1, 2))
    spans = [(size - 1) * spread + 1 for size, spread in zip(kernel, dilation, strict=True)]
    space = [max(1, span - 2 * pad) + draw(st.integers(0, 2)) for span, pad in zip(spans, padding, strict=True)]
    frames = draw(st.sampled_from([(), (1,), (2,)]))
    return Convolution(
        activations=draw(_integers((*frames, groups * channels, *space))),
        weights=draw(_integers((groups * filters, channels, *kernel))),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


@st.composite
def _matrix_products(draw):
    length, columns = draw(st.sampled_from([1, 2, 5, 16, 17, 40])), draw(st.integers(1, 5))
    leading = draw(st.sampled_from([(), (1,), (3,), (1, 2), (3, 2)]))
    return MatrixProduct(
        activations=draw(_integers((*leading, length))),
        weights=draw(_integers((*leading[:-1], length, columns) if len(leading) == 2 else (length, columns))),
    )


@pytest.fixture(scope="session")
def convolutions():
    """Return the strategy of convolutions in one to three dimensions."""
    return _convolutions()


@pytest.fixture(scope="session")
def matrix_products():
    """Return the strategy of matrix products, batched ones among them."""
    return _matrix_products()


@pytest.fixture(scope="session")
def works(convolutions, matrix_products):
    """Return the strategy of both."""
    return convolutions | matrix_products
