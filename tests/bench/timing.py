"""Pairs of measurements in one process, in turn, so that a machine whose speed drifts cannot favour a side."""

from collections.abc import Callable
from statistics import median
from time import perf_counter


def seconds(function: Callable[[], object], clock: Callable[[], float] = perf_counter) -> float:
    start = clock()
    function()
    return clock() - start


def pairs(
    first: Callable[[], object], second: Callable[[], object], repeats: int, clock: Callable[[], float] = perf_counter
) -> list[tuple[float, float]]:
    first(), second()  # compile and warm up
    return [(seconds(first, clock), seconds(second, clock)) for _ in range(repeats)]


def median_ratio(measured: list[tuple[float, float]]) -> float:
    """The median of the first side over the second, pair by pair."""
    return median(one / other for one, other in measured)


def median_of(measured: list[tuple[float, float]], side: int) -> float:
    return median(pair[side] for pair in measured)
