"""The arithmetic of the prices again, from the numbers of the paper: a node that works fully draws 7.96 W."""

import pytest

import hwmodel
import scheduler
from hwmodel import Task
from hwmodel.prices.chen2014 import TABLE

CLOCK_HZ = 606e6
TILES_W, CENTRAL_W, WIRES_W, CLOCK_NETWORK_W = 6.15, 1.80, 0.01, 0.71


def power_w(task: Task, **parameters) -> tuple[float, float]:
    """Return dynamic and static power of a node during a task."""
    node = hwmodel.load("dadiannao", **parameters)
    outcome = scheduler.run(node, task)
    dynamic_pj = sum(node.prices.dynamic_pj(outcome.ledger, node.name).values())
    return dynamic_pj * 1e-12 / (outcome.ticks / node.clock_hz), node.static_w()


def full_work(filters: int = 256, channels: int = 512) -> Task:
    """Make windows that keep all lanes busy for 288 ticks each."""
    return Task.convolution((channels, 5, 5), (filters, channels, 3, 3))


def test_a_fully_active_node_draws_the_published_power():
    assert pytest.approx(7.96) == TILES_W + CENTRAL_W + WIRES_W
    assert sum(power_w(full_work())) == pytest.approx(7.96, rel=0.02)


def test_a_fully_active_tile_costs_634_picojoules_a_tick():
    """6.15 W over 16 tiles at 606 MHz. A tick of a tile: 16 lanes, 256 words of synapses and so many products."""
    a_tick = {
        "sb.read_word": 256,
        "nfu.multiply": 256,
        "nfu.add": 256,
        "lane.register": 16,
        "nbin.read_word": 16,
        "nbin.write_word": 16,
        "nbout.read_word": 16,
        "nbout.write_word": 16,
    }
    dynamic_pj = sum(count * TABLE.actions[action].pj for action, count in a_tick.items())
    static_w = TABLE.static["tile.clock"].watts + TABLE.static["tile.leakage"].watts
    assert dynamic_pj + static_w / CLOCK_HZ * 1e12 == pytest.approx(634, rel=0.001)
    assert dynamic_pj + static_w / CLOCK_HZ * 1e12 == pytest.approx(TILES_W / 16 / CLOCK_HZ * 1e12)


def test_a_fully_active_central_block_and_its_wires_draw_the_rest():
    """A tick reads 16 words from the neuron memory and broadcasts them."""
    dynamic_pj = 16 * (TABLE.actions["nm.read_word"].pj + TABLE.actions["tree.broadcast_word"].pj)
    static_w = TABLE.static["central.clock"].watts + TABLE.static["central.leakage"].watts
    assert dynamic_pj * 1e-12 * CLOCK_HZ + static_w == pytest.approx(CENTRAL_W + WIRES_W)


def test_a_step_of_the_node_agrees_with_its_parts():
    """One tick of all 16 tiles and the central block, booked by the machine for one window of one tick."""
    one_tick = Task.convolution((16, 1, 1), (256, 16, 1, 1))
    node = hwmodel.load("dadiannao")
    ledger = scheduler.run(node, one_tick).ledger
    assert ledger.as_dict() == {
        "lane.register": 16 * 16,
        "nbin.read_word": 16 * 16,
        "nbin.write_word": 16 * 16,
        "nbout.read_word": 16 * 16,
        "nbout.write_word": 16 * 16,
        "nfu.add": 4096,
        "nfu.multiply": 4096,
        "nm.read_word": 16,
        "nm.write_word": 256,
        "sb.read_word": 4096,
        "tree.broadcast_word": 16,
    }


def test_static_power_is_the_clock_network_and_leakage_with_a_source_and_no_more():
    leakage_w = 16 * 0.0386 + 0.068
    static_w = hwmodel.load("dadiannao").static_w()
    assert static_w == pytest.approx(CLOCK_NETWORK_W + leakage_w)
    assert static_w <= CLOCK_NETWORK_W + leakage_w + 1e-12
    clock_w = 16 * TABLE.static["tile.clock"].watts + TABLE.static["central.clock"].watts
    assert clock_w == pytest.approx(CLOCK_NETWORK_W)
    assert set(TABLE.static) == {"tile.clock", "tile.leakage", "central.clock", "central.leakage"}


def test_half_of_the_tiles_at_work_draw_less():
    """128 filters keep 8 of 16 tiles busy: their dynamic power goes, the static power and the broadcast stay."""
    dynamic_w, static_w = power_w(full_work(256))
    half_dynamic_w, half_static_w = power_w(full_work(128))
    assert half_static_w == static_w
    tiles_dynamic_w = TILES_W - 16 * (TABLE.static["tile.clock"].watts + TABLE.static["tile.leakage"].watts)
    assert dynamic_w - half_dynamic_w == pytest.approx(tiles_dynamic_w / 2, rel=0.02)


def test_lanes_without_neurons_draw_less():
    assert power_w(full_work(channels=8))[0] < power_w(full_work(channels=16))[0]


def test_words_cost_a_sixteenth_of_an_access_of_256_bits():
    access_pj = {
        "sb.read_word": 19.2,
        "nbin.read_word": 4.64,
        "nbin.write_word": 6.32,
        "nbout.read_word": 4.64,
        "nbout.write_word": 6.32,
        "nm.read_word": 115.0,
        "nm.write_word": 116.0,
    }
    for action, pj in access_pj.items():
        assert TABLE.actions[action].pj == pytest.approx(pj / 16), action
        assert TABLE.actions[action].bytes == 2, action


def test_arithmetic_is_scaled_from_45_to_28_nm():
    assert TABLE.actions["nfu.multiply"].pj == pytest.approx(0.8 * 28 / 45)
    assert TABLE.actions["nfu.add"].pj == pytest.approx(0.06 * 28 / 45)
    assert TABLE.actions["nfu.operate"].pj == pytest.approx((0.8 + 0.06) * 28 / 45)


def test_a_byte_from_off_the_chip_costs_a_quarter_of_32_bits():
    assert TABLE.actions["offchip.read_byte"].pj == 160


def test_what_was_not_published_is_not_said_to_be_read():
    """Table VI is recalled, so the tile's remainder, the broadcast and the clock are."""
    for action in ("sb.read_word", "lane.register", "tree.broadcast_word"):
        assert TABLE.actions[action].sure == "recalled"
    for component in ("tile.clock", "central.clock"):
        assert TABLE.static[component].sure == "recalled"
    assert TABLE.actions["nfu.multiply"].sure == "derived"
