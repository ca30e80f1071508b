import numba
import numpy as np
import pytest

from hwmodel.compiled import compiled


def total(array):
    summed = 0
    for one in array:
        summed += one
    return summed


@pytest.mark.parametrize("writable", [True, False])
def test_a_loop_is_compiled_whether_or_not_its_code_can_be_stored(monkeypatch, writable):
    njit, asked = numba.njit, []

    def njit_of_a_disk(*arguments, **options):
        if arguments[:1] == (total,):  # numba compiles loops of its own too
            asked.append(options)
            if options.pop("cache", False) and not writable:
                raise RuntimeError("cannot cache function 'total': no locator available for file 'nowhere'")
        return njit(*arguments, **options)  # without the cache: the test itself stores nothing

    monkeypatch.setattr(numba, "njit", njit_of_a_disk)
    assert compiled(total)(np.array([1, 2, 3])) == 6
    assert asked == [{"nogil": True}] * (1 if writable else 2)
