"""The arithmetic of what Cnvlutin adds to DaDianNao's prices."""

import numpy as np
import pytest

import hwmodel
import scheduler
from hwmodel import Task
from hwmodel.prices import chen2014
from hwmodel.prices.albericio2016 import TABLE

CLOCK_HZ = 606e6


def power_w(machine: str, task: Task) -> float:
    node = hwmodel.load(machine)
    outcome = scheduler.run(node, task)
    dynamic_pj = sum(node.prices.dynamic_pj(outcome.ledger, node.name).values())
    return dynamic_pj * 1e-12 / (outcome.ticks / node.clock_hz) + node.static_w()


def energy_pj(machine: str, task: Task) -> float:
    return power_w(machine, task) * scheduler.run(hwmodel.load(machine), task).ticks / CLOCK_HZ * 1e12


def half_zero_work(density: float) -> Task:
    mask = np.random.default_rng(1).random((256, 6, 6)) < density
    return Task.convolution(mask, (256, 256, 3, 3))


def test_neurons_travel_as_20_bits_instead_of_16():
    for wide, narrow in [
        ("nbin.read_neuron", "nbin.read_word"),
        ("nbin.write_neuron", "nbin.write_word"),
        ("tree.broadcast_neuron", "tree.broadcast_word"),
    ]:
        assert TABLE.actions[wide].pj == pytest.approx(chen2014.TABLE.actions[narrow].pj * 20 / 16)
        assert TABLE.actions[wide].bytes == pytest.approx(chen2014.TABLE.actions[narrow].bytes * 20 / 16)


def test_the_neuron_memory_is_priced_by_the_bank():
    """DESTINY, 32 nm: 17.1 pJ to read 256 bits of a 256 KB bank, 18.2 pJ to write them; a neuron is 20 bits."""
    assert TABLE.actions["nm.read_neuron"].pj == pytest.approx(17.1 / 256 * 20)
    assert TABLE.actions["nm.write_neuron"].pj == pytest.approx(18.2 / 256 * 20)
    assert TABLE.actions["nm.read_neuron"].bytes == TABLE.actions["nm.write_neuron"].bytes == 2.5
    assert TABLE.static["central.leakage"].watts == pytest.approx(16 * 0.0087)


def test_encoder_and_dispatcher_are_their_power_over_the_clock():
    """0.581 mW for an encoder's neuron a tick, 7.67 mW for the sixteen neurons that the dispatcher sends in a tick."""
    assert TABLE.actions["encoder.encode"].pj == pytest.approx(0.581e-3 / CLOCK_HZ * 1e12)
    assert TABLE.actions["dispatcher.send"].pj == pytest.approx(7.67e-3 / CLOCK_HZ * 1e12 / 16)
    assert TABLE.static["central.added_logic"].watts == pytest.approx(16 * 63e-6 + 0.51e-3)


def test_the_rest_is_dadiannaos():
    for action, price in chen2014.TABLE.actions.items():
        assert TABLE.actions[action] is price
    assert TABLE.static["tile.clock"] is chen2014.TABLE.static["tile.clock"]
    assert TABLE.static["tile.leakage"] is chen2014.TABLE.static["tile.leakage"]
    assert TABLE.static["central.clock"] is chen2014.TABLE.static["central.clock"]
    assert hwmodel.load("dadiannao").prices.name == "chen2014"
    assert "dispatcher.send" not in hwmodel.load("dadiannao").prices.actions


def test_counts_for_reports_cost_nothing():
    counts = [action for action, price in TABLE.actions.items() if price.sure == "count"]
    assert "encoder.late_window" in counts
    assert all(TABLE.actions[action].pj == 0 for action in counts)


def test_without_zeros_the_node_draws_about_what_dadiannao_does():
    dense = Task.convolution((512, 5, 5), (256, 512, 3, 3))
    assert power_w("cnvlutin", dense) == pytest.approx(power_w("dadiannao", dense), rel=0.15)


def test_zeros_save_energy():
    """The recalled band of energy at the papers' zero share is 0.67 to 0.75 of DaDianNao's; more zeros save more."""
    half, most = half_zero_work(0.5), half_zero_work(0.1)
    assert energy_pj("cnvlutin", most) < energy_pj("cnvlutin", half) < 0.8 * energy_pj("dadiannao", half)
