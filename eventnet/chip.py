"""A modelled machine in anyone's SimPy environment, to which PyTorch models are submitted."""

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from typing import Any

from simpy import Environment

import scheduler
from eventnet.job import Job, job
from eventnet.samples import inputs_of
from eventnet.watch import MachineLike, one_machine
from hwmodel.catalogue import expected_one_of
from hwmodel.errors import ParameterError
from scheduler import Profile, Request


class Chip(scheduler.Chip):
    """One machine as a server of models in an environment; `scheduler.Chip` has the parameters and what else it can do.

    Parameters
    ----------
    env
        Any SimPy environment: the user's own.
    machine
        Its name, or a `hwmodel.Machine`.
    seconds_per_unit, **parameters
        As in `scheduler.Chip`.

    Examples
    --------
    >>> import eventnet, simpy, torch
    >>> env = simpy.Environment()
    >>> chip = eventnet.Chip(env, "cnvlutin")
    >>> result = env.run(chip.submit(torch.nn.Linear(32, 8), torch.eye(32)[:1]))
    >>> result.ticks, env.now == result.finished, bool(result.run.agreement)
    (2, True, True)
    """

    where = "eventnet.Chip"

    def __init__(
        self, env: Environment, machine: MachineLike = "cnvlutin", seconds_per_unit: float = 1.0, **parameters: Any
    ) -> None:
        found = one_machine(self.where, "machine", machine)
        known = list(signature(scheduler.Chip).parameters)
        for name in parameters:
            if name not in known:
                raise ParameterError(f"{self.where}: there is no argument {name!r}, {expected_one_of(name, known)}")
        super().__init__(env, found, seconds_per_unit, **parameters)  # type: ignore[arg-type]  # None is refused there
        self._profiles: dict[int, tuple[Any, Profile]] = {}

    def submit(  # type: ignore[override]  # a model takes its inputs where a job has none
        self,
        model: Any,
        *args: Any,
        kwargs: Mapping[str, Any] | None = None,
        priority: float = 0,
        deadline: float | None = None,
        expected: float | None = None,
        **flags: Any,
    ) -> Request:
        """Give the chip a model with its inputs; return the event to yield, whose value is a `scheduler.Result`.

        A model that was profiled on this chip is served from its profile, whatever its inputs are: the result says so, and has
        neither outputs nor a run.

        Parameters
        ----------
        model, *args, kwargs, **flags
            As in `eventnet.job`; or what `scheduler.Chip.submit` takes, alone.
        priority, deadline, expected
            As in `scheduler.Chip.submit`.

        Raises
        ------
        EventNetError
            In one sentence, for what is no model, or a flag that means nothing.
        """
        _, profile = self._profiles.get(id(model), (None, None))
        if profile is not None:
            given: Any = profile
        elif callable(model):
            given = job(model, *args, kwargs=kwargs, **flags)
        elif args or kwargs or flags:
            raise ParameterError(
                f"{self.where}.submit: model is a {type(model).__name__} and is given inputs, expected a module or a function. "
                "A job or a profile is submitted alone."
            )
        else:
            given = model
        return super().submit(given, priority, deadline, expected)

    def profile(  # type: ignore[override]  # as above
        self, model: Callable[..., Any], samples: Iterable[Any], seed: int = 0, **flags: Any
    ) -> Profile:
        """Measure time and energy of a model once, and serve it from these from now on, on this chip.

        Parameters
        ----------
        model
            As in `eventnet.job`.
        samples
            Its inputs: each a tensor, a tuple of arguments or a dict of keyword arguments.
        seed
            Of the draws.
        **flags
            As in `eventnet.job`; ``values="reference"`` measures the same times faster.

        Returns
        -------
        Profile
            Which may be submitted to other chips of the same machine, too.
        """
        if not isinstance(samples, Iterable):
            raise ParameterError(
                f"{self.where}.profile: samples is {samples!r}, expected tensors, tuples of arguments or dicts to go through."
            )
        jobs: list[Job] = []
        for sample in samples:
            args, kwargs = inputs_of(sample)
            jobs.append(job(model, *args, kwargs=kwargs, **flags))
        if not jobs:
            raise ParameterError(f"{self.where}.profile: there are no samples, expected at least one. Give the model inputs.")
        measured = super().profile(jobs, seed)
        self._profiles[id(model)] = model, measured  # the model is held, so that its number is nobody else's
        return measured
