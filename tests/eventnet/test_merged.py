"""Orders of what ran, merged."""

import random

import pytest

from eventnet.merged import merged


@pytest.mark.parametrize(
    ("order", "seen", "expected"),
    [
        ("", "abc", "abc"),
        ("abc", "", "abc"),
        ("abc", "xabc", "xabc"),
        ("abc", "abcx", "abcx"),
        ("abc", "axc", "abxc"),  # alternatives: as first seen
        ("abc", "ax", "axbc"),  # a branch that ends
        ("abc", "xyz", "abcxyz"),  # nothing in common
        ("abc", "cxa", "abcx"),  # in another order
        ("abc", "axbyczd", "axbyczd"),
    ],
)
def test_what_is_new_stands_where_it_ran(order, seen, expected):
    assert "".join(merged(order, seen)) == expected


def test_a_known_order_stays_and_everything_is_there_once():
    for seed in range(200):
        draw = random.Random(seed)
        order = draw.sample(range(20), draw.randint(0, 20))
        seen = draw.sample(range(20), draw.randint(0, 20))
        found = merged(order, seen)
        assert [one for one in found if one in order] == order
        assert sorted(found) == sorted({*order, *seen})
