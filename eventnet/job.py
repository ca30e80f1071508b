"""A model and its inputs as a job for a chip: its operators are done one at a time, in the chip's time.

Job.steps              a generator of tasks                          (scheduler/job.py says what a chip wants)
  Worker               the model's forward, in a thread of its own   (eventnet/worker.py)
    Watcher            sees its operators                            (eventnet/watch.py)
      Device.do        hands each task over, and gets what the chip made of it
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from eventnet.run import Run
from eventnet.settings import Settings
from eventnet.watch import Watcher, settings_of
from eventnet.worker import Worker
from hwmodel.errors import ParameterError, UnsupportedError
from hwmodel.machine import Machine
from scheduler.job import Tasks

NOT_HERE = ("engine", "trace", "progress")  # the chip says how, and a bar for each of many jobs would show nothing

_LOCAL = threading.local()


def now() -> float:
    """Return the time of the environment in which this program runs on a chip, what it has waited included.

    Raises
    ------
    UnsupportedError
        If it runs on none.
    """
    clock: Callable[[], float] | None = getattr(_LOCAL, "clock", None)
    if clock is None:
        raise UnsupportedError(
            "eventnet.now: this program runs in no environment, expected a model that was submitted to an eventnet.Chip. "
            "Inside eventnet.watch, watcher.seconds is the time so far."
        )
    return clock()


class Job:
    """A model with its inputs; see `job`. It may be submitted as often as one likes."""

    def __init__(self, model: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], settings: Settings) -> None:
        self.model = model
        self.args = args
        self.kwargs = kwargs
        self.settings = settings
        self._grad = torch.is_grad_enabled()
        self._inference = torch.is_inference_mode_enabled()
        self._autocast = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")

    def steps(self, machine: Machine, clock: Callable[[], float]) -> Tasks:
        """Run the model's forward as far as its next task, again and again."""
        worker = Worker(partial(self._run, machine, clock))
        try:
            step = worker.begin()
            while step is not None:
                try:
                    outcome = yield step
                except Exception as error:
                    step = worker.throw(error)
                else:
                    step = worker.reply(outcome)
            return worker.value
        finally:
            worker.stop()

    def _run(self, machine: Machine, clock: Callable[[], float], worker: Worker) -> tuple[Any, Run]:
        root = self.model if isinstance(self.model, nn.Module) else None
        name = getattr(self.model, "__name__", "") if root is None else root
        _LOCAL.clock = clock
        try:
            with self._modes():
                watcher = Watcher([machine], None, self.settings, name, "eventnet.Chip", worker.hand_over)
                watcher.know_inputs((self.args, dict(self.kwargs)))
                with watcher:
                    outputs = self.model(*self.args, **self.kwargs)
        finally:
            _LOCAL.clock = None
        watcher.run.outputs = outputs
        return outputs, watcher.run

    @contextmanager
    def _modes(self) -> Iterator[None]:
        """Compute as the thread does that made the job: PyTorch keeps these modes for each thread."""
        autocast, dtype = self._autocast
        with ExitStack() as modes:
            modes.enter_context(torch.inference_mode(self._inference))
            modes.enter_context(torch.set_grad_enabled(self._grad))
            if autocast:
                modes.enter_context(torch.autocast("cpu", dtype))
            yield


def job(model: Callable[..., Any], *args: Any, kwargs: Mapping[str, Any] | None = None, **flags: Any) -> Job:
    """Make a job of ``model(*args, **kwargs)`` for a `scheduler.Chip`.

    The model runs once, when the chip comes to it: nothing untouched runs beside it, and `Run.difference` is None.

    Parameters
    ----------
    model
        A module, or any function that computes with PyTorch.
    *args, kwargs
        Its inputs: one sample.
    **flags
        As in `eventnet.simulate`: values, numerics, threshold, first_layer, offchip, leading, strict.

    Raises
    ------
    EventNetError
        In one sentence, for a flag that means nothing.
    """
    where = "eventnet.job"
    if not callable(model):
        raise ParameterError(f"{where}: model is {model!r}, expected a module or a function that computes with PyTorch.")
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise ParameterError(f"{where}: kwargs is {kwargs!r}, expected a dict of the model's keyword arguments.")
    for flag in NOT_HERE:
        if flag in flags:
            raise ParameterError(
                f"{where}: there is no argument {flag!r}, expected those of eventnet.simulate without {', '.join(NOT_HERE)}. "
                "The chip's detail says how tasks are played."
            )
    settings = settings_of(where, {**flags, "progress": False}, NOT_HERE)
    if isinstance(model, nn.Module):
        settings.check_modules(where, [name for name, _ in model.named_modules() if name] or [type(model).__name__])
    return Job(model, args, dict(kwargs or {}), settings)
