"""The arithmetic of Eyeriss' prices: the regression gives back the measured energy of every published layer."""

import pytest

import hwmodel
from hwmodel.offchip import READ
from hwmodel.prices.chen2017 import TABLE

# JSSC 2017, Tables V and VI (recalled): milliwatts, milliseconds, 10^9 products, share of zeros, MB of the GLB and of the link.
LAYERS = {
    "CONV1": (332, 20.9, 0.42, 0.0001, 18.5, 5.0),
    "CONV2": (288, 41.9, 0.90, 0.387, 77.6, 4.0),
    "CONV3": (266, 23.6, 0.60, 0.725, 50.2, 3.0),
    "CONV4": (235, 18.4, 0.45, 0.793, 37.4, 2.1),
    "CONV5": (236, 10.5, 0.30, 0.776, 24.9, 1.3),
    "1-1": (247, 76.2, 0.26, 0.016, 112.6, 15.4),
    "1-2": (218, 910.3, 5.55, 0.477, 2402.8, 54.0),
    "2-1": (242, 470.3, 2.77, 0.248, 1201.4, 33.4),
    "3-1": (254, 241.1, 2.77, 0.397, 607.4, 20.2),
    "3-3": (233, 457.7, 5.55, 0.587, 1214.8, 30.8),
    "4-1": (278, 135.8, 2.77, 0.643, 321.8, 17.8),
    "4-2": (261, 254.8, 5.55, 0.747, 643.7, 28.6),
    "5-1": (258, 54.3, 1.39, 0.794, 90.0, 6.3),
    "5-3": (230, 53.7, 1.39, 0.885, 90.0, 5.6),
}


def fitted_mj(milliseconds, products, zeros, glb_mb, link_mb) -> float:
    """Price published counts: 10^9 products, and MB of 2^20 bytes, of which a word has two."""
    pj = {action: price.pj for action, price in TABLE.actions.items()}
    words = glb_mb * 2**20 / 2
    dynamic_pj = products * 1e9 * ((1 - zeros) * pj["pe.multiply"] + zeros * pj["pe.gate"])
    dynamic_pj += words * pj["glb.read_word"] + link_mb * 2**20 * pj[READ]
    return dynamic_pj * 1e-9 + TABLE.static["chip.static"].watts * milliseconds


@pytest.mark.parametrize("layer", LAYERS)
def test_published_counts_cost_the_published_energy(layer):
    milliwatts, milliseconds, *counts = LAYERS[layer]
    assert fitted_mj(milliseconds, *counts) == pytest.approx(milliwatts * milliseconds * 1e-3, rel=0.085)


def test_more_than_half_of_the_layers_are_fitted_within_three_per_cent():
    ratios = [fitted_mj(time, *counts) / (power * time * 1e-3) for power, time, *counts in LAYERS.values()]
    assert sum(abs(ratio - 1) < 0.03 for ratio in ratios) >= 8


def test_a_word_costs_what_its_bytes_do():
    assert TABLE.actions[READ].pj == pytest.approx(309 / 2)
    assert TABLE.actions["glb.read_word"].bytes == TABLE.actions["glb.write_word"].bytes == 2
    assert hwmodel.load("eyeriss").static_w() == pytest.approx(0.1926)


def test_every_price_says_that_it_is_a_regression_on_recalled_tables():
    for price in (*TABLE.actions.values(), *TABLE.static.values()):
        assert price.sure == "recalled"
        assert price.source.startswith("regression on Eyeriss, JSSC 2017, Tables V and VI (recalled): ")
        assert price.node_nm == 65
