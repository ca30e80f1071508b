"""Unusual programs, found by attacking: each once gave a wrong number, a crash or a lost file."""

import gc
import os
import re

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import eventnet
import hwmodel
import scheduler
from eventnet.weights import _ENTRIES


def test_the_smallest_write_through_data_is_seen():
    layer, sample = nn.Linear(2048, 64, bias=False), torch.randn(1, 2048)
    layer.weight.data.fill_(1.0)
    eventnet.simulate(layer, sample)
    layer.weight.data[5, 7] -= 0.1
    run = eventnet.simulate(layer, sample)
    assert run.agreement
    assert run.difference.maximum < 1e-3


@pytest.mark.parametrize(
    ("outputs", "write", "zeros"),
    [
        (64, lambda weight: weight[5, 7:8], 1),  # 512 KB: every value is looked at
        (4096, lambda weight: weight[5:13], 8 * 2048),  # 32 MB: a line of every 16 KiB, half a row
    ],
    ids=["one value", "rows"],
)
def test_zeros_written_through_data_are_counted_without_values(outputs, write, zeros):
    layer, sample = nn.Linear(2048, outputs, bias=False), torch.ones(1, 2048)
    layer.weight.data.fill_(1.0)
    before = eventnet.simulate(layer, sample, values="reference").records[0]
    write(layer.weight.data).zero_()
    after = eventnet.simulate(layer, sample, values="reference").records[0]
    assert before.effectual_macs - after.effectual_macs == zeros


def test_values_counted_only_are_all_compared_when_they_are_multiplied():
    layer, sample = nn.Linear(2048, 4096, bias=False), torch.ones(1, 2048)
    layer.weight.data.fill_(1.0)
    eventnet.simulate(layer, sample, values="reference")
    layer.weight.data[5, 7] = 0.5
    assert eventnet.simulate(layer, sample).agreement
    layer.weight.data[5, 7] = float("nan")
    with pytest.raises(hwmodel.ValuesError):
        eventnet.simulate(layer, sample)


@pytest.mark.parametrize(
    "write",
    [
        lambda layer: layer.weight.data.mul_(2),
        lambda layer: torch._foreach_mul_([layer.weight.detach()], 2.0),
        lambda layer: layer.weight.data.copy_(layer.weight.data * 2),
    ],
    ids=["data", "foreach", "copy"],
)
def test_weights_written_while_watching_are_seen(write):
    layer, sample = nn.Linear(4, 2, bias=False), torch.ones(1, 4)
    with torch.no_grad(), eventnet.watch() as watcher:
        first = layer(sample)
        write(layer)
        second = layer(sample)
    torch.testing.assert_close(second, 2 * first)
    assert watcher.run.agreement


def test_a_product_on_another_device_is_refused_with_what_to_do():
    layer = nn.Sequential(nn.Linear(3, 2, device="meta"))
    message = (
        "eventnet.simulate: matmul in 0 is given a tensor without values, on the meta device, expected the CPU, where events are "
        "computed. Make the model and its inputs on the CPU, or move them there with .cpu()."
    )
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(layer, torch.ones(1, 3, device="meta"))

    def fakes(value):
        with FakeTensorMode(allow_non_fake_inputs=True) as mode:
            return mode.from_tensor(value) @ torch.ones(3, 2)

    message = message.replace("in 0", "in fakes").replace("on the meta device", "a fake one")
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(fakes, torch.ones(1, 3))


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop])
@pytest.mark.parametrize("foreach", [False, True])
def test_training_steps_are_ordinary_programs(optimizer, foreach):
    torch.manual_seed(0)
    layer = nn.Linear(4, 2)
    steps = optimizer(layer.parameters(), lr=0.1, foreach=foreach)
    losses = []
    with eventnet.watch() as watcher:
        for _ in range(4):
            steps.zero_grad()
            loss = layer(torch.ones(1, 4)).square().sum()
            loss.backward()
            steps.step()
            losses.append(loss.item())
    assert watcher.run.agreement
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    "program",
    [
        lambda x: (x @ torch.eye(3)).masked_fill_(x > 0, 0.0),
        lambda x: (x @ torch.eye(3)).pow_(2),
        lambda x: (x @ torch.eye(3)).scatter_(1, torch.zeros(2, 1, dtype=torch.long), 5.0),
        lambda x: torch.bucketize(x @ torch.eye(3), torch.tensor([0.0]), out=torch.empty(2, 3, dtype=torch.long)),
        lambda x: torch.func.vmap(nn.Linear(3, 2))(x),
        lambda x: torch.func.grad(lambda one: nn.functional.linear(one, torch.ones(1, 3)).sum())(x),
        lambda x: x.to_sparse() @ torch.eye(3),
        lambda x: torch.quantize_per_tensor(x, 0.1, 0, torch.qint8),
        lambda x: {"kept": None, "value": (x @ torch.eye(3)).to(torch.complex64)},
    ],
    ids=["masked_fill_", "pow_", "scatter_", "bucketize", "vmap", "grad", "sparse", "quantized", "complex"],
)
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_unusual_operators_run(program):
    torch.manual_seed(0)
    run = eventnet.simulate(program, torch.randn(2, 3))
    assert run.agreement


@pytest.mark.filterwarnings("ignore:Using `torch.compile")
def test_a_compiled_module_is_watched_like_the_module_itself():
    model, x = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.ReLU()), torch.randn(1, 8)
    with torch.no_grad():
        run = eventnet.simulate(torch.compile(model, backend="eager"), x)
    assert [record.op for record in run.records] == ["matmul", "relu"]
    assert run.agreement


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_traced_convolution_is_a_convolution():
    layer = nn.Conv2d(2, 3, 3)
    traced = torch.jit.trace(layer, torch.randn(1, 2, 5, 5))
    run = eventnet.simulate(traced, torch.randn(1, 2, 5, 5))
    assert run.coverage == 1
    assert [record.op for record in run.product_records] == ["convolution"]


def test_a_reassigned_buffer_is_put_back():
    class Memory(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.register_buffer("state", torch.zeros(1, 3))

        def forward(self, value):
            self.state = self.layer(value + self.state).detach()
            return self.state

    assert eventnet.simulate(Memory(), torch.ones(1, 3)).difference.maximum < 1e-6


def test_a_program_that_writes_into_its_parameters_cannot_be_run_twice():
    class Learns(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, value):
            with torch.no_grad():
                self.layer.weight.sub_(0.1)
            return self.layer(value)

    message = (
        "eventnet.simulate: the program writes into parameter 'layer.weight', expected parameters that stay as they are, since "
        "the program runs twice, untouched first. Run it once inside eventnet.watch."
    )
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(Learns(), torch.ones(1, 3))


def test_a_tensor_given_twice_stays_one_tensor():
    def program(first, second):
        first.mul_(2)
        return first @ second.T

    value = torch.ones(1, 3)
    assert eventnet.simulate(program, value, value).difference.maximum == 0


def test_integers_are_scaled_as_integers():
    first, second = torch.full((2, 3), 10000), torch.full((3, 2), 10001)
    run = eventnet.simulate(lambda: torch.addmm(torch.ones(2, 2, dtype=torch.long), first, second, alpha=3))
    assert run.outputs.unique().tolist() == [3 * 3 * 10000 * 10001 + 1]
    assert run.agreement


@pytest.mark.parametrize(
    ("program", "sent"),
    [
        (lambda x, one, two: (x @ one, x @ two, x @ one), [0, 8192, 0]),
        (lambda x, one, two: (x @ (one * 2), x @ (two * 2)), [0, 8192]),
    ],
    ids=["views of one buffer", "computed weights"],
)
def test_every_parameter_has_its_own_place_in_weight_memory(program, sent):
    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.flat = nn.Parameter(torch.ones(2 * 4096))

        def forward(self, value):
            return program(value, self.flat[:4096].view(64, 64), self.flat[4096:].view(64, 64))

    machine = hwmodel.load("dadiannao", synapse_bytes_per_unit=512)  # 8 KiB a node
    run = eventnet.simulate(Flat(), torch.ones(1, 64), machine=machine)
    assert [record.offchip_bytes for record in run.product_records] == sent


def test_an_expanded_parameter_is_read_once():
    weight = nn.Parameter(torch.ones(1, 64, 64))
    machine = hwmodel.load("dadiannao", synapse_bytes_per_unit=0)
    with eventnet.watch(machine=machine) as watcher:
        torch.bmm(torch.ones(4, 1, 64), weight.expand(4, 64, 64))
    assert watcher.run.records[0].offchip_bytes == 8192


def test_a_threshold_prunes_activations_and_no_gradients():
    layer = nn.Linear(4, 2)
    with eventnet.watch(threshold=0.5) as watcher:
        (layer(torch.ones(1, 4)).sum() * 0.01).backward()
    assert (layer.weight.grad == 0.01).all()
    assert [record.pruned for record in watcher.run.product_records] == [0, 0]


def test_products_of_backward_say_which_gradient_they_are():
    layer = nn.Linear(4, 2)
    with eventnet.watch() as watcher:
        layer(torch.ones(1, 4, requires_grad=True)).sum().backward()
    assert {record.part for record in watcher.run.product_records} == {"forward", "input_gradient", "weight_gradient"}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_both_sides_may_round_their_results(dtype, scale):
    torch.manual_seed(3)
    layer = nn.Conv2d(32, 32, 3).to(dtype)
    agreement = eventnet.verify(layer, (torch.randn(1, 32, 12, 12) * scale).to(dtype))
    assert agreement, str(agreement)


def test_a_view_of_a_parameter_made_before_watching_is_static():
    layer = nn.Linear(4, 3)
    transposed = layer.weight.t()
    with eventnet.watch() as watcher:
        torch.ones(1, 4) @ transposed
    assert watcher.run.records[0].activations == 4


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    run = eventnet.simulate(nn.Linear(4, 2), torch.ones(1, 4))
    target, link, pipe = tmp_path / "target.csv", tmp_path / "link.csv", tmp_path / "pipe"
    link.symlink_to(target)
    run.to_csv(link)
    assert link.is_symlink()
    assert target.read_text().startswith("name,op,part")
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    run.to_csv(pipe)
    assert os.read(reader, 100).startswith(b"name,op,part")
    os.close(reader)
    assert pipe.is_fifo()


def test_a_list_of_runs_is_short():
    runs = eventnet.simulate(nn.Linear(4, 2), torch.ones(1, 4), machine=["cnvlutin", "dadiannao"])
    assert repr(runs) == "[<Run on cnvlutin: 1 tasks, 1 ticks>, <Run on dadiannao: 1 tasks, 1 ticks>]"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"machine": 3}, "eventnet.simulate: machine is 3, expected a name, a hwmodel.Machine or a list of them."),
        ({"machine": None}, "eventnet.simulate: machine is None, expected a name, a hwmodel.Machine or a list of them."),
        (
            {"baseline": 3},
            "eventnet.simulate: baseline is 3, expected a name or a hwmodel.Machine, as hwmodel.load makes them.",
        ),
        ({"engine": None}, "eventnet.simulate: no engine is called None, expected one of auto, bulk, event."),
        ({"first_layer": 3}, "eventnet.simulate: first_layer is 3, expected 'auto', 'none' or a list of module names."),
        ({"threshold": {3: 0.1}}, "eventnet.simulate: the model has no module 3, expected one of Linear."),
        ({"kwargs": 3}, "eventnet.simulate: kwargs is 3, expected a dict of the model's keyword arguments."),
    ],
)
def test_arguments_of_the_wrong_type_get_one_sentence(flags, message):
    with pytest.raises(eventnet.EventNetError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(nn.Linear(4, 2), torch.ones(1, 4), **flags)


def test_samples_that_cannot_be_gone_through_are_refused():
    message = "eventnet.simulate: samples is 5, expected tensors, tuples of arguments or dicts to go through."
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(nn.Linear(4, 2), samples=5)


def test_a_name_is_no_machine_for_the_scheduler():
    message = (
        "scheduler.run: machine is a str and task a NoneType, expected a hwmodel.Machine and a hwmodel.Task. Make them with "
        "hwmodel.load and hwmodel.Task.convolution or matmul."
    )
    with pytest.raises(hwmodel.ParameterError, match=f"^{re.escape(message)}$"):
        scheduler.run("cnvlutin", None)


def test_what_was_laid_out_for_a_model_goes_with_it():
    layer = nn.Linear(64, 64)
    eventnet.simulate(layer, torch.ones(1, 64))
    before = len(_ENTRIES)
    del layer
    gc.collect()
    eventnet.simulate(torch.relu, torch.ones(1))
    assert len(_ENTRIES) < before


def test_a_parameter_outside_of_any_module_has_one_place_in_weight_memory():
    weight = nn.Parameter(torch.ones(64, 64))
    machine = hwmodel.load("dadiannao", synapse_bytes_per_unit=512)  # 8 KiB a node, as large as the parameter
    with eventnet.watch(machine=machine) as watcher:
        torch.ones(1, 64) @ weight @ weight
    assert [record.offchip_bytes for record in watcher.run.product_records] == [0, 0]


def test_activations_that_overflowed_are_left_to_pytorch_and_counted():
    run = eventnet.simulate(torch.mm, torch.ones(2, 2), torch.tensor([[1.0, float("inf")], [0.0, 1.0]]))
    assert dict(run.others) == {"mm": 1}
    assert run.coverage == 0
    assert run.outputs[0, 1] == float("inf")
    assert "mm in mm: one of two activations holds NaN or infinite values" in str(run)

    convolution, image = nn.Conv2d(2, 3, 3), torch.randn(1, 2, 5, 5)
    with eventnet.watch() as watcher:  # as a loss that overflows in half precision
        (convolution(image) * float("inf")).sum().backward()
    assert watcher.run.others["convolution_backward"] == 1
    assert convolution.weight.grad.isinf().any() or convolution.weight.grad.isnan().any()


def test_a_nan_in_one_of_two_runs_is_the_largest_difference():
    factors = iter([1.0, float("nan")])
    run = eventnet.simulate(lambda value: value * next(factors), torch.ones(2))
    assert run.difference.maximum == float("inf")


def test_a_tensor_without_elements_comes_from_nowhere_and_brings_nothing():
    class Grows(nn.Module):
        def forward(self, value):
            return torch.cat([torch.tensor([]), value])

    assert eventnet.simulate(Grows(), torch.ones(2)).unwatched == 0


def test_operators_that_write_into_an_argument_are_taken_apart_too():
    operands = torch.randn(3, 4), torch.randn(2, 3, 5), torch.randn(2, 5, 4)
    in_place = eventnet.simulate(lambda into, *others: into.clone().addbmm_(*others), *operands)
    out = eventnet.simulate(lambda *operands: torch.addbmm(*operands, out=torch.empty(3, 4)), *operands, strict=True)
    for run in (in_place, out):
        assert run.coverage == 1
        torch.testing.assert_close(run.outputs, torch.addbmm(*operands))


def test_an_addend_is_not_rounded_before_it_is_added():
    for seed in range(10):
        torch.manual_seed(seed)
        operands = [torch.randn(6, 6).bfloat16() for _ in range(3)]
        assert eventnet.simulate(lambda *given: torch.addmm(*given, beta=-4.775), *operands).agreement


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_what_pytorch_adds_up_in_16_bits_is_judged_by_that(dtype):
    torch.manual_seed(0)
    sparse, dense = (torch.randn(8, 20) * (torch.rand(8, 20) > 0.5)).to(dtype).to_sparse(), torch.randn(20, 3).to(dtype)
    assert eventnet.simulate(lambda value: sparse @ value, dense).agreement
    layers = nn.Sequential(nn.ConvTranspose2d(3, 4, 3, stride=2), nn.Conv2d(4, 3, 3)).to(dtype)
    with eventnet.watch() as watcher:
        layers(torch.randn(1, 3, 6, 6).to(dtype).requires_grad_()).square().sum().backward()
    assert watcher.run.agreement


def test_the_mask_of_dropout_is_no_operand():
    model = nn.Sequential(nn.Linear(300, 300), nn.Dropout(0.5)).train()
    assert [record.ticks for record in eventnet.simulate(model, torch.randn(4, 300)).records] == [4 * 19 * 2, 0]
    assert [record.ticks for record in eventnet.simulate(model[1], torch.randn(6400)).records] == [25]
