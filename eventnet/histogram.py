"""How often a number was how large, in constant memory."""

import math
from dataclasses import dataclass, field

BINS = 64


@dataclass(frozen=True)
class Bin:
    """How many values were at least ``low`` and below ``high``; a single value if both are equal."""

    low: float
    high: float
    count: int


@dataclass
class Histogram:
    """Counts of values in at most ``most`` bins, updated one value at a time.

    Every different value has a bin of its own until there are more than ``most``. From then on bins are as wide as the smallest
    power of two with which they reach from the least to the largest value, and begin at multiples of it. Two neighbours are
    then one bin of twice the width, exactly, whatever the order of the values: no value is ever counted in a wrong bin.

    Attributes
    ----------
    most
        How many bins there may be.
    width
        How wide they are; 0 while each value has its own.
    """

    most: int = BINS
    width: float = 0.0
    _counts: dict[float, int] = field(default_factory=dict)  # by value, or by multiple of the width

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts.values())

    def add(self, value: float, count: int = 1) -> None:
        """Take one more finite value in, or several that are equal. Cost: a look at every bin where one is new."""
        key = math.floor(value / self.width) if self.width else value
        known = key in self._counts
        self._counts[key] = self._counts.get(key, 0) + count
        if not known:
            self._widen()

    def narrowed(self, most: int) -> "Histogram":
        """Return the same counts in at most so many bins, which are no more than there are here."""
        counts = Histogram(most, self.width, dict(self._counts))
        counts._widen()
        return counts

    @property
    def bins(self) -> list[Bin]:
        """List the bins from the least to the largest value, empty ones between them included."""
        if not self._counts:
            return []
        if not self.width:
            return [Bin(value, value, self._counts[value]) for value in sorted(self._counts)]
        numbers = range(int(min(self._counts)), int(max(self._counts)) + 1)
        return [Bin(one * self.width, (one + 1) * self.width, self._counts.get(one, 0)) for one in numbers]

    def check(self) -> None:
        """Hold that the bins are as few and as narrow as they can be."""
        assert all(count > 0 for count in self._counts.values())
        assert len(self._counts) <= self.most
        if self.width:
            assert math.frexp(self.width)[0] == 0.5, "a power of two"
            assert max(self._counts) - min(self._counts) < self.most

    def _widen(self) -> None:
        """Make the bins wider until they are few enough."""
        if not self.width and len(self._counts) > self.most:
            least, largest = min(self._counts), max(self._counts)
            self.width = math.ldexp(1.0, math.frexp((largest - least) / self.most)[1] - 1)  # any narrower would not reach
            self._join(self.width)
        while self.width and max(self._counts) - min(self._counts) >= self.most:
            self.width *= 2
            self._join(2)

    def _join(self, width: float) -> None:
        joined: dict[float, int] = {}
        for key, count in self._counts.items():
            place = math.floor(key / width)
            joined[place] = joined.get(place, 0) + count
        self._counts = joined
