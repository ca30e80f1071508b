"""The arithmetic of EIE's prices: Table II of the paper, divided by what one layer does."""

import numpy as np
import pytest

import hwmodel
import scheduler
from hwmodel import Task
from hwmodel.prices import han2016
from hwmodel.prices.han2016 import TABLE

CLOCK_HZ, PES = 800e6, 64
TICKS = 7_926
COUNTS = {  # of all elements, on the eighth layer of AlexNet
    "queue.pass": 112_640,
    "ptr.read": 112_640,
    "spmat.read": 100_900,
    "arithm.multiply": 453_748,
    "act.read_word": 453_748 + 4_097,
    "act.write_word": 453_748,
}
SECONDS = TICKS / CLOCK_HZ


def milliwatts(*actions) -> float:
    """Give what an element draws for some actions on that layer."""
    return sum(COUNTS[action] * TABLE.actions[action].pj for action in actions) * 1e-9 / SECONDS / PES


@pytest.mark.parametrize(
    ("actions", "published"),
    [
        (["queue.pass"], 0.112),
        (["ptr.read"], 1.807),
        (["spmat.read"], 4.955),
        (["arithm.multiply"], 1.162),
        (["act.read_word", "act.write_word"], 1.122),
    ],
)
def test_a_component_draws_its_published_power_less_its_part_of_the_clock(actions, published):
    """The clock network is 1.874 of 9.157 mW."""
    assert milliwatts(*actions) == pytest.approx(published * (1 - 1.874 / 9.157))


def test_a_fully_active_element_draws_the_published_power():
    """Its components add up to 9.158 mW in the paper, which gives 9.157 as their sum."""
    components = 0.112 + 1.807 + 4.955 + 1.162 + 1.122
    assert components == pytest.approx(9.158)
    active = milliwatts(*COUNTS) + TABLE.static["pe.clock"].watts * 1e3
    assert active == pytest.approx(9.157 + 0.001 * (1 - 1.874 / 9.157))
    assert round(active, 2) == 9.16


def test_sixty_four_elements_and_their_tree_draw_the_published_power():
    tree_w = 21 * TABLE.actions["lnzd.scan"].pj * 1e-12 * CLOCK_HZ
    assert tree_w == pytest.approx(21 * 0.023e-3)
    chip_w = 64 * (milliwatts(*COUNTS) * 1e-3 + TABLE.static["pe.clock"].watts) + tree_w
    assert round(chip_w, 2) == 0.59
    assert hwmodel.load("eie").static_w() == pytest.approx(64 * 1.874e-3)


def test_a_memory_of_another_width_costs_in_proportion_to_it():
    assert hwmodel.load("eie").prices.actions == TABLE.actions
    narrow = hwmodel.load("eie", sram_bits=32).prices
    assert narrow.name == "han2016, reads of 32 bits"
    assert narrow.actions["spmat.read"].pj == pytest.approx(TABLE.actions["spmat.read"].pj / 2)
    assert (narrow.actions["spmat.read"].bytes, TABLE.actions["spmat.read"].bytes) == (4, 8)
    assert narrow.actions["ptr.read"] == TABLE.actions["ptr.read"]


def test_reads_every_eight_ticks_would_cost_more():
    """The paper's steady state, in place of this layer's: 8 ticks of an element's power for a read."""
    share = 1 - 1.874 / 9.157
    assert 4.955e-3 * share * 8 / CLOCK_HZ * 1e12 / TABLE.actions["spmat.read"].pj == pytest.approx(1.59, abs=0.005)
    assert 1.807e-3 * share * 8 / CLOCK_HZ * 1e12 / TABLE.actions["ptr.read"].pj == pytest.approx(1.78, abs=0.005)


def test_dram_costs_what_the_paper_says():
    assert TABLE.actions["offchip.read_byte"].pj == 160


def test_an_idle_chip_draws_its_clock_network_and_a_busy_one_little_more_than_its_share():
    machine = hwmodel.load("eie")
    mask = np.zeros(4096, dtype=bool)
    outcome = scheduler.run(machine, Task.matmul(mask, (4096, 64)))
    dynamic_w = sum(machine.prices.dynamic_pj(outcome.ledger, "eie").values()) * 1e-12 / (outcome.ticks / CLOCK_HZ)
    assert outcome.ledger.executed_macs == 0
    assert dynamic_w < machine.static_w()


def test_every_price_says_how_it_is_known():
    assert {price.sure for price in TABLE.actions.values()} == {"derived", "read"}
    assert han2016.NODE_NM == 45
    assert all(price.node_nm == 45 for price in TABLE.actions.values())
