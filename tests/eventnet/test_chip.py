"""PyTorch models on a chip in a SimPy environment: the same run as alone, in the environment's time, and nothing left behind."""

import gc
import subprocess
import sys
import threading

import pytest
import simpy
import torch
from torch import nn

import eventnet
import hwmodel
from eventnet.worker import Worker
from hwmodel.errors import ParameterError, UnsupportedError
from scheduler import JobError

MACHINE = hwmodel.load("cnvlutin", clock_hz=1e9)
UNIT = 1e-9  # a tick


def new_chip(env, **parameters):
    return eventnet.Chip(env, MACHINE, UNIT, **parameters)


@pytest.fixture(autouse=True)
def _no_thread_stays():
    before = threading.active_count()
    yield
    gc.collect()
    assert threading.active_count() == before


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10)
    )


@pytest.fixture
def image():
    return torch.randn(1, 3, 14, 14, generator=torch.Generator().manual_seed(1))


def fields_of(run):
    return [
        (
            one.name,
            one.op,
            one.ticks,
            one.busy_ticks,
            one.stall_ticks,
            one.idle_ticks,
            one.events,
            one.executed_macs,
            one.ledger.as_dict(),
        )
        for one in run.records
    ]


@pytest.mark.parametrize("name", ["cnvlutin", "dadiannao", "eyeriss", "eie"])
@pytest.mark.parametrize("detail", ["operator", "job"])
def test_an_embedded_run_on_an_idle_chip_equals_the_one_alone(model, image, name, detail):
    with torch.no_grad():
        alone = eventnet.simulate(model, image, machine=name, progress=False)
        env = simpy.Environment()
        chip = eventnet.Chip(env, name, 1e-6, detail=detail)
        result = env.run(chip.submit(model, image))
    assert result.ticks == alone.ticks
    assert fields_of(result.run) == fields_of(alone)
    assert result.energy_pj == pytest.approx(alone.energy_pj, rel=1e-12)
    assert env.now == result.finished == chip.clock.time_of(alone.ticks)
    assert result.run.agreement
    if detail == "operator":
        assert torch.equal(result.outputs, alone.outputs)
    assert torch.allclose(result.outputs, alone.outputs, atol=1e-5)
    assert not result.outputs.requires_grad
    chip.check()


def test_waiting_for_what_is_off_the_chip_takes_time_here_too():
    machine = hwmodel.load("cnvlutin", clock_hz=1e9, **small_memory())
    layer, x = nn.Linear(512, 64), torch.ones(1, 512)
    alone = eventnet.simulate(layer, x, machine=machine, offchip="time", progress=False)
    env = simpy.Environment()
    chip = eventnet.Chip(env, machine, UNIT)
    result = env.run(chip.submit(layer, x, offchip="time"))
    assert alone.records[0].bound == "offchip"
    assert result.ticks == alone.ticks > alone.records[0].busy_ticks // alone.records[0].lanes
    assert result.energy_pj == pytest.approx(alone.energy_pj, rel=1e-12)
    chip.check()


def small_memory():
    names = [name for name in MACHINE.parameters() if "memory" in name or "synapse" in name]
    for name in names:
        try:
            if hwmodel.load("cnvlutin", **{name: 1}).weight_memory_bytes < 512 * 64 * 2:
                return {name: 1}
        except hwmodel.EventNetError:
            continue
    raise AssertionError(f"none of {names} makes the weight memory small")


def test_a_backward_pass_is_part_of_the_job():
    layer, x = nn.Linear(8, 4), torch.ones(1, 8)

    def step(x):
        layer(x).square().mean().backward()
        return layer.weight.grad.clone()

    env = simpy.Environment()
    result = env.run(new_chip(env).submit(step, x))
    grad, layer.weight.grad = result.outputs, None
    layer(x).square().mean().backward()
    assert torch.allclose(grad, layer.weight.grad)
    assert [one.part for one in result.run.timed_records if not one.vector] == ["forward", "weight_gradient"]


def test_now_is_the_time_of_the_environment_waiting_included():
    times = []

    def program(x):
        times.append(eventnet.now())
        x = x @ x
        times.append(eventnet.now())
        return x

    env = simpy.Environment(1000)
    chip = new_chip(env)
    x = torch.ones(64, 64)
    first, second = chip.submit(program, x), chip.submit(program, x)
    env.run()
    ticks = first.value.ticks
    assert ticks > 0
    assert times == [1000, 1000 + ticks, 1000 + ticks, 1000 + 2 * ticks]
    assert second.value.waited == ticks


def test_a_program_with_a_deadline_does_less_the_later_it_comes_to_it():
    def anytime(x):
        layers = 0
        while eventnet.now() < 600:
            x = torch.tanh(x @ x)
            layers += 1
        return layers

    env = simpy.Environment()
    chip, x = new_chip(env), torch.ones(64, 64)
    alone = chip.submit(anytime, x)
    late = chip.submit(anytime, x)
    env.run()
    assert alone.value.outputs > 1
    assert late.value.outputs == 0
    env = simpy.Environment()
    chip = new_chip(env)
    busy = chip.submit([hwmodel.VectorTask("pool", 256 * 120)])
    later = chip.submit(anytime, x)
    env.run()
    assert busy.value.ticks == 120
    assert 0 < later.value.outputs < alone.value.outputs


def test_now_elsewhere_says_where_it_belongs():
    with pytest.raises(UnsupportedError) as caught:
        eventnet.now()
    assert str(caught.value) == (
        "eventnet.now: this program runs in no environment, expected a model that was submitted to an eventnet.Chip. "
        "Inside eventnet.watch, watcher.seconds is the time so far."
    )


def test_two_dynamic_models_take_turns_operator_by_operator():
    order = []

    def program(name, x):
        for step in range(3):
            order.append((name, step, eventnet.now()))
            x = torch.tanh(x @ x)
        return x

    def submit_later(env, chip, x):
        yield env.timeout(5)
        yield chip.submit(program, "urgent", x, priority=-1)

    def once():
        order.clear()
        env = simpy.Environment()
        chip, x = new_chip(env, preemptive=True), torch.ones(32, 32)
        slow = chip.submit(program, "slow", x)
        env.process(submit_later(env, chip, x))
        env.run(slow)
        chip.check()
        return list(order)

    first = once()
    names = [name for name, _, _ in first]
    assert names == ["slow", "urgent", "urgent", "urgent", "slow", "slow"]
    assert [time for _, _, time in first] == sorted(time for _, _, time in first)
    assert once() == first


def test_an_error_in_forward_reaches_the_process_with_the_models_own_line(image):
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 8, 3)

        def forward(self, x):
            x = self.conv(x)
            return x.reshape(7, 11)  # too few

    env, log = simpy.Environment(), []
    chip = new_chip(env)

    def process():
        try:
            yield chip.submit(Wrong(), image)
        except JobError as error:
            log.append(error)
        log.append((yield chip.submit(nn.ReLU(), torch.ones(1, 256 * 2))).status)

    env.process(process())
    env.run()
    text = str(log[0])
    assert text.startswith("eventnet.Chip: a job raised RuntimeError in test_chip.py, line ")
    assert ", in forward (return x.reshape(7, 11)  # too few): shape '[7, 11]' is invalid for input of size" in text
    assert log[1] == "done"
    chip.check()


def test_a_cancelled_model_is_stopped_inside_its_forward():
    log = []

    def program(x):
        try:
            while True:
                try:
                    x = torch.tanh(x @ x)
                except Exception:
                    log.append("caught")
        finally:
            log.append("left")

    env = simpy.Environment()
    chip, x = new_chip(env), torch.ones(32, 32)
    request = chip.submit(program, x)
    env.run(50)
    request.cancel()
    assert log == ["left"]
    env.run(60)
    assert request.value.status == "cancelled"
    assert chip.busy_ticks == 50
    chip.check()


def test_a_dropped_environment_leaves_no_thread():
    def program(x):
        while True:
            x = torch.tanh(x @ x)

    env = simpy.Environment()
    new_chip(env).submit(program, torch.ones(32, 32))
    env.run(50)
    assert any(thread.name == "eventnet job" for thread in threading.enumerate())
    del env
    gc.collect()
    assert not any(thread.name == "eventnet job" for thread in threading.enumerate())


def test_a_script_that_ends_within_a_job_ends():
    script = """
import simpy, torch, eventnet
def program(x):
    while True:
        x = torch.tanh(x @ x)
env = simpy.Environment()
chip = eventnet.Chip(env, "cnvlutin", 1e-9)
chip.submit(program, torch.ones(32, 32))
env.run(100)
print("over")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "over\n", "")


@pytest.mark.slow
def test_ten_thousand_jobs_leave_nothing():
    layer, x = nn.Linear(4, 4), torch.ones(1, 4)
    env = simpy.Environment()
    chip = new_chip(env)

    def user(jobs):
        for number in range(jobs):
            request = chip.submit(layer, x)
            if number % 10 == 0:
                request.cancel()
            yield request

    def alive():
        gc.collect()
        tensors = sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())
        return threading.active_count(), tensors, len(gc.get_objects()) - 3 * chip.timeline.dynamic.breakpoints

    with torch.no_grad():
        env.run(env.process(user(100)))
        chip.timeline.forget(chip.clock.tick_at(env.now))
        before = alive()
        env.run(env.process(user(10_000)))
        chip.timeline.forget(chip.clock.tick_at(env.now))
        after = alive()
    assert after[:2] == before[:2]
    assert abs(after[2] - before[2]) < 500
    assert not torch.utils._python_dispatch._get_current_dispatch_mode()
    chip.check()


def test_gradients_are_the_callers_choice(model, image):
    env = simpy.Environment()
    chip = new_chip(env)
    assert env.run(chip.submit(model, image)).outputs.requires_grad
    with torch.no_grad():
        request = chip.submit(model, image)
    assert not env.run(request).outputs.requires_grad
    with torch.inference_mode():
        request = chip.submit(model, image)
    assert env.run(request).outputs.is_inference()


def test_a_unit_that_fails_leaves_the_answer_right(model, image):
    unit = next(stage.unit for stage in MACHINE.plan(hwmodel.Task.convolution((3, 8, 8), (16, 3, 3, 3))).stages)
    with torch.no_grad():
        env = simpy.Environment()
        chip = new_chip(env)
        well = env.run(chip.submit(model, image))
        chip.fail(unit.name, copy=1, at=env.now + 30)
        ill = env.run(chip.submit(model, image))
    assert ill.ticks > well.ticks
    assert ill.run.agreement
    assert torch.allclose(ill.outputs, well.outputs, atol=1e-5)
    chip.check()


def test_a_profiled_model_is_served_by_drawing(model, image):
    with torch.no_grad():
        env = simpy.Environment()
        chip = new_chip(env)
        samples = [image, image.relu(), torch.zeros_like(image)]
        profile = chip.profile(model, samples, values="reference")
        alone = [eventnet.simulate(model, one, machine=MACHINE, values="reference", progress=False) for one in samples]
        assert profile.ticks == [one.ticks for one in alone]
        result = env.run(chip.submit(model, image))
        assert result.profiled
        assert result.run is None
        other = new_chip(env)
        assert env.run(other.submit(profile)).ticks in profile.ticks
        assert not env.run(other.submit(model, image)).profiled


def test_jobs_go_to_a_chip_of_the_scheduler_too(model, image):
    import scheduler

    job = eventnet.job(model, image)
    env = simpy.Environment()
    chip = scheduler.Chip(env, MACHINE, UNIT)
    first, second = env.run(chip.submit(job)), env.run(chip.submit(job))
    assert first.ticks == second.ticks > 0
    assert torch.equal(first.outputs, second.outputs)


def test_a_worker_hands_over_and_back():
    def program(worker):
        heard = [worker.hand_over("a")]
        try:
            worker.hand_over("b")
        except KeyError as error:
            heard.append(error.args[0])
        return heard

    worker = Worker(program)
    assert worker.begin() == "a"
    assert worker.reply(1) == "b"
    assert worker.throw(KeyError("k")) is None
    assert worker.value == [1, "k"]


def test_a_worker_that_catches_everything_is_stopped_at_its_next_operator():
    def program(worker):
        for number in range(3):
            try:
                worker.hand_over(number)
            except BaseException:
                continue

    worker = Worker(program)
    assert worker.begin() == 0
    worker.stop()
    assert not any(thread.name == "eventnet job" for thread in threading.enumerate())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (3, torch.ones(1)),
            "eventnet.Chip.submit: model is a int and is given inputs, expected a module or a function. A job or a profile is submitted alone.",
        ),
    ],
)
def test_what_is_no_model_is_refused(arguments, message):
    with pytest.raises(ParameterError) as caught:
        new_chip(simpy.Environment()).submit(*arguments)
    assert str(caught.value) == message


def test_flags_that_the_chip_decides_are_refused():
    with pytest.raises(ParameterError) as caught:
        eventnet.job(nn.ReLU(), torch.ones(1), engine="event")
    assert str(caught.value) == (
        "eventnet.job: there is no argument 'engine', expected those of eventnet.simulate without engine, trace, progress. "
        "The chip's detail says how tasks are played."
    )


def test_a_job_is_of_something_that_can_be_called():
    with pytest.raises(ParameterError) as caught:
        eventnet.job(3)
    assert str(caught.value) == "eventnet.job: model is 3, expected a module or a function that computes with PyTorch."


def test_a_chip_says_which_arguments_it_has():
    with pytest.raises(ParameterError) as caught:
        eventnet.Chip(simpy.Environment(), "cnvlutin", powergating=None)
    assert str(caught.value) == (
        "eventnet.Chip: there is no argument 'powergating', expected one of detail, env, history, machine, policy, power_gating, "
        "preemptive, queue_limit, seconds_per_unit. Did you mean 'power_gating'?"
    )


def test_flags_of_a_job_leave_out_what_the_chip_decides():
    with pytest.raises(ParameterError) as caught:
        new_chip(simpy.Environment()).submit(nn.ReLU(), torch.ones(1), prio=1)
    assert str(caught.value) == (
        "eventnet.job: there is no argument 'prio', expected one of first_layer, leading, numerics, offchip, strict, threshold, "
        "values."
    )


def test_a_profile_of_what_cannot_be_gone_through_is_refused():
    with pytest.raises(ParameterError) as caught:
        new_chip(simpy.Environment()).profile(nn.ReLU(), 4)
    assert str(caught.value) == (
        "eventnet.Chip.profile: samples is 4, expected tensors, tuples of arguments or dicts to go through."
    )


def test_a_profile_holds_on_a_machine_of_the_same_parameters_alone():
    env, layer = simpy.Environment(), nn.Linear(64, 64)
    profile = eventnet.Chip(env, "cnvlutin").profile(layer, [torch.ones(1, 64)])
    assert env.run(eventnet.Chip(env, hwmodel.load("cnvlutin")).submit(profile)).done
    with pytest.raises(ParameterError) as caught:
        eventnet.Chip(env, hwmodel.load("cnvlutin", lanes=8)).submit(profile)
    assert str(caught.value) == (
        "eventnet.Chip.submit: the profile was measured on machine 'cnvlutin' with other parameters, expected 'cnvlutin', the "
        "chip's. Measure one on a chip of this machine."
    )


def test_a_result_says_what_the_machine_could_not_do():
    env = simpy.Environment()
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    result = env.run(eventnet.Chip(env, "eie").submit(model, torch.ones(1, 1, 4, 4)))
    assert result.done
    assert result.reason == (
        "1 of 2 products took no time on machine 'eie' (coverage 25.0%): convolution in 0 was left to PyTorch, since it maps fully "
        "connected layers, and this is a convolution"
    )
    assert env.run(eventnet.Chip(env, "cnvlutin").submit(model, torch.ones(1, 1, 4, 4))).reason == ""


def test_a_profile_needs_samples():
    with pytest.raises(ParameterError) as caught:
        new_chip(simpy.Environment()).profile(nn.ReLU(), [])
    assert str(caught.value) == "eventnet.Chip.profile: there are no samples, expected at least one. Give the model inputs."


def test_a_forward_may_submit_and_cancel(model, image):
    submitted, kept = [], []

    def program(x):
        submitted.append(chip.submit(nn.ReLU(), torch.ones(1, 512)))
        x = x @ x
        kept[0].cancel()
        return x @ x

    env = simpy.Environment()
    chip = new_chip(env)
    kept.append(chip.submit(program, torch.ones(32, 32)))
    env.run()
    assert (kept[0].value.status, kept[0].value.reason) == ("cancelled", "it was cancelled by its own code")
    assert submitted[0].value.status == "done"
    chip.check()


@pytest.mark.parametrize("caught", [Exception, BaseException])
def test_a_forward_that_catches_everything_is_cancelled_all_the_same(caught):
    def program(x):
        for _ in range(5):
            try:
                x = x @ x
            except caught:
                continue
        return x

    env = simpy.Environment()
    chip = new_chip(env)
    request = chip.submit(program, torch.ones(32, 32))
    env.run(3)
    request.cancel()
    env.run()
    assert (request.value.status, env.now) == ("cancelled", 3)
    chip.check()


def test_an_interrupt_from_the_keyboard_inside_a_forward_reaches_who_runs_and_the_chip_goes_on():
    def program(x):
        x = x @ x
        raise KeyboardInterrupt

    env = simpy.Environment()
    chip = new_chip(env)
    stopped, after = chip.submit(program, torch.ones(32, 32)), chip.submit(nn.ReLU(), torch.ones(1, 512))
    with pytest.raises(KeyboardInterrupt):
        env.run()
    env.run()
    assert (stopped.value.status, after.value.status) == ("failed", "done")
    chip.check()


def test_an_error_in_pytorchs_own_modules_is_told_at_their_forward():
    env = simpy.Environment()
    with pytest.raises(
        JobError, match=r"^eventnet.Chip: a job raised RuntimeError in linear.py, line \d+, in forward \(return F"
    ):
        env.run(new_chip(env).submit(nn.Sequential(nn.Linear(4, 2)), torch.ones(1, 3)))
    with pytest.raises(
        JobError, match=r"^eventnet.Chip: a job raised ParameterError: eventnet.Chip: a job yielded a Tensor, exp"
    ):
        env.run(new_chip(env).submit(torch.ones(1, 3)))


def test_a_stop_iteration_in_forward_has_its_own_line():
    def program(x):
        return next(iter([]))  # nothing

    env = simpy.Environment()
    with pytest.raises(JobError, match=r"a job raised StopIteration in test_chip.py, line \d+, in program \(return next"):
        env.run(new_chip(env).submit(program, torch.ones(2, 2)))


def test_a_simulation_inside_a_forward_says_that_it_is_watched_already():
    def program(x):
        return eventnet.simulate(nn.ReLU(), x, progress=False)

    env = simpy.Environment()
    with pytest.raises(
        JobError, match=r"a job raised UnsupportedError in test_chip.py, .*: eventnet.simulate: this thread is being"
    ):
        env.run(new_chip(env).submit(program, torch.ones(2, 2)))


def test_one_model_on_two_chips_of_one_environment(model, image):
    env = simpy.Environment()
    first, second = new_chip(env), eventnet.Chip(env, "dadiannao", UNIT)
    requests = first.submit(model, image), second.submit(model, image)
    env.run()
    assert all(request.value.run.agreement for request in requests)
    assert torch.equal(requests[0].value.outputs, requests[1].value.outputs)
    assert requests[0].value.finished < requests[1].value.finished


def test_a_profiled_model_takes_notice_of_a_failed_lane(model, image):
    env = simpy.Environment()
    chip = new_chip(env)
    with torch.no_grad():
        chip.profile(model, [image])
        chip.fail("lane", copy=3)
        profiled = env.run(chip.submit(model, image))
        other = new_chip(env)
        other.fail("lane", copy=3)
        played = env.run(other.submit(model, image))
    assert (profiled.profiled, profiled.ticks) == (True, played.ticks)
