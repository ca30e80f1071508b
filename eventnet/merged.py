"""Merge orders in which things ran, so that branches stand where they run."""

from collections.abc import Hashable, Iterable, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def merged(order: Sequence[Key], seen: Iterable[Key]) -> list[Key]:
    """Take what another run did, in its order, into a known order, which stays as it is.

    What is new stands before the first known one that follows it, if that comes later in the known order than what precedes it,
    so that alternatives stand in the order in which they were first seen; else directly behind what precedes it.

    Parameters
    ----------
    order
        Keys, each once.
    seen
        Keys of the other run, each once.

    Cost: one look at each key.

    Examples
    --------
    >>> merged(["gate", "expert 0", "sum"], ["gate", "expert 3", "sum"])
    ['gate', 'expert 0', 'expert 3', 'sum']
    >>> merged(["stage 1", "stage 2", "exit 2"], ["stage 1", "exit 1"])
    ['stage 1', 'exit 1', 'stage 2', 'exit 2']
    """
    places = {key: place for place, key in enumerate(order)}
    before: list[list[Key]] = [[] for _ in range(len(order) + 1)]  # what stands before each place; the last: at the end
    block: list[Key] = []
    previous = -1
    for key in seen:
        place = places.get(key)
        if place is None:
            block.append(key)
            continue
        before[place if place > previous else previous + 1] += block
        block, previous = [], place
    if previous < 0:
        before[-1] += block
    else:
        before[previous + 1] = block + before[previous + 1]
    result: list[Key] = []
    for place, key in enumerate(order):
        result += [*before[place], key]
    return result + before[-1]
