"""What every machine must do, run on every machine that is found: nothing here names one.

A machine's plan, played by an engine, must account for the time of every copy, add every product that the tensors hold
exactly once and to the right output, and book only what has a price; and both engines must give the same outcome of every
task, to the last number. Then jobs are dropped, doubled and misdirected, in the plan and in the dispatcher, and each must be
noticed by two checks that know nothing of lanes: the outputs on small integers and the products of each output block. The bulk
engine takes values from the tensors, not from jobs; it must notice a plan that is not whole by the products its jobs carry.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import hwmodel
import scheduler
from hwmodel import Block, CountError, EventNetError, Plan, Products, Task, UnsupportedError
from hwmodel.plan import Events
from hwmodel.products import multiply_all
from scheduler import Outcome
from scheduler.dispatch import StageRun

MACHINES = sorted(hwmodel.machines())

# A machine may run one kind of task only; what it refuses is filtered out once the refusal has been looked at.
generated = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])
more_generated = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much]
)
each_machine = pytest.mark.parametrize("machine", [hwmodel.load(name) for name in MACHINES], ids=MACHINES)


def convolved(activations, weights, stride=1, padding=0, groups=1):
    """Correlate (C, H, W) with (F, C / groups, KH, KW) position by position, in integers."""
    padded = np.pad(activations.astype(np.int64), ((0, 0), (padding, padding), (padding, padding)))
    filters, channels, *kernel = weights.shape
    rows, columns = ((size - reach) // stride + 1 for size, reach in zip(padded.shape[1:], kernel, strict=True))
    outputs = np.zeros((filters, rows, columns), dtype=np.int64)
    for filter_ in range(filters):
        first = filter_ // (filters // groups) * channels
        for row in range(rows):
            for column in range(columns):
                top, left = row * stride, column * stride
                seen = padded[first : first + channels, top : top + kernel[0], left : left + kernel[1]]
                outputs[filter_, row, column] = (seen * weights[filter_]).sum()
    return outputs


class Work:
    """A task with the function that gives its outputs from its operands."""

    def __init__(self, task: Task, reference: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> None:
        self.task = task
        self.reference = reference

    @property
    def outputs(self) -> np.ndarray:
        task = self.task
        return self.reference(
            task.layout.give_activations(task.activations.values), task.layout.give_weights(task.weights.values)
        )

    @property
    def integer_outputs(self) -> np.ndarray:
        task = self.task
        activations = task.layout.give_activations(task.activations.integers).astype(np.int64)
        return self.reference(activations, task.layout.give_weights(task.weights.integers).astype(np.int64))


def convolution(activations, weights, first_layer=False, **geometry) -> Work:
    task = Task.convolution(activations, weights, first_layer=first_layer, **geometry)
    return Work(task, lambda left, right: convolved(left, right, **geometry))


def matmul(activations, weights, **flags) -> Work:
    return Work(Task.matmul(activations, weights, **flags), np.matmul)


@st.composite
def works(draw):
    """Draw convolutions, first layers and matrix products, from all zeros to no zeros."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = draw(st.sampled_from([0.5, 0.0, 0.1, 1.0]))

    def integers(*shape, share=0.8):
        return rng.integers(1, 4, shape) * rng.choice([-1, 1], shape) * (rng.random(shape) < share)

    kind = draw(st.sampled_from(["convolution", "first layer", "rows", "batch"]))
    if kind == "rows":
        length = draw(st.integers(1, 40))
        rows = draw(st.sampled_from([(), (3,)]))
        return matmul(integers(*rows, length, share=density), integers(length, draw(st.integers(1, 5))))
    if kind == "batch":
        length = draw(st.integers(1, 20))
        return matmul(integers(2, 3, length, share=density), integers(2, length, 4), two_activations=draw(st.booleans()))
    groups, channels, filters = draw(st.integers(1, 2)), draw(st.integers(1, 20)), draw(st.integers(1, 4))
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return convolution(
        integers(groups * channels, draw(st.integers(3, 5)), draw(st.integers(3, 5)), share=density),
        integers(groups * filters, channels, *kernel),
        first_layer=kind == "first layer",
        stride=draw(st.integers(1, 2)),
        padding=draw(st.integers(0, 1)),
        groups=groups,
    )


@st.composite
def masked_tasks(draw):
    """Draw masks of one to three dimensions: any stride, dilation and groups, clustered zeros, many filters, one pixel."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    dimensions, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 5]))
    channels, filters = draw(st.sampled_from([1, 3, 16, 40, 70])), draw(st.sampled_from([1, 5, 300, 1000]))
    kernel = [draw(st.integers(1, 3)) for _ in range(dimensions)]
    size = [draw(st.integers(1, 6 if dimensions < 3 else 3)) for _ in range(dimensions)]
    mask = rng.random((groups * channels, *size)) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    zeros = draw(st.sampled_from(["independent", "whole channels", "a corner"]))
    if zeros == "whole channels":
        mask[rng.random(groups * channels) < 0.5] = False
    if zeros == "a corner":
        mask[(slice(None), *(slice(-(-one // 2)) for one in size))] = False
    stride, dilation = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    padding = [
        max(0, -(-(dilation * (reach - 1) + 1 - one) // 2)) + draw(st.integers(0, 1))
        for reach, one in zip(kernel, size, strict=True)
    ]
    kind = draw(st.sampled_from(["convolution", "convolution", "first layer", "transposed", "weight gradient", "rows"]))
    if kind == "rows":
        return Task.matmul(mask.reshape(groups, -1, channels), (groups, channels, filters))
    if kind == "transposed":
        return Task.transposed_convolution(mask, (groups * channels, filters, *kernel), stride=stride, groups=groups)
    task = Task.convolution(
        mask,
        (groups * filters, channels, *kernel),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        first_layer=kind == "first layer",
    )
    if kind == "weight gradient":
        geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        gradient = (1, groups * min(filters, 5), *task.layout.output_shape[1:])
        return Task.weight_gradient(mask[None], gradient, kernel, **geometry)
    return task


def runs(machine, work) -> bool:
    """Tell whether a machine runs a task; if it does not, the engine must refuse it with the machine's own reason."""
    reason = machine.cannot_map(work.task)
    if reason is None:
        return True
    with pytest.raises(UnsupportedError, match=re.escape(f"because {reason}.")):
        scheduler.run(machine, work.task)
    return False


@each_machine
@given(elements=st.integers(0, 5000), results=st.integers(0, 100))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_vector_work_takes_every_lane_into_account_and_books_what_has_a_price(machine, elements, results):
    task = hwmodel.VectorTask("pool", elements, results, name="pool1")
    if machine.vector_plan(task) is None:
        message = (
            f"scheduler.run: machine {machine.name!r} cannot run task 'pool1' (pool), because it has no unit for vector work. "
            "Choose another machine for it."
        )
        with pytest.raises(UnsupportedError, match=f"^{re.escape(message)}$"):
            scheduler.run(machine, task)
        return
    outcome = scheduler.run(machine, task, engine="event")
    assert_equal(scheduler.run(machine, task, engine="bulk"), outcome)
    outcome.check()
    assert outcome.ticks == -(-elements // machine.vector_lanes)
    assert outcome.ledger.executed_macs == 0
    assert sum(machine.prices.dynamic_pj(outcome.ledger, machine.name).values()) > 0 or not elements + results


def play(machine, work) -> Outcome:
    assume(runs(machine, work))
    return scheduler.run(machine, work.task, engine="event", integers=True)


def assert_equal(bulk: Outcome, event: Outcome) -> None:
    """Every number of two outcomes must be the same."""
    assert bulk.ticks == event.ticks
    assert bulk.busy_ticks.tolist() == event.busy_ticks.tolist()
    assert bulk.stall_ticks.tolist() == event.stall_ticks.tolist()
    assert bulk.idle_ticks.tolist() == event.idle_ticks.tolist()
    assert bulk.useful_ticks == event.useful_ticks
    assert bulk.jobs == event.jobs
    assert bulk.ledger == event.ledger
    assert bulk.units == event.units
    bulk.check()


def plan_of(machine, work) -> Plan:
    if not runs(machine, work):
        pytest.skip(f"{machine.name} cannot run it, because {machine.cannot_map(work.task)}")
    return machine.plan(work.task)


def assert_noticed(products: Products, work: Work) -> None:
    """Both checks must fail: the small integers, and the products of each output block."""
    assert products.integer_outputs.tolist() != work.integer_outputs.tolist()
    assert products.added.tolist() != work.task.products_planned.tolist()


@each_machine
@generated
@given(work=works())
def test_every_product_is_added_once_and_where_it_belongs(machine, work):
    outcome = play(machine, work)
    outcome.check()
    assert outcome.products.added.tolist() == work.task.products_planned.tolist()
    assert outcome.outputs.tolist() == work.outputs.tolist()
    assert outcome.products.integer_outputs.tolist() == work.integer_outputs.tolist()


@each_machine
@more_generated
@given(work=works())
def test_both_engines_give_the_same_outcome(machine, work):
    event = play(machine, work)
    bulk = scheduler.run(machine, work.task, engine="bulk", integers=True)
    assert_equal(bulk, event)
    assert bulk.outputs.tolist() == event.outputs.tolist()  # integers
    assert bulk.products.integer_outputs.tolist() == event.products.integer_outputs.tolist()
    assert bulk.products.added.tolist() == bulk.products.carried.tolist() == event.products.added.tolist()
    reference = scheduler.run(machine, work.task, engine="bulk", values="reference")
    assert_equal(reference, event)
    assert reference.products is None
    assert_equal(scheduler.run(machine, work.task), event)  # the default engine, whichever it is


@each_machine
@more_generated
@given(task=masked_tasks())
def test_both_engines_give_the_same_outcome_of_masks_of_any_geometry(machine, task):
    assume(machine.cannot_map(task) is None)
    assert_equal(scheduler.run(machine, task, engine="bulk"), scheduler.run(machine, task, engine="event"))


@each_machine
@pytest.mark.parametrize("size", [1, 4096])
def test_ranges_of_any_size_give_the_same_outcome(monkeypatch, machine, size):
    """How many windows are taken at a time is a matter of memory only."""
    work = small_works()[0]
    if not runs(machine, work):
        pytest.skip(f"{machine.name} cannot run it, because {machine.cannot_map(work.task)}")
    whole = scheduler.run(machine, work.task, engine="bulk")
    monkeypatch.setattr("hwmodel.windows.WINDOWS_PER_RANGE", size)
    for engine in ("bulk", "event"):
        assert_equal(scheduler.run(machine, work.task, engine=engine), whole)


@each_machine
@pytest.mark.parametrize(("rows", "length", "filters"), [(1000, 1000, 10**9), (10, 100, 10**12), (1, 1, 10**15)])
def test_ten_to_the_fifteen_products_do_not_wrap(machine, rows, length, filters):
    """A thousand rows of a thousand by a billion columns, or as many in other shapes: no weight of it is stored."""
    task = Task.matmul(np.ones((rows, length), dtype=np.bool_), (length, filters))
    if machine.cannot_map(task) is not None:
        pytest.skip(f"{machine.name} cannot run it, because {machine.cannot_map(task)}")
    bulk = scheduler.run(machine, task, engine="bulk")
    assert task.macs == task.effectual_macs == bulk.ledger.executed_macs == 10**15
    assert all(count > 0 for count in bulk.ledger.as_dict().values())
    assert bulk.ticks * bulk.busy_ticks.size >= bulk.busy_ticks.sum() > 0
    if bulk.jobs < 10**6:  # eie has 64 million, which SimPy plays for minutes
        assert_equal(bulk, scheduler.run(machine, task, engine="event"))


@each_machine
@pytest.mark.parametrize("engine", ["bulk", "event"])
@pytest.mark.parametrize("exponent", [13, 14, 15, 16, 17, 18])
def test_what_64_bits_cannot_count_is_refused_or_counted_right(machine, engine, exponent):
    """Up to 3 x 10^20 products, where 2^63 are 9.2 x 10^18."""
    task = Task.matmul(np.ones((3, 100), dtype=np.bool_), (100, 10**exponent), name="large")
    try:
        outcome = scheduler.run(machine, task, engine=engine)
    except CountError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert task.macs >= 2**63
        assert refused in (
            f"machine {machine.name!r}: task 'large' has {task.macs:,} products, expected fewer than 2^63. "
            "Cut it into smaller ones.",
            "scheduler.run: a task takes more than 2^63 ticks, expected fewer. Cut it into smaller ones.",
        )
        return
    assert outcome.ledger.executed_macs == task.macs
    assert all(count > 0 for count in outcome.ledger.as_dict().values())
    assert outcome.ticks * outcome.busy_ticks.size >= sum(outcome.busy_ticks.tolist()) > 0


@each_machine
@generated
@given(work=works())
def test_every_action_has_a_price_and_every_copy_a_unit(machine, work):
    outcome = play(machine, work)
    priced = machine.prices.dynamic_pj(outcome.ledger, machine.name)
    assert set(priced) == set(outcome.ledger.as_dict())
    assert all(pj >= 0 for pj in priced.values())
    assert sum(priced.values()) > 0
    assert machine.prices.onchip_bytes(outcome.ledger, machine.name) > 0
    assert sum(unit.copies for unit in outcome.units) == outcome.busy_ticks.size == machine.plan(work.task).copies
    assert set(outcome.units) <= set(machine.plan_units)


@each_machine
def test_every_declared_unit_has_work_in_some_plan(machine):
    tasks = [
        convolution(np.ones((1, 4, 4), np.float32), np.ones((1, 1, 3, 3), np.float32)),
        matmul(np.ones((1, 4), np.float32), np.ones((4, 4), np.float32)),
    ]
    plans = [machine.plan(work.task) for work in tasks if machine.cannot_map(work.task) is None]
    used = {stage.unit for plan in plans for stage in plan.stages if any(block.jobs for block in stage.blocks())}
    assert used == set(machine.plan_units)


@each_machine
@generated
@given(work=works())
def test_a_machine_multiplies_what_its_zero_policy_says(machine, work):
    executed = play(machine, work).ledger.executed_macs
    task = work.task
    assert task.effectual_macs <= executed <= task.macs
    if machine.zero_policy.activations == "dense":
        assert executed == task.macs


@each_machine
@generated
@given(work=works())
def test_a_plan_keeps_to_its_own_rules(machine, work):
    play(machine, work)
    for stage in machine.plan(work.task).stages:
        for block in stage.blocks():
            block.check(stage.unit.copies)
            carried = block.carried
            if carried is not None:
                assert carried.pointers.size == block.jobs + 1
                assert carried.output_block.size == block.jobs
                assert carried.positions.size == carried.operands.size == carried.pointers[-1]
                assert isinstance(carried.filters, slice) == (carried.share is None)
                assert carried.share is None or carried.share.size == block.jobs
                shares = block.shared
                assert shares.events.tolist() == np.diff(carried.pointers).tolist()
                assert shares.output_block.tolist() == carried.output_block.tolist()
                assert shares.filters == carried.filters
                assert shares.share is carried.share


@each_machine
@generated
@given(work=works())
def test_the_same_task_gives_the_same_outcome_bit_for_bit(machine, work):
    first, second = play(machine, work), play(machine, work)
    assert_equal(second, first)
    assert first.outputs.tobytes() == second.outputs.tobytes()


@each_machine
@generated
@given(work=works())
def test_time_depends_on_where_zeros_are_and_not_on_values(machine, work):
    task = work.task
    masked = replace(task, activations=replace(task.activations, values=None))
    with_values, without = play(machine, work), scheduler.run(machine, masked)
    assert without.ticks == with_values.ticks
    assert without.ledger == with_values.ledger
    assert without.outputs is None


def small_works() -> list[Work]:
    """Make a convolution of two groups and a product of two rows, with zeros, for which every job is tampered with."""
    activations = np.array([[1, 0, 2, 0], [0, 0, 3, 1], [4, 0, 0, 0], [0, 5, 0, 6]])[:, None, :]
    weights = np.arange(1, 17).reshape(4, 2, 1, 2) * np.array([1, -1])
    rows = np.array([[1, 0, 2, 0, 0], [0, 3, 0, 0, 4]])
    return [convolution(activations, weights, groups=2), matmul(rows, np.arange(1, 11).reshape(5, 2))]


def dropped(block: Block, job: int) -> list[int]:
    return [one for one in range(block.jobs) if one != job]


def doubled(block: Block, job: int) -> list[int]:
    return sorted([*range(block.jobs), job])


def with_jobs(block: Block, jobs: list[int]) -> Block:
    """Make the block with some of its jobs, each as often as it is named."""
    carried = block.carried
    round_of = np.repeat(np.arange(block.rounds), np.diff(block.round_pointers))[jobs]
    shares = [slice(carried.pointers[job], carried.pointers[job + 1]) for job in jobs]
    sizes = [share.stop - share.start for share in shares]
    chosen = np.concatenate([np.arange(share.start, share.stop) for share in shares] or [np.zeros(0, dtype=np.int64)])
    events = replace(
        carried,
        pointers=np.cumsum([0, *sizes]),
        positions=carried.positions[chosen],
        operands=carried.operands[chosen],
        output_block=carried.output_block[jobs],
        share=None if carried.share is None else carried.share[jobs],
    )
    return replace(
        block,
        round_pointers=np.searchsorted(round_of, np.arange(block.rounds + 1)),
        copy=block.copy[jobs],
        ticks=block.ticks[jobs],
        useful_ticks=block.useful_ticks[jobs],
        actions={action: counts[jobs] for action, counts in block.actions.items()},
        events=lambda: events,
        shares=None,
    )


def misdirected(block: Block, job: int, blocks: int) -> Block:
    carried = block.carried
    output_block = carried.output_block.copy()
    output_block[job] = (output_block[job] + 1) % blocks
    return replace(block, events=lambda: replace(carried, output_block=output_block), shares=None)


def tampered(task: Task, block: Block, job: int, how: str) -> Block:
    if how == "misdirected":
        return misdirected(block, job, task.groups * task.windows)
    return with_jobs(block, {"dropped": dropped, "doubled": doubled}[how](block, job))


def events_of(carried: Events, job: int) -> int:
    return int(carried.pointers[job + 1] - carried.pointers[job])


def jobs_with_events(plan: Plan) -> list[tuple[int, int, int]]:
    """List the jobs that carry events: stage, block of the stage, job of the block."""
    return [
        (place, number, job)
        for place, stage in enumerate(plan.stages)
        for number, block in enumerate(stage.blocks())
        if block.carried is not None
        for job in range(block.jobs)
        if events_of(block.carried, job)
    ]


def tampered_plan(task: Task, plan: Plan, where: tuple[int, int, int], how: str) -> Plan:
    """Make the plan with one job of it altered."""
    place, number, job = where
    stage = plan.stages[place]

    def blocks() -> Iterator[Block]:
        for one, block in enumerate(stage.blocks()):
            yield tampered(task, block, job, how) if one == number else block

    return replace(plan, stages=(*plan.stages[:place], replace(stage, rounds=blocks), *plan.stages[place + 1 :]))


@each_machine
@pytest.mark.parametrize("how", ["dropped", "doubled", "misdirected"])
@pytest.mark.parametrize("work", small_works(), ids=["convolution", "matmul"])
def test_a_job_that_the_plan_drops_doubles_or_misdirects_is_noticed(machine, work, how):
    plan = plan_of(machine, work)
    jobs = jobs_with_events(plan)
    assert len(jobs) > 1
    for where in jobs:
        products = Products(work.task, integers=True)
        scheduler.play(tampered_plan(work.task, plan, where, how), products)
        assert_noticed(products, work)
        assert not products.all_there


@each_machine
@pytest.mark.parametrize("how", ["dropped", "doubled", "misdirected"])
@pytest.mark.parametrize("work", small_works(), ids=["convolution", "matmul"])
def test_a_plan_that_is_not_whole_is_noticed_by_the_bulk_engine(machine, work, how):
    plan = plan_of(machine, work)
    for where in jobs_with_events(plan):
        products = multiply_all(work.task, integers=True)
        scheduler.solve(tampered_plan(work.task, plan, where, how), products)
        assert products.added.tolist() == work.task.products_planned.tolist()  # they are the tensors', not the jobs'
        assert products.carried.tolist() != work.task.products_planned.tolist()
        assert not products.all_there


@each_machine
@pytest.mark.parametrize("work", small_works(), ids=["convolution", "matmul"])
def test_a_plan_without_any_job_is_noticed_by_the_bulk_engine(machine, work):
    plan = plan_of(machine, work)
    products = multiply_all(work.task, integers=True)
    scheduler.solve(replace(plan, stages=tuple(replace(stage, rounds=list) for stage in plan.stages)), products)
    assert not products.all_there


@each_machine
@pytest.mark.parametrize("work", small_works(), ids=["convolution", "matmul"])
def test_a_plan_taken_apart_and_put_together_again_is_the_plan(machine, work):
    """The tampering itself changes nothing but the one job."""
    plan = plan_of(machine, work)
    products = Products(work.task, integers=True)

    def same(stage):
        return lambda: (with_jobs(block, list(range(block.jobs))) if block.carried else block for block in stage.blocks())

    outcome = scheduler.play(replace(plan, stages=tuple(replace(one, rounds=same(one)) for one in plan.stages)), products)
    assert outcome.ticks == scheduler.play(plan).ticks
    assert outcome.ledger == scheduler.play(plan).ledger
    assert products.integer_outputs.tolist() == work.integer_outputs.tolist()
    assert products.added.tolist() == work.task.products_planned.tolist()


def tamper_with_delivery(monkeypatch, target: int, alter: Callable) -> None:
    """Let the dispatcher deliver the ``target``-th job that adds products in another way: ``alter(deliver, run, round, job)``."""
    deliver, delivered = StageRun._deliver, count()

    def tampered_delivery(run, round_, first, stop):
        for job in range(first, stop):
            if round_.add is not None and next(delivered) == target:
                alter(deliver, run, round_, job)
            else:
                deliver(run, round_, job, job + 1)

    monkeypatch.setattr(StageRun, "_deliver", tampered_delivery)


def drop(_deliver, run, round_, _job):
    """Lose the job and pretend that it was done."""
    if round_.to_start:
        round_.job_started()
    round_.left -= 1
    if not round_.left:
        run.round_done()


def double(deliver, run, round_, job):
    round_.left += 1
    deliver(run, round_, job, job + 1)
    deliver(run, round_, job, job + 1)


def lose(_deliver, _run, _round, _job):
    """Lose the job and tell nobody."""


@each_machine
@pytest.mark.parametrize("work", small_works(), ids=["convolution", "matmul"])
@pytest.mark.parametrize("alter", [drop, double])
def test_a_job_that_the_dispatcher_drops_or_doubles_is_noticed(machine, work, alter):
    plan = plan_of(machine, work)
    blocks = [block for stage in plan.stages for block in stage.blocks()]
    carrying = [events_of(block.carried, job) > 0 for block in blocks if block.carried for job in range(block.jobs)]
    assert sum(carrying) > 1
    for target in np.flatnonzero(carrying).tolist():
        products = Products(work.task, integers=True)
        with pytest.MonkeyPatch.context() as patch:
            tamper_with_delivery(patch, target, alter)
            outcome = scheduler.play(plan, products)
        assert_noticed(products, work)
        assert outcome.jobs == sum(block.jobs for block in blocks) + (1 if alter is double else -1)


@each_machine
@pytest.mark.parametrize("work", small_works(), ids=["convolution", "matmul"])
def test_a_job_that_never_arrives_does_not_end_as_a_result(monkeypatch, machine, work):
    plan = plan_of(machine, work)
    tamper_with_delivery(monkeypatch, 0, lose)
    with pytest.raises((EventNetError, AttributeError)):
        scheduler.play(plan, Products(work.task, integers=True))
