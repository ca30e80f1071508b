"""The bytes of a compressed feature map, against an encoder that writes every pair and a decoder that reads them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwmodel.run_length import compressed_bytes


def encoded(values: list[int]) -> list[tuple[int, int]]:
    """Write pairs of a run of at most 31 zeros and a value; zeros that are left at the end are a pair as well."""
    pairs, zeros = [], 0
    for value in values:
        if value == 0 and zeros < 31:
            zeros += 1
        else:
            pairs.append((zeros, value))
            zeros = 0
    return pairs + ([(zeros - 1, 0)] if zeros else [])


def decoded(pairs: list[tuple[int, int]]) -> list[int]:
    return [value for zeros, level in pairs for value in [0] * zeros + [level]]


def bytes_of(*channels: list[list[int]]) -> int:
    """Count the bytes of the planes of one frame."""
    return compressed_bytes(np.moveaxis(np.array(channels, dtype=np.uint8), 0, -1)[None, None])


def test_three_values_take_a_word():
    assert [bytes_of([[1] * size]) for size in (1, 3, 4, 6, 7)] == [8, 8, 16, 16, 24]


def test_a_run_of_zeros_costs_nothing_until_it_is_longer_than_five_bits():
    assert bytes_of([[0] * 31 + [1, 1, 1]]) == 8
    assert bytes_of([[0] * 32 + [1, 1]]) == 8  # the 32nd zero is the value of a pair
    assert bytes_of([[0] * 32 + [1, 1, 1]]) == 16


def test_zeros_alone_take_a_pair_for_every_thirty_two():
    assert [bytes_of([[0] * size]) for size in (1, 96, 97)] == [8, 8, 16]


def test_a_run_goes_on_from_row_to_row_and_from_plane_to_plane():
    assert bytes_of([[1, 0], [0, 0]], [[0, 0], [0, 1]]) == 8
    assert compressed_bytes(np.zeros((0, 1, 2, 2, 1), dtype=np.uint8)) == 0


def test_each_frame_is_a_stream_of_its_own():
    frames = np.ones((2, 1, 1, 1, 1), dtype=np.uint8)
    assert compressed_bytes(frames) == 16


@settings(max_examples=100, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_map_takes_the_words_of_its_pairs(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    shape = [data.draw(st.integers(1, 6)) for _ in range(4)]
    mask = rng.random((2, *shape)) < data.draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))
    expected = 0
    for frame in mask:
        values = [int(frame[d, h, w, c]) for c in range(shape[3]) for d, h, w in np.ndindex(*shape[:3])]
        pairs = encoded(values)
        assert decoded(pairs) == values
        assert all(zeros < 32 for zeros, _ in pairs)
        expected += 8 * -(-len(pairs) // 3)
    assert compressed_bytes(mask.view(np.uint8)) == expected
