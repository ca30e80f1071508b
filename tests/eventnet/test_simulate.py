"""Simulating a model: numbers that can be checked by hand, state that is put back, flags that are refused."""

import random
import re
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from torch import nn

import eventnet
import hwmodel


def layer(*, in_channels=2, out_channels=3, kernel=3, **geometry) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(in_channels, out_channels, kernel, **geometry)


def test_every_number_of_a_small_convolution_is_the_one_counted_by_hand():
    module = layer(in_channels=1, out_channels=2, kernel=2)
    module.weight.data[1] = 0.0
    image = torch.tensor([[[[1.0, 0.0, 2.0], [0.0, 0.0, 3.0]]]])
    run = eventnet.simulate(module, image, machine="cnvlutin", baseline="dadiannao", first_layer="none")
    record = run.records[0]
    assert (record.name, record.op, record.part, record.call) == ("Conv2d", "convolution", "forward", 0)
    assert record.macs == 2 * 4 * 2  # windows, operands, filters
    assert (record.activations, record.events, record.event_fraction) == (6, 3, 0.5)
    assert record.zero_macs == (3 + 2) * 2  # the windows hold 1 and 2 nonzeros
    assert record.effectual_macs == 1 + 2  # the second filter is all zeros
    assert record.executed_macs == 2 * (1 + 2)  # which Cnvlutin multiplies all the same
    assert record.executed_macs == run.ledger["nfu.multiply"]
    assert record.ticks == 1 + 2
    assert record.baseline_ticks == 2 * 4
    assert record.speedup == run.speedup == run.speedup_conv == 8 / 3
    assert record.lanes == 16
    assert (record.busy_ticks, record.stall_ticks, record.idle_ticks) == (3, 0, 15 * 3)  # one channel is one lane's
    assert record.lane_ticks == {"nonzero": 3, "zero": 0, "stall": 45, "first_layer": 0, "other": 0}
    assert run.zero_fraction == 10 / 16
    assert run.coverage == 1.0


def test_lane_time_adds_up_to_lanes_times_ticks():
    model = nn.Sequential(layer(), nn.ReLU(), layer(in_channels=3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5))
    run = eventnet.simulate(model, torch.randn(1, 2, 6, 6), baseline="dadiannao")
    for record in run.timed_records:
        assert sum(record.lane_ticks.values()) == record.lanes * record.ticks
        assert record.busy_ticks + record.stall_ticks + record.idle_ticks == record.lanes * record.ticks
    assert [max(record.lane_ticks, key=record.lane_ticks.get) for record in run.product_records][::2] == [
        "first_layer",
        "other",
    ]
    assert sum(run.lane_ticks.values()) == 16 * run.ticks


def test_buffers_gradients_and_random_state_are_put_back_after_the_untouched_run():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    sample = torch.randn(6, 4)
    torch.manual_seed(5), random.seed(5), np.random.seed(5)  # noqa: NPY002
    run = eventnet.simulate(model, sample)
    assert model[1].num_batches_tracked == 1
    assert run.difference.maximum < 1e-5  # the same dropout in both runs
    after = torch.rand(1), random.random(), np.random.rand()  # noqa: NPY002

    torch.manual_seed(5), random.seed(5), np.random.seed(5)  # noqa: NPY002
    model(sample)
    assert after == (torch.rand(1), random.random(), np.random.rand())  # noqa: NPY002


def test_a_program_that_writes_into_its_input_gives_the_same_answer():
    def program(value):
        return torch.mm(value.mul_(2), torch.eye(3))

    sample = torch.ones(1, 3)
    run = eventnet.simulate(program, sample)
    assert run.difference.maximum == 0
    assert torch.equal(sample, torch.full((1, 3), 2.0))


def test_gradients_inside_inference_run_and_leave_parameters_alone():
    module = nn.Linear(3, 3)

    def energy_descent(value):
        for _ in range(2):
            value = value.detach().requires_grad_()
            (slope,) = torch.autograd.grad(module(value).square().sum(), value)
            value = value - 0.1 * slope
        return value

    run = eventnet.simulate(energy_descent, torch.ones(1, 3))
    assert run.agreement
    assert module.weight.grad is None
    assert len(run.product_records) == 4  # one product forward and one backward, twice


def test_a_threshold_drops_small_activations_and_says_how_many():
    module = nn.Linear(4, 2)
    sample = torch.tensor([[0.01, -0.02, 0.5, 0.0]])
    exact = eventnet.simulate(module, sample)
    pruned = eventnet.simulate(module, sample, threshold=0.1)
    assert (exact.records[0].events, exact.records[0].pruned) == (3, 0)
    assert (pruned.records[0].events, pruned.records[0].pruned) == (1, 2)
    assert pruned.agreement  # with PyTorch on the pruned activations
    assert pruned.difference.maximum > 0
    torch.testing.assert_close(pruned.outputs, module(torch.tensor([[0.0, 0.0, 0.5, 0.0]])))


def test_a_threshold_may_be_set_for_one_module():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    run = eventnet.simulate(model, torch.full((1, 4), 0.01), threshold={"0": 0.1})
    assert [record.pruned for record in run.records] == [4, 0]


def test_parameters_that_do_not_fit_are_read_at_each_use():
    module = nn.Linear(64, 64, bias=False)
    small = hwmodel.load("dadiannao", synapse_bytes_per_unit=256)  # 4 KiB a node, the layer needs 8

    def twice(value):
        return module(module(value))

    fits = eventnet.simulate(twice, torch.ones(1, 64), machine="dadiannao")
    spills = eventnet.simulate(twice, torch.ones(1, 64), machine=small)
    waits = eventnet.simulate(twice, torch.ones(1, 64), machine=small, offchip="time")
    assert [record.offchip_bytes for record in fits.records] == [0, 0]
    assert [record.offchip_bytes for record in spills.records] == [8192, 8192]
    assert spills.records[0].offchip_seconds == 8192 / 25.6e9
    assert spills.records[0].offchip_pj == pytest.approx(8192 * 160.0)
    assert spills.ticks == fits.ticks
    assert spills.records[0].bound == waits.records[0].bound == "offchip"
    assert fits.records[0].bound == "compute"
    assert waits.records[0].ticks == int(np.ceil(8192 / 25.6e9 * 606e6))
    for record in waits.records:
        assert record.busy_ticks + record.stall_ticks + record.idle_ticks == record.lanes * record.ticks


def test_energy_is_actions_times_prices_plus_static_power_times_time():
    run = eventnet.simulate(layer(), torch.randn(1, 2, 5, 5), machine="dadiannao")
    machine = hwmodel.load("dadiannao")
    dynamic = sum(count * machine.prices.actions[action].pj for action, count in run.ledger.as_dict().items())
    assert run.dynamic_pj == pytest.approx(dynamic)
    assert run.static_pj == pytest.approx(machine.static_w() * run.seconds * 1e12)
    assert run.energy_pj == run.dynamic_pj + run.static_pj + run.offchip_pj
    assert run.power_w == pytest.approx(run.energy_pj * 1e-12 / run.seconds)


def test_machines_of_different_clocks_are_compared_in_seconds():
    fast = hwmodel.load("dadiannao", clock_hz=1212e6)
    run = eventnet.simulate(layer(), torch.randn(1, 2, 5, 5), machine=fast, baseline="dadiannao")
    assert run.ticks == run.baseline_ticks
    assert run.speedup == 2.0


def test_two_runs_are_the_same_bit_for_bit():
    model = nn.Sequential(layer(), nn.ReLU(), layer(in_channels=3))
    sample = torch.randn(1, 2, 9, 9)
    first, second = (eventnet.simulate(model, sample, baseline="dadiannao") for _ in range(2))
    assert torch.equal(first.outputs, second.outputs)
    assert first.to_frame().equals(second.to_frame())


def test_a_write_through_data_between_two_runs_is_seen():
    module = nn.Linear(4, 4, bias=False)
    module.weight.data = torch.arange(16.0).reshape(4, 4) + 1
    sample = torch.ones(1, 4)
    first = eventnet.simulate(module, sample)
    version = module.weight._version
    module.weight.data.copy_(module.weight.data.flip(0))  # the same values in other places
    assert module.weight._version == version
    second = eventnet.simulate(module, sample)
    assert torch.equal(second.outputs, first.outputs.flip(1))
    module.weight.data[0] = 0
    third = eventnet.simulate(module, sample)
    assert third.agreement
    assert third.records[0].effectual_macs == 12


def test_verify_says_how_every_product_agrees():
    model = nn.Sequential(layer(), nn.ReLU(), layer(in_channels=3))
    agreement = eventnet.verify(model, torch.randn(1, 2, 9, 9))
    assert agreement
    assert [verdict.name for verdict in agreement.verdicts] == ["0", "2"]
    assert str(agreement).startswith("every product agrees with PyTorch, 2 compared; worst: ")


def test_statistics_over_samples_are_those_of_the_runs():
    module = layer()
    samples = [torch.randn(1, 2, 6, 6) * (torch.rand(1, 2, 6, 6) > 0.5) for _ in range(6)]
    runs = [eventnet.simulate(module, sample, baseline="dadiannao", first_layer="none") for sample in samples]
    statistics = eventnet.simulate(module, samples=samples, baseline="dadiannao", first_layer="none")
    ticks = np.array([run.ticks for run in runs])
    spread = statistics.totals["ticks"]
    assert (statistics.count, spread.count) == (6, 6)
    assert (spread.minimum, spread.maximum) == (ticks.min(), ticks.max())
    assert spread.mean == pytest.approx(ticks.mean())
    assert spread.deviation == pytest.approx(ticks.std(ddof=1))
    assert statistics.operators["Conv2d", "convolution", "forward"]["ticks"].mean == pytest.approx(ticks.mean())
    assert statistics.disagreed == []
    assert "6 of 6" in str(statistics)


def test_an_interrupt_keeps_the_samples_before_it():
    def samples():
        yield torch.ones(1, 4)
        yield {"input": torch.zeros(1, 4)}
        raise KeyboardInterrupt

    statistics = eventnet.simulate(nn.Linear(4, 2), samples=samples())
    assert statistics.count == 2
    assert statistics.interrupted
    assert str(statistics).startswith("2 samples before an interrupt")


def test_integer_outputs_that_differ_are_a_disagreement():
    run = eventnet.simulate(lambda value: (value @ torch.eye(3)).argmax(), torch.tensor([[1.0, 3.0, 2.0]]))
    assert run.agreement
    run.difference = replace(run.difference, integers_equal=False)
    assert not run.agreement
    assert str(run.agreement) == "the program's integer outputs are NOT those of the untouched program"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"threshold": -0.5},
            "eventnet.simulate: threshold is -0.5, expected a number of at least 0. Activations of smaller magnitude count as "
            "zero, so 0 drops nothing.",
        ),
        (
            {"threshold": {"0": float("nan")}},
            "eventnet.simulate: threshold of module '0' is nan, expected a number of at least 0. Activations of smaller "
            "magnitude count as zero, so 0 drops nothing.",
        ),
        (
            {"threshold": {"2": 0.1}},
            "eventnet.simulate: the model has no module '2', expected one of 0, 1.",
        ),
        (
            {"first_layer": "first"},
            "eventnet.simulate: first_layer is 'first', expected one of auto, none.",
        ),
        (
            {"engine": "bulkk"},
            "eventnet.simulate: no engine is called 'bulkk', expected one of auto, bulk, event. Did you mean 'bulk'?",
        ),
        (
            {"values": "event"},
            "eventnet.simulate: values is 'event', expected one of events, reference. Did you mean 'events'?",
        ),
        (
            {"machine": []},
            "eventnet.simulate: machine is [], expected a name, a hwmodel.Machine or a list of them.",
        ),
        (
            {"machine": "cnvluti"},
            "hwmodel.load: no machine is called 'cnvluti', expected one of cnvlutin, dadiannao, eie, eyeriss, "
            "eyeriss_v2_pe. Did you mean 'cnvlutin'?",
        ),
        (
            {"samples": [torch.ones(1, 4)]},
            "eventnet.simulate: samples are given together with other inputs, expected samples alone. Put every "
            "input of a sample into its tuple or dict.",
        ),
        (
            {"machine": ["cnvlutin", "dadiannao"], "samples": [torch.ones(1, 4)], "no_inputs": True},
            "eventnet.simulate: samples are given together with 2 machines, expected one. Call it for each machine.",
        ),
    ],
)
def test_bad_arguments_get_one_clear_sentence(flags, message):
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    with pytest.raises(eventnet.EventNetError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(model, *([] if flags.pop("no_inputs", False) else [torch.ones(1, 4)]), **flags)


def test_a_wrong_channel_count_says_what_was_expected():
    message = (
        "eventnet.simulate: a convolution is given 3 channels, expected 2. Give the model an input with the channels it was "
        "built for."
    )
    with pytest.raises(hwmodel.ShapeError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(layer(), torch.ones(1, 3, 5, 5))


def test_something_that_is_no_model_is_refused():
    message = "eventnet.simulate: model is 3, expected a module or a function that computes with PyTorch."
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(3, torch.ones(1))


@pytest.mark.parametrize(
    ("flags", "calls"),
    [({"values": "reference"}, 1), ({"values": "reference", "threshold": 0.5}, 2), ({}, 2)],
)
def test_a_program_whose_own_values_flow_runs_once(flags, calls):
    called = []
    layer = torch.nn.Linear(4, 2)

    def program(sample):
        called.append(1)
        return layer(sample)

    run = eventnet.simulate(program, torch.ones(1, 4), **flags)
    assert len(called) == calls
    assert run.difference is not None


def test_both_engines_give_the_same_run_of_the_same_values():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 40, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(40, 8, 3))
    image = torch.randn(1, 3, 12, 12)
    runs = [
        eventnet.simulate(model, image, baseline="dadiannao", engine=engine, values="reference") for engine in ("event", "bulk")
    ]
    event, bulk = ([asdict(record) for record in run.records] for run in runs)
    assert bulk == event
    assert torch.equal(runs[0].outputs, runs[1].outputs)


def test_a_layer_that_a_machine_cannot_map_runs_without_ticks_and_a_sentence_says_why():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 13), torch.nn.Conv2d(2, 3, 3))
    run = eventnet.simulate(model, torch.randn(1, 1, 20, 20), machine="eyeriss")
    assert [record.timed for record in run.records] == [False, True]
    assert run.coverage == 3 * 2 * 9 * 36 / (2 * 169 * 64 + 3 * 2 * 9 * 36)
    printed = str(run).splitlines()
    assert "not mapped convolution in 0: its filters are 13 x 13, and it takes at most 12 rows of 12 weights" in printed
    assert "other      in PyTorch, without ticks: convolution x1" in printed
    assert run.agreement


def test_outputs_that_are_no_numbers_are_counted_and_told():
    run = eventnet.simulate(nn.Linear(4, 2), torch.tensor([[1.0, float("nan"), 0.0, 2.0]]))
    assert run.difference.not_finite == 2
    assert str(run.difference) == (
        "outputs differ from the untouched program's by at most 0 (0 relative); 2 of its elements are NaN or infinite"
    )
    assert eventnet.simulate(nn.Linear(4, 2), torch.ones(1, 4)).difference.not_finite == 0
