"""The ready queue: what may be done, in one total order (tick, priority, sequence)."""

from typing import Generic, TypeVar

from sortedcontainers import SortedList

Item = TypeVar("Item")


class ReadyQueue(Generic[Item]):
    """Items waiting for their turn: earliest tick first, then lowest priority number, then first come.

    The order is total and does not depend on the items, so the same pushes give the same pops in every process.
    Pushing and popping cost O(log n).
    """

    def __init__(self) -> None:
        self._entries: SortedList = SortedList()
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def first_tick(self) -> int | None:
        """Give the tick at which the first item is ready; None if there is none."""
        return self._entries[0][0] if self._entries else None

    def push(self, tick: int, priority: int, item: Item) -> None:
        """Add an item that is ready at a tick."""
        self._entries.add((tick, priority, self._sequence, item))
        self._sequence += 1

    def pop(self) -> Item:
        """Remove and return the first item; IndexError if there is none."""
        item: Item = self._entries.pop(0)[3]
        return item

    def pop_due(self, tick: int) -> Item | None:
        """Remove and return the first item if it is ready at a tick, else None."""
        if self._entries and self._entries[0][0] <= tick:
            return self.pop()
        return None

    def remove(self, item: Item) -> None:
        """Take an item out of the queue, wherever it stands; ValueError if it is not there. Cost: O(n)."""
        for place, entry in enumerate(self._entries):
            if entry[3] is item:
                del self._entries[place]
                return
        raise ValueError(f"ReadyQueue.remove: {item!r} is not in the queue, expected an item that was pushed.")

    def items(self) -> list[Item]:
        """List the items in their order."""
        return [entry[3] for entry in self._entries]

    def check(self) -> None:
        """Assert that the entries are in order and their sequence numbers are all different."""
        keys = [entry[:3] for entry in self._entries]
        assert keys == sorted(keys)
        assert len({key[2] for key in keys}) == len(keys)
        assert all(key[2] < self._sequence for key in keys)
