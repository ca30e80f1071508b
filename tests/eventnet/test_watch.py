"""Watching: what is seen, what flows on, where it belongs, and what is refused."""

import re
import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import eventnet
import hwmodel
from eventnet.watch import Watcher

WITH_EVERY_GRAD_MODE = pytest.mark.parametrize("grad_mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])


def small_integers(*shape: int, seed: int = 0, zeros: float = 0.4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    values = torch.randint(-4, 5, shape, generator=generator).float()
    return values * (torch.rand(shape, generator=generator) >= zeros)


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)
    )


@WITH_EVERY_GRAD_MODE
def test_what_flows_on_is_equal_to_pytorch_on_small_integers(grad_mode):
    model = network()
    for parameter in model.parameters():
        parameter.data.copy_(small_integers(*parameter.shape, seed=parameter.numel(), zeros=0.0))
    sample = small_integers(1, 3, 8, 8)
    with grad_mode():
        expected = model(sample)
        with eventnet.watch(machine="cnvlutin") as watcher:
            outputs = model(sample)
    assert torch.equal(outputs, expected)
    assert watcher.run.agreement
    assert [record.op for record in watcher.run.product_records] == ["convolution", "convolution", "matmul"]


def test_a_wrong_event_sends_the_program_down_another_branch(monkeypatch):
    """Python control flow sees the event-driven values, not PyTorch's."""
    layer = nn.Linear(2, 1, bias=False)
    layer.weight.data.fill_(1.0)

    def program(sample):
        return "large" if layer(sample).item() > 1 else "small"

    monkeypatch.setattr("hwmodel.products._add", lambda *arguments: None)
    with eventnet.watch(engine="event") as watcher:
        assert program(torch.ones(1, 2)) == "small"
    assert not watcher.run.agreement
    assert program(torch.ones(1, 2)) == "large"


def test_gradients_flow_through_watched_products():
    model, sample = network(), torch.randn(1, 3, 8, 8)
    model(sample).square().sum().backward()
    expected = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    with eventnet.watch() as watcher:
        model(sample).square().sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])
    assert watcher.run.agreement


def test_backward_operators_are_named_by_the_module_of_their_forward():
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    model = nn.ModuleDict({"first": first, "second": second})
    sample = torch.randn(1, 4, requires_grad=True)
    with eventnet.watch() as watcher:
        model["second"](model["first"](sample).relu()).sum().backward()
    names = [record.name for record in watcher.run.product_records]
    assert names == ["Linear"] * 6
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
    with eventnet.watch() as watcher:
        model(sample).sum().backward()
    names = [record.name for record in watcher.run.product_records]
    assert names == ["Sequential.0", "Sequential.2", "Sequential.2", "Sequential.2", "Sequential.0", "Sequential.0"]


def test_a_double_backward_agrees():
    layer = nn.Linear(3, 3)
    sample = torch.randn(1, 3, requires_grad=True)
    with eventnet.watch() as watcher:
        (gradient,) = torch.autograd.grad(layer(sample).square().sum(), sample, create_graph=True)
        gradient.square().sum().backward()
    assert watcher.run.agreement
    assert layer.weight.grad is not None


def test_a_recursive_module_keeps_its_name_and_counts_its_calls():
    class Recursive(nn.Module):
        def __init__(self):
            super().__init__()
            self.step = nn.Linear(3, 3)

        def forward(self, value, depth):
            return self.step(value) if depth == 0 else self(self.step(value), depth - 1)

    with eventnet.watch() as watcher:
        Recursive()(torch.randn(1, 3), 150)
    assert {record.name for record in watcher.run.product_records} == {"Recursive.step"}
    assert [record.call for record in watcher.run.product_records] == list(range(151))


def test_a_caught_exception_leaves_no_module_behind():
    class Fails(nn.Module):
        def forward(self, value):
            raise ValueError

    class Tries(nn.Module):
        def __init__(self):
            super().__init__()
            self.fails, self.then = Fails(), nn.Linear(3, 2)

        def forward(self, value):
            try:
                self.fails(value)
            except ValueError:
                return torch.mm(value, torch.ones(3, 2)), self.then(value)

    with eventnet.watch() as watcher:
        Tries()(torch.randn(1, 3))
    assert [record.name for record in watcher.run.product_records] == ["Tries", "Tries.then"]


def test_a_module_made_during_forward_is_named_below_its_maker():
    class Maker(nn.Module):
        def forward(self, value):
            return nn.Linear(3, 2)(value)

    with eventnet.watch() as watcher:
        Maker()(torch.randn(1, 3))
    assert watcher.run.records[0].name == "Maker.Linear"


def test_only_the_convolution_of_the_inputs_is_the_first_layer():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.after = nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)

        def forward(self, image):
            return self.after((self.left(image) + self.right(image.relu() * 2)).relu())

    run = eventnet.simulate(Branches(), torch.randn(1, 1, 9, 9))
    assert {record.name: record.first_layer for record in run.product_records} == {"left": True, "right": True, "after": False}
    run = eventnet.simulate(Branches(), torch.randn(1, 1, 9, 9), first_layer="none")
    assert not any(record.first_layer for record in run.records)
    run = eventnet.simulate(Branches(), torch.randn(1, 1, 9, 9), first_layer=["after"])
    assert [record.name for record in run.records if record.first_layer] == ["after"]


def test_a_convolution_behind_a_product_is_no_first_layer_at_any_call():
    layer = nn.Conv2d(2, 2, 3, padding=1)
    run = eventnet.simulate(lambda image: layer(layer(image)), torch.randn(1, 2, 5, 5))
    assert [record.first_layer for record in run.product_records] == [True, False]


def test_a_product_of_two_activations_skips_when_either_is_zero():
    first = torch.tensor([[1.0, 0.0, 2.0]])
    second = torch.tensor([[1.0, 0.0], [3.0, 4.0], [0.0, 5.0]])
    run = eventnet.simulate(torch.matmul, first, second)
    record = run.records[0]
    assert record.macs == 6
    assert record.effectual_macs == 2  # 1 * 1 and 2 * 5
    assert record.zero_macs == 4
    assert (record.activations, record.events) == (9, 2 + 4)
    assert torch.equal(run.outputs, first @ second)


def test_the_roles_swap_if_only_the_first_operand_is_static():
    weight = nn.Parameter(small_integers(4, 3, zeros=0.0))
    sample = torch.tensor([[1.0, 0.0], [0.0, 0.0], [2.0, 3.0]])
    with eventnet.watch() as watcher:
        outputs = torch.mm(weight, sample)
    assert torch.equal(outputs, weight @ sample)
    assert (watcher.run.records[0].activations, watcher.run.records[0].events) == (6, 3)
    assert watcher.run.agreement


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_results_keep_pytorchs_strides_and_dtype(memory_format):
    layer = nn.Conv2d(4, 6, 3).to(memory_format=memory_format)
    sample = torch.randn(1, 4, 7, 7).to(memory_format=memory_format)
    expected = layer(sample)
    with eventnet.watch():
        outputs = layer(sample)
    assert outputs.stride() == expected.stride()
    assert outputs.dtype == expected.dtype
    outputs.permute(0, 2, 3, 1)


def test_in_place_and_out_variants_write_into_their_argument():
    first, second = small_integers(3, 4), small_integers(4, 5)
    with eventnet.watch() as watcher:
        summed = torch.ones(3, 5)
        returned = summed.addmm_(first, second, beta=2, alpha=3)
        written = torch.zeros(3, 5)
        torch.mm(first, second, out=written)
    assert returned is summed
    assert torch.equal(summed, 2 + 3 * (first @ second))
    assert torch.equal(written, first @ second)
    assert watcher.run.agreement


def test_views_factories_and_random_draws_are_no_records():
    with eventnet.watch() as watcher:
        value = torch.zeros(4, 4).view(2, 8).t().detach()
        torch.rand(3), torch.empty_like(value), value.expand(8, 2)
        value.numpy()
    assert watcher.run.records == []


def test_operators_without_a_form_are_counted_under_their_own_name():
    run = eventnet.simulate(lambda value: torch.linalg.inv(value).sort().values, torch.eye(4))
    assert dict(run.others) == {"linalg_inv_ex": 1, "sort": 1}
    assert run.coverage == 1


def test_an_element_wise_function_of_a_product_just_made_takes_no_ticks():
    layer = nn.Linear(4, 4)

    def timed(program):
        return [(record.op, record.ticks) for record in eventnet.simulate(program, torch.ones(1, 4)).records]

    assert timed(lambda value: torch.tanh(layer(value))) == [("matmul", 1), ("tanh", 0)]
    assert timed(lambda value: torch.relu(torch.tanh(layer(value).view(2, 2)) * 2)) == [
        ("matmul", 1), ("tanh", 0), ("mul", 0), ("relu", 0),
    ]  # fmt: skip
    with torch.no_grad():
        assert timed(lambda value: layer(value).relu_().mul_(layer.bias)) == [("matmul", 1), ("relu", 0), ("mul", 0)]
    assert timed(lambda value: torch.relu(value)) == [("relu", 1)]
    assert timed(lambda value: torch.relu(layer(value) + value)) == [("matmul", 1), ("add", 1), ("relu", 1)]
    assert timed(lambda value: torch.relu(torch.softmax(layer(value), 1))) == [("matmul", 1), ("softmax", 1), ("relu", 1)]


def test_a_product_that_pytorch_computed_is_in_no_pipeline():
    run = eventnet.simulate(lambda value: torch.relu(value @ torch.full((2, 2), float("inf"))), torch.ones(2, 2))
    assert [(record.op, record.timed, record.ticks) for record in run.records] == [("mm", False, 0), ("relu", True, 1)]


def test_a_product_leaves_the_pipeline_when_another_task_begins():
    layer = nn.Linear(4, 4)

    def program(value):
        first, second = layer(value), layer(value)
        return torch.relu(first), torch.relu(second)

    run = eventnet.simulate(program, torch.ones(1, 4))
    assert [record.ticks for record in run.records] == [1, 1, 1, 1]  # relu of the first is vector work; then it is too late
    assert run.in_pipeline == {}


def test_what_is_computed_from_parameters_alone_was_computed_beforehand():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    run = eventnet.simulate(layer, torch.ones(1, 4), strict=True)
    assert [record.op for record in run.records] == ["matmul"]
    weight = nn.Parameter(torch.eye(4))
    run = eventnet.simulate(lambda value: value @ torch.linalg.matrix_exp(weight), torch.ones(1, 4), strict=True)
    assert [record.op for record in run.records] == ["matmul"]


def test_a_machine_without_a_unit_for_vector_work_leaves_it_to_pytorch(monkeypatch):
    monkeypatch.setattr(type(hwmodel.load("dadiannao")), "vector_plan", lambda self, task: None)
    run = eventnet.simulate(nn.Softmax(1), torch.ones(1, 4), machine="dadiannao")
    assert dict(run.others) == {"softmax": 1}
    assert "not mapped softmax in Softmax: the machine has no unit for vector work" in str(run)


def test_products_that_pytorch_computes_lower_the_coverage():
    def program(value):
        return torch.mm(value, torch.eye(4)), torch.mm(value.to(torch.complex64), torch.eye(4, dtype=torch.complex64))

    run = eventnet.simulate(program, torch.randn(2, 4))
    assert run.others["mm"] == 1  # complex numbers have no event form
    assert run.macs == 2 * (2 * 4 * 4)
    assert run.coverage == 0.5


def test_a_factory_shaped_like_a_parameter_is_no_parameter():
    layer = nn.Linear(3, 3, bias=False)

    def program(value):
        memory = torch.zeros_like(layer.weight)
        memory.copy_(value)
        return value @ memory

    record = eventnet.simulate(program, torch.ones(3, 3)).product_records[0]
    assert record.activations == 18  # both operands are activations


def test_the_time_so_far_can_be_read_inside_forward():
    layers = nn.ModuleList(nn.Linear(64, 64) for _ in range(10))

    def anytime(value):
        for done, layer in enumerate(layers):
            if watcher.ticks >= 12:
                return value, done
            value = layer(value)
        return value, len(layers)

    with eventnet.watch(machine="dadiannao") as watcher:
        _, done = anytime(torch.randn(1, 64))
    assert done == 3  # a layer takes ceil(64 / 16) = 4 ticks
    assert watcher.seconds == 12 / 606e6


def test_two_threads_watch_their_own_programs():
    found = {}

    def watched(name, layer):
        with eventnet.watch() as watcher:
            for _ in range(5):
                layer(torch.randn(1, 8))
        found[name] = [record.name for record in watcher.run.records]

    threads = [
        threading.Thread(target=watched, args=("linear", nn.Linear(8, 8))),
        threading.Thread(target=watched, args=("sequence", nn.Sequential(nn.Linear(8, 8)))),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"linear": ["Linear"] * 5, "sequence": ["Sequential.0"] * 5}


def test_modules_are_called_as_before_once_nobody_watches():
    before = nn.Module.__call__
    with eventnet.watch():
        assert nn.Module.__call__ is not before
    assert nn.Module.__call__ is before
    with pytest.raises(ZeroDivisionError), eventnet.watch():
        raise ZeroDivisionError
    assert nn.Module.__call__ is before


def test_a_call_that_somebody_else_puts_above_ours_stays(monkeypatch):
    calls, before = [], nn.Module.__call__
    layer = nn.Linear(4, 2)
    with eventnet.watch() as watcher:
        watched = nn.Module.__call__

        def noted(module, *args, **kwargs):
            calls.append(type(module).__name__)
            return watched(module, *args, **kwargs)

        nn.Module.__call__ = noted
        layer(torch.ones(1, 4))
    try:
        assert nn.Module.__call__ is noted
        layer(torch.ones(1, 4))  # ours, below it, lets pass what nobody watches
        assert calls == ["Linear", "Linear"]
        assert [record.name for record in watcher.run.timed_records] == ["Linear"]
    finally:
        nn.Module.__call__ = before


@pytest.mark.parametrize("taken_off", [False, True], ids=["stays", "put back later"])
def test_a_call_of_ours_that_somebody_else_keeps_counts_no_module_twice(taken_off):
    before, layer = nn.Module.__call__, nn.Linear(4, 2)
    with eventnet.watch():
        watched = nn.Module.__call__
        nn.Module.__call__ = lambda module, *args, **kwargs: watched(module, *args, **kwargs)
    if taken_off:
        nn.Module.__call__ = watched
    try:
        with eventnet.watch() as watcher:
            for _ in range(3):
                layer(torch.ones(1, 4))
        assert [(record.name, record.call) for record in watcher.run.timed_records] == [("Linear", call) for call in range(3)]
    finally:
        nn.Module.__call__ = before


def test_a_module_that_calls_its_own_way_is_named_too():
    class Doubles(nn.Linear):
        def __call__(self, x):
            return super().__call__(2 * x)

    x = torch.ones(1, 4)
    with eventnet.watch() as watcher:
        Doubles(4, 2)(x)
    assert [(record.name, record.op) for record in watcher.run.timed_records] == [("", "mul"), ("Doubles", "matmul")]


def test_hooks_of_a_module_run_in_the_order_of_pytorch():
    order, layer = [], nn.Linear(4, 2)
    layer.register_forward_pre_hook(lambda *_: order.append("before"))
    layer.register_forward_hook(lambda *_: order.append("after"))
    with eventnet.watch() as watcher:
        layer(torch.ones(1, 4))
    assert order == ["before", "after"]
    assert [record.name for record in watcher.run.timed_records] == ["Linear"]


def test_nested_watching_is_refused():
    message = (
        "eventnet.watch: this thread is being watched already, expected one watcher at a time. "
        "Leave the outer one first, or give it a list of machines."
    )
    with eventnet.watch(), pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"), eventnet.watch():
        pass


def test_several_samples_at_once_are_refused():
    message = (
        "eventnet.simulate: convolution in Conv2d: a convolution is given 3 samples at once, expected 1. Run them one after "
        'the other with simulate(model, samples=...), or say leading="sequence" if they are frames or crops of one sample.'
    )
    with pytest.raises(hwmodel.ShapeError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(nn.Conv2d(1, 1, 3), torch.ones(3, 1, 5, 5))


def test_frames_of_one_sample_run_one_after_the_other():
    layer = nn.Conv2d(2, 3, 3)
    frames = torch.randn(4, 2, 6, 6)
    run = eventnet.simulate(layer, frames, leading="sequence")
    alone = sum(eventnet.simulate(layer, frame[None]).ticks for frame in frames)
    assert run.agreement
    assert run.ticks == alone


def test_a_tensor_from_outside_pytorch_is_counted_and_refused_by_strict():
    class FromNumpy(nn.Module):
        def forward(self, value):
            return value @ torch.from_numpy(value.numpy().T.copy())

    run = eventnet.simulate(FromNumpy(), torch.ones(2, 3))
    assert run.unwatched == 1
    message = (
        "eventnet.simulate: a tensor of shape (3, 2) in FromNumpy was made by nothing that is watched (numpy, a list, another "
        "thread), expected none because strict=True. Make it with PyTorch in this thread, or pass it in as an argument."
    )
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(FromNumpy(), torch.ones(2, 3), strict=True)


class Sorts(nn.Module):
    def forward(self, value):
        return value.sort().values


def test_strict_refuses_other_operators():
    message = (
        "eventnet.simulate: operator 'sort' in Sorts has no event form, expected only operators that have one because "
        "strict=True. Run with strict=False to count it as other."
    )
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(Sorts(), torch.ones(2), strict=True)


def test_non_finite_weights_name_the_parameter():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    model[1].weight.data[0, 1] = float("nan")
    message = (
        "eventnet.simulate: parameter '1.weight': 1 of 6 weights are NaN or infinite, expected finite ones. A zero activation "
        "times such a weight is NaN in PyTorch and an event that is not sent here; repair the parameter first."
    )
    with pytest.raises(hwmodel.ValuesError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(model, torch.ones(1, 4))


def test_a_nan_activation_is_an_event_and_a_negative_zero_is_none():
    layer = nn.Linear(3, 2)
    run = eventnet.simulate(layer, torch.tensor([[float("nan"), -0.0, 1.0]]))
    assert run.records[0].events == 2
    assert run.outputs.isnan().all()
    assert run.agreement


def test_a_list_of_machines_shares_one_pass():
    calls = []

    def program(value):
        calls.append(1)
        return F.linear(value, torch.eye(4))

    runs = eventnet.simulate(program, torch.ones(1, 4), machine=["cnvlutin", hwmodel.load("dadiannao", lanes=2)])
    assert len(calls) == 2  # untouched, and watched once for both
    assert [run.machine.name for run in runs] == ["cnvlutin", "dadiannao"]
    assert [run.ticks for run in runs] == [1, 2]


def test_reference_values_multiply_nothing():
    model, sample = network(), torch.randn(1, 3, 8, 8)
    events = eventnet.simulate(model, sample, baseline="dadiannao")
    reference = eventnet.simulate(model, sample, baseline="dadiannao", values="reference")
    assert reference.agreement is None
    assert torch.equal(reference.outputs, model(sample))
    assert [record.ticks for record in reference.records] == [record.ticks for record in events.records]
    assert reference.ledger == events.ledger


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_floats_of_every_width_agree(dtype):
    model = network().to(dtype)
    run = eventnet.simulate(model, torch.randn(1, 3, 8, 8).to(dtype))
    assert run.agreement
    assert run.outputs.dtype == dtype


def test_integers_are_equal():
    first, second = torch.randint(-100, 100, (5, 7)), torch.randint(-100, 100, (7, 3))
    run = eventnet.simulate(torch.mm, first, second)
    assert torch.equal(run.outputs, first @ second)
    assert run.agreement


def test_autocast_copies_of_weights_are_static():
    layer = nn.Linear(8, 8)

    def program(value):
        return layer(value)

    with torch.autocast("cpu", torch.bfloat16):
        run = eventnet.simulate(program, torch.randn(1, 8))
    assert run.unwatched == 0
    assert run.records[-1].activations == 8  # the weights are not counted as activations
    assert run.agreement


def test_weights_computed_from_parameters_are_static():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 4))
    record = eventnet.simulate(layer, torch.randn(1, 8)).product_records[0]
    assert record.activations == 8


def test_an_unknown_flag_names_the_known_ones():
    message = (
        "eventnet.watch: there is no argument 'speed', expected one of engine, first_layer, leading, numerics, offchip, progress, "
        "strict, threshold, trace, values."
    )
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"), eventnet.watch(speed=3):
        pass


def test_a_watcher_is_what_watch_hands_out():
    with eventnet.watch() as watcher:
        pass
    assert isinstance(watcher, Watcher)
    assert watcher.run.ticks == watcher.ticks == 0
