"""Dynamic programs: what runs is decided by values, by Python, or by the program itself as it goes."""

import re
import sys
import threading
from collections import deque

import pytest
import torch
from torch import nn

import eventnet
import hwmodel
from hwmodel import products, task

SAMPLE = torch.tensor([[1.0, 2.0, 3.0]])


def integer_layer(*shape: int, value: float = 1.0) -> nn.Linear:
    layer = nn.Linear(*shape, bias=False)
    layer.weight.data.fill_(value)
    return layer


def ran(run: eventnet.Run) -> list[tuple[str, int]]:
    return [(record.name, record.call) for record in run.product_records]


# Control flow that depends on values sees the event-driven ones.

DECISIONS = {
    "item": lambda score: score.item() > 5,
    "bool": lambda score: bool(score > 5),
    "if": lambda score: True if score > 5 else False,  # noqa: SIM210  # the tensor itself is the condition
    "int": lambda score: int(score) == 6,
    "float": lambda score: float(score.detach()) == 6.0,
    "index": lambda score: len(range(score.long())) == 6,
    "tolist": lambda score: score.tolist() == [[6.0]],
    "numpy": lambda score: score.detach().numpy()[0, 0] > 5,
    "iteration": lambda score: [row for row in score][0] > 5,  # noqa: RUF015, C416  # through Tensor.__iter__
    "any": lambda score: (score > 5).any(),
    "equal": lambda score: torch.equal(score, torch.tensor([[6.0]])),
    "allclose": lambda score: torch.allclose(score, torch.tensor([[6.0]])),
    "nonzero": lambda score: len((score > 5).nonzero()) == 1,
    "mask": lambda score: score[score > 5].numel() == 1,
    "unique": lambda score: 6.0 in score.unique(),
    "argmax": lambda score: torch.cat([score, torch.tensor([[5.5]])], 1).argmax().item() == 0,
    "format": lambda score: f"{score.item():.0f}" == "6",
}


class Chooses(nn.Module):
    """Adds the sample up, which gives 6, and decides by that which layer runs next."""

    def __init__(self, decision):
        super().__init__()
        self.decision = decision
        self.score, self.large, self.small = integer_layer(3, 1), integer_layer(3, 2), integer_layer(3, 4)

    def forward(self, value):
        return self.large(value) if self.decision(self.score(value)) else self.small(value)


def lose_an_event_of_the_bulk_engine(monkeypatch):
    multiply = task.multiply

    def losing(activations, nonzero, *others):
        nonzero = nonzero.copy()
        nonzero.reshape(-1)[0] = 0
        return multiply(activations, nonzero, *others)

    monkeypatch.setattr(task, "multiply", losing)


def lose_an_event_of_the_event_engine(monkeypatch):
    add = products._add

    def losing(values, weights, positions, operands, begin, end, *others):
        add(values, weights, positions, operands, begin + int(positions[begin] == 0), end, *others)

    monkeypatch.setattr(products, "_add", losing)


LOSSES = {"bulk": lose_an_event_of_the_bulk_engine, "event": lose_an_event_of_the_event_engine}


@pytest.mark.parametrize("engine", LOSSES)
@pytest.mark.parametrize("decision", DECISIONS.values(), ids=DECISIONS)
def test_a_lost_event_sends_the_program_down_another_branch(monkeypatch, engine, decision):
    model = Chooses(decision)
    right = eventnet.simulate(model, SAMPLE, engine=engine)
    assert ran(right) == [("score", 0), ("large", 0)]
    assert right.agreement
    assert torch.equal(right.outputs, model(SAMPLE))

    LOSSES[engine](monkeypatch)
    wrong = eventnet.simulate(model, SAMPLE, engine=engine)
    assert ran(wrong) == [("score", 0), ("small", 0)]
    assert not wrong.agreement
    assert not wrong.difference.comparable  # 4 outputs instead of 2
    assert [one.name for one in right.compare(wrong).only_other] == ["small"]


def test_reference_values_send_it_down_pytorchs_branch(monkeypatch):
    lose_an_event_of_the_bulk_engine(monkeypatch)
    run = eventnet.simulate(Chooses(DECISIONS["item"]), SAMPLE, values="reference")
    assert ran(run) == [("score", 0), ("large", 0)]


class Halts(nn.Module):
    """Calls one layer until its sum is large enough."""

    def __init__(self):
        super().__init__()
        self.cell = integer_layer(3, 3)

    def forward(self, value):
        while value.sum() < 100:
            value = self.cell(value)
        return value


def test_a_lost_event_lets_a_loop_halt_later(monkeypatch):
    assert len(ran(eventnet.simulate(Halts(), SAMPLE))) == 3  # 6, 18, 54, 162
    lose_an_event_of_the_bulk_engine(monkeypatch)
    assert len(ran(eventnet.simulate(Halts(), SAMPLE))) == 4  # 6, 15, 30, 60, 120


# Statistics over programs whose operators differ.


class Exits(nn.Module):
    """Leaves at the first exit whose score is large enough."""

    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleList(integer_layer(3, 3) for _ in range(3))
        self.exits = nn.ModuleList(integer_layer(3, 1) for _ in range(3))

    def forward(self, value):
        for stage, leave in zip(self.stages, self.exits, strict=True):
            value = stage(value)
            score = leave(value)
            if score.item() > 15:
                break
        return score


def test_every_exit_says_in_how_many_samples_it_ran():
    late, early = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[1.0, 2.0, 3.0]])
    samples = eventnet.simulate(Exits(), samples=[early, late, early, late, early], values="reference")
    counts = {name: spreads["ticks"].count for (name, _, _), spreads in samples.operators.items()}
    assert counts == {"stages.0": 5, "exits.0": 5, "stages.1": 2, "exits.1": 2, "stages.2": 2, "exits.2": 2}
    assert list(counts) == ["stages.0", "exits.0", "stages.1", "exits.1", "stages.2", "exits.2"]
    assert "2 of 5" in str(samples)
    assert [one.count for one in samples.histograms["ticks"].bins] == [3, 2]


def test_a_loop_of_hundreds_of_calls_is_one_row_and_as_many_records():
    cell = integer_layer(3, 3, value=0.5)

    def loops(value):
        for _ in range(300):
            value = cell(value).clamp(max=4)
        return value

    run = eventnet.simulate(loops, SAMPLE)
    assert len(run.to_frame()) == 600
    rows = [line for line in str(run).splitlines() if line.startswith("Linear")]
    assert [row.split()[:4] for row in rows] == [["Linear", "matmul", "300", "2,700"]]


# Modules made, shared, changed and called in unusual ways.


def test_modules_made_for_a_sample_are_told_apart_by_their_calls():
    class Builds(nn.Module):
        def forward(self, value):
            for width in range(3, 6):
                value = integer_layer(value.shape[1], width)(value)
            return value

    run = eventnet.simulate(Builds(), SAMPLE)
    assert ran(run) == [("Builds.Linear", 0), ("Builds.Linear", 1), ("Builds.Linear", 2)]
    assert run.difference.maximum == 0


def test_a_shared_module_has_one_name_and_counts_its_calls():
    shared = integer_layer(3, 3)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Sequential(shared))
    assert ran(eventnet.simulate(model, SAMPLE)) == [("0", 0), ("0", 1), ("0", 2)]


def test_a_model_that_changes_its_own_structure_runs_as_it_would_once():
    class Grows(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList([integer_layer(3, 3)])
            self.calls, self.seen, self.names, self.last = 0, [], {"a"}, deque([1])

        def forward(self, value):
            for layer in self.layers:
                value = layer(value)
            self.layers.append(integer_layer(3, 3))
            self.calls += 1
            self.seen.append(value)
            self.names.add(f"call {self.calls}")
            self.last.append(self.calls)
            self.new = len(self.seen)
            return value * len(self.seen)

    model = Grows()
    seen = model.seen
    for calls in (1, 2, 3):
        run = eventnet.simulate(model, SAMPLE)
        assert len(ran(run)) == calls
        assert run.difference.maximum == 0
        assert (model.calls, len(model.layers), model.new) == (calls, calls + 1, calls)
        assert len(model.names) == len(model.last) == calls + 1
        assert model.seen is seen


def test_parameters_without_values_are_refused():
    model = nn.Sequential(nn.ReLU(), nn.LazyLinear(2))
    message = (
        "eventnet.simulate: parameter '1.weight' has no values yet, expected those of a module that has seen an input. "
        "Run the model once by itself first."
    )
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(model, SAMPLE)
    model(SAMPLE)
    assert eventnet.simulate(model, SAMPLE).agreement


def test_a_module_swapped_between_simulations_is_another_one():
    model = nn.Sequential(integer_layer(3, 3))
    first = eventnet.simulate(model, SAMPLE)
    model[0] = nn.Sequential(integer_layer(3, 4))
    assert ran(first) == [("0", 0)]
    assert ran(eventnet.simulate(model, SAMPLE)) == [("0.0", 0)]


def test_an_early_return_leaves_no_module_behind():
    class Returns(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = integer_layer(3, 3), integer_layer(3, 3)

        def forward(self, value):
            value = self.first(value)
            if value.sum() > 0:
                return value
            return self.second(value)

    model = nn.ModuleDict({"one": Returns(), "two": integer_layer(3, 3)})
    run = eventnet.simulate(lambda value: model["two"](model["one"](value)), SAMPLE)
    assert ran(run) == [("Returns.first", 0), ("Linear", 0)]


def test_a_generator_runs_in_the_modules_it_calls():
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = integer_layer(3, 3)

        def forward(self, value):
            while True:
                value = self.layer(value)
                yield value

    class Takes(nn.Module):
        def __init__(self):
            super().__init__()
            self.steps, self.after = Steps(), integer_layer(3, 3)

        def forward(self, value):
            steps = self.steps(value)
            for _, step in zip(range(2), steps, strict=False):
                value = self.after(step)
            steps.close()
            return torch.mm(value, torch.eye(3))

    names = [name for name, _ in ran(eventnet.simulate(Takes(), SAMPLE))]
    assert names == ["steps.layer", "after", "steps.layer", "after", "Takes"]


# Exceptions.


class Fails(nn.Module):
    def __init__(self, depth: int):
        super().__init__()
        self.layer = integer_layer(3, 3)
        self.below = Fails(depth - 1) if depth else None

    def forward(self, value):
        value = self.layer(value)
        if self.below is None:
            raise KeyError("boom")
        return self.below(value)


def test_an_exception_caught_many_modules_above_finds_the_stack_right():
    class Catches(nn.Module):
        def __init__(self):
            super().__init__()
            self.fails, self.after = Fails(2), integer_layer(3, 3)

        def forward(self, value):
            for _ in range(2):
                try:
                    self.fails(value)
                except KeyError:
                    value = self.after(torch.mm(value, torch.eye(3)))
            return value

    once = ["fails.layer", "fails.below.layer", "fails.below.below.layer", "Catches", "after"]
    assert [name for name, _ in ran(eventnet.simulate(Catches(), SAMPLE))] == once * 2


@pytest.mark.parametrize("error", [KeyError, KeyboardInterrupt, SystemExit])
def test_an_exception_that_leaves_is_the_programs_own_and_leaves_nothing_behind(error):
    layer, calls = integer_layer(3, 3), []

    def fails_when_watched(value):
        calls.append(layer(value))
        if len(calls) == 2:
            raise error("boom")
        return calls[-1]

    with pytest.raises(error, match="boom"):
        eventnet.simulate(fails_when_watched, SAMPLE)
    run = eventnet.simulate(layer, SAMPLE)
    assert ran(run) == [("Linear", 0)]
    assert run.agreement


# Depth.


class Recurses(nn.Module):
    def __init__(self):
        super().__init__()
        self.step = integer_layer(3, 3, value=0.0)

    def forward(self, value, depth):
        value = self.step(value)
        return value if depth == 0 else self(value, depth - 1)


def test_recursion_of_two_hundred_modules_fits_pythons_own_limit():
    run = eventnet.simulate(Recurses(), SAMPLE, 200)
    assert ran(run) == [("step", call) for call in range(201)]


@pytest.fixture
def limit_of():
    before = sys.getrecursionlimit()
    yield sys.setrecursionlimit
    sys.setrecursionlimit(before)


def test_a_deeper_recursion_takes_a_higher_limit(limit_of):
    limit_of(10_000)
    run = eventnet.simulate(Recurses(), SAMPLE, 600)
    assert len(ran(run)) == 601
    assert run.difference.maximum == 0


def test_a_recursion_that_is_too_deep_is_refused_and_the_next_run_works(limit_of):
    limit_of(1000)
    message = (
        "eventnet.simulate: the program calls deeper than Python's recursion limit of 1,000 frames, expected less, at some four "
        "frames for each module that is watched. Raise the limit with sys.setrecursionlimit first."
    )
    for values in ("events", "reference"):
        with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
            eventnet.simulate(Recurses(), SAMPLE, 1000, values=values)
        watched = message.replace("simulate", "watch", 1)
        with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(watched)}$"), eventnet.watch(values=values):
            Recurses()(SAMPLE, 1000)
        assert len(ran(eventnet.simulate(Recurses(), SAMPLE, 3))) == 4


# One watcher a thread.


class Simulates(nn.Module):
    def __init__(self, call):
        super().__init__()
        self.call, self.layer = call, integer_layer(3, 3)

    def forward(self, value):
        return self.call(self.layer, value)


def test_a_simulation_inside_a_watched_program_is_refused():
    for name in ("simulate", "verify"):
        message = (
            f"eventnet.{name}: this thread is being watched already, expected one watcher at a time. "
            "Leave the outer one first, or give it a list of machines."
        )
        with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
            eventnet.simulate(Simulates(getattr(eventnet, name)), SAMPLE)
    assert eventnet.simulate(integer_layer(3, 3), SAMPLE).agreement


def test_a_simulation_in_a_thread_of_a_watched_program_is_its_own():
    inner = []

    def in_a_thread(layer, value):
        thread = threading.Thread(target=lambda: inner.append(eventnet.simulate(layer, value)))
        thread.start()
        thread.join()
        return inner[-1].outputs

    run = eventnet.simulate(Simulates(in_a_thread), SAMPLE)
    assert run.records == []
    assert [ran(one) for one in inner] == [[("Linear", 0)]] * 2


def test_two_threads_get_what_they_would_get_one_after_the_other():
    torch.manual_seed(0)
    models = [nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4)) for _ in range(2)]
    samples = [torch.randn(1, 16) * (torch.rand(1, 16) > 0.5) for _ in range(20)]

    def numbers(model):
        runs = [eventnet.simulate(model, sample, baseline="dadiannao") for sample in samples]
        return [(run.ticks, run.baseline_ticks, run.energy_pj, bool(run.agreement), run.outputs.tolist()) for run in runs]

    def keep(number, together):
        start.wait()
        found[number] = numbers(models[number])

    found, start = {}, threading.Barrier(2)
    threads = [threading.Thread(target=keep, args=(number, found)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(2)] == [numbers(model) for model in models]


# PyTorch's own transformations.

TRANSFORMED = {
    "vmap": (lambda layer, value: torch.func.vmap(layer)(value.expand(4, 3)), 1),
    "vmap of a dropout": (
        lambda layer, value: torch.func.vmap(lambda one: nn.functional.dropout(layer(one)), randomness="different")(value),
        1,
    ),
    "grad": (lambda layer, value: torch.func.grad(lambda one: layer(one).sum())(value), 2),
    "jacrev": (lambda layer, value: torch.func.jacrev(layer)(value), 2),
    "jacfwd": (lambda layer, value: torch.func.jacfwd(layer)(value), 3),
    "jvp": (lambda layer, value: torch.func.jvp(layer, (value,), (value,)), 3),
    "hessian": (lambda layer, value: torch.func.hessian(lambda one: layer(one).square().sum())(value), 6),
    "functional_call": (lambda layer, value: torch.func.functional_call(layer, dict(layer.named_parameters()), (value,)), 1),
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize(("program", "products"), TRANSFORMED.values(), ids=TRANSFORMED)
def test_transformed_functions_are_watched_as_they_run(program, products):
    layer = integer_layer(3, 3)
    run = eventnet.simulate(lambda value: program(layer, value), SAMPLE)
    assert run.agreement
    assert run.difference.maximum == 0
    assert len(run.product_records) == products
    assert run.coverage == 1


@pytest.mark.parametrize(
    ("operator", "program"),
    [
        ("cond", lambda value: torch.cond(value.sum() > 0, lambda one: one @ one.T, lambda one: one @ one.T * 2, (value,))),
        (
            "while_loop",
            lambda value: torch._higher_order_ops.while_loop(
                lambda count, one: count < 3, lambda count, one: (count + 1, one @ torch.eye(3)), (torch.tensor(0), value)
            ),
        ),
    ],
)
def test_control_flow_that_pytorch_compiles_is_refused(operator, program):
    message = (
        f"eventnet.simulate: the program calls PyTorch's operator '{operator}', which compiles its branches, expected Python's "
        "own control flow, which is watched. Write it with if, for and while."
    )
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(message)}$"):
        eventnet.simulate(program, SAMPLE, values="reference")
    watched = message.replace("simulate", "watch", 1)
    with pytest.raises(hwmodel.UnsupportedError, match=f"^{re.escape(watched)}$"), eventnet.watch(values="reference"):
        program(SAMPLE)
