"""The figures of the papers are recomputed, and follow the machine."""

import numpy as np
import pytest

import hwmodel
from eventnet import validation
from eventnet.cli import main
from eventnet.validation import Row, cnvlutin, dadiannao, eie, eyeriss
from eventnet.validation.layers import layers
from scheduler import run

TOY = 4


def named(**changes):
    return lambda name: hwmodel.load(name, **changes.get(name, {}))


@pytest.fixture(scope="module")
def rows():
    return list(validation.rows())


def test_every_figure_lies_in_its_band(rows):
    outside = [row for row in rows if not row.holds]
    assert outside == []
    assert len(rows) == 18 + 2 * 14 + 7 + 3


def test_the_figures_are_those_of_the_papers(rows):
    published = {(row.machine, row.figure.split(":")[0]): row.published for row in rows}
    assert published["cnvlutin", "nin"] == 1.282
    assert published["dadiannao", "vgg19"] == 6_874_112
    assert published["eie", "VGG-6"] == 34.4
    assert published["eyeriss", "VGG-16 1-2"] == pytest.approx(218 * 0.9103, abs=1e-3)
    assert published["eyeriss", "AlexNet"] == pytest.approx(278 * 0.1153, abs=0.1)
    assert published["eyeriss_v2_pe", "L27"] == 775_316
    assert {row.sure for row in rows} == {"read", "run", "computed", "digitised", "recalled"}


def test_what_is_recalled_of_eyeriss_is_provisional(rows):
    """Single layers are recalled; the totals of AlexNet were read."""
    ours = [row for row in rows if row.machine == "eyeriss"]
    assert {row.figure.split(":")[0] for row in ours if not row.provisional} == {"AlexNet"}
    assert sum(not row.provisional for row in ours) == 4


def test_eyeriss_times_follow_its_buffer_and_its_bus():
    """With a whole bank more, VGG-16's second stage takes two channels a pass, and half the time."""
    layer = next(layer for layer in eyeriss.LAYERS if layer.name == "2-1")

    def measured(**changes):
        return eyeriss.measured(hwmodel.load("eyeriss", **changes), layer, np.random.default_rng(0))

    published = measured()
    assert measured(glb_bytes=102_400).processing_ms == pytest.approx(published.processing_ms / 2, rel=0.01)
    assert measured(psum_bus_words=8).processing_ms == pytest.approx(published.processing_ms / 2, rel=0.01)
    assert measured(clock_hz=100e6).processing_ms == 2 * published.processing_ms


@pytest.mark.parametrize(("network", "ticks"), [("googlenet", None), ("cnnm", None)])
def test_the_equation_holds_for_the_networks_without_a_published_figure(network, ticks):
    machine = hwmodel.load("dadiannao")
    expected = found = 0
    for layer in layers(network):
        task = layer.task()
        if task.kind != "convolution":
            continue
        channels, size = layer.module.in_channels // layer.module.groups, layer.module.kernel_size[0]
        operands = -(-channels * size**2 // 16) if layer.first else size**2 * -(-channels // 16)
        expected += task.groups * task.windows * operands * -(-task.filters // 256)
        found += run(machine, task).ticks
    assert found == expected > 0


def test_ours_moves_with_the_machine():
    toy = list(cnvlutin.rows(named(cnvlutin={"units": 1, "lanes": 8})))[:TOY]
    assert [row.ours for row in toy] == [3, 2, 48, -48]  # the toy brings its own sizes
    bricks = hwmodel.load("cnvlutin", assignment="brick")
    speedup = cnvlutin.independent_speedup(bricks, hwmodel.load("dadiannao"), "nin", 0.37)
    assert not Row(
        "cnvlutin", "nin", 1.282, speedup, 0.03, "Figure 9", "digitised"
    ).holds  # which is why slices are the default
    assert dadiannao.active_power_w(hwmodel.load("dadiannao", clock_hz=303e6)) < 0.6 * dadiannao.NODE_W


def test_eies_times_follow_its_clock_and_its_queues():
    published = eie.generated(hwmodel.load("eie"), "VGG-8").ticks
    assert eie.generated(hwmodel.load("eie", clock_hz=1.2e9), "VGG-8").ticks == published
    assert eie.generated(hwmodel.load("eie", queue_depth=2), "VGG-8").ticks > 1.2 * published
    assert eie.generated(hwmodel.load("eie", queue_depth=32), "VGG-8").ticks < published


def test_halving_the_active_tiles_lowers_the_power():
    machine = hwmodel.load("dadiannao")
    full, half = (dadiannao.active_power_w(machine, filters) for filters in (256, 128))
    assert machine.static_w() < half < 0.75 * full


def test_a_row_outside_its_band_fails_the_command_unless_it_is_provisional(monkeypatch, capsys):
    def rows_of(*found):
        monkeypatch.setattr(validation, "rows", lambda changed: iter(found))
        return main(["validate"])

    good = Row("m", "ticks", 100, 101, 0.02, "paper", "read")
    off = Row("m", "ticks", 100, 105, 0.02, "paper", "read")
    recalled = Row("m", "power", 100, 105, 0.02, "paper", "recalled")
    assert rows_of(good, recalled) == 0
    assert "no (provisional)" in capsys.readouterr().out
    assert rows_of(good, off) == 1
    assert capsys.readouterr().out.splitlines()[-1].split() == [
        "m",
        "ticks",
        "100",
        "105",
        "+5.00%",
        "2%",
        "NO",
        "read",
        "paper",
    ]
