from hwmodel.prices import horowitz2014


def test_the_numbers_are_those_of_the_table_at_45_nm():
    assert horowitz2014.NODE_NM == 45
    assert horowitz2014.DRAM_READ_32_BIT_PJ == 640


def test_sixteen_bit_arithmetic_is_that_of_the_simulators_and_lies_within_the_table():
    """The table has adds of 0.03, 0.05 and 0.1 pJ for 8, 16 and 32 bits, and multiplies of 0.2 and 3.1 pJ for 8 and 32."""
    assert horowitz2014.MULTIPLY_16_BIT_PJ == 0.8
    assert horowitz2014.ADD_16_BIT_PJ == 0.06
    assert 0.2 < horowitz2014.MULTIPLY_16_BIT_PJ < 3.1
    assert 0.03 < horowitz2014.ADD_16_BIT_PJ < 0.1
