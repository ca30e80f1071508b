"""Run a model on one sample as modelled hardware would, and report what it took."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_map

from eventnet.agreement import Agreement
from eventnet.difference import difference
from eventnet.explained import explain
from eventnet.held import tensors_in
from eventnet.module_state import ModuleState
from eventnet.run import Run
from eventnet.samples import Samples, run_samples
from eventnet.settings import Settings
from eventnet.watch import MachineLike, Watcher, machines_of, one_machine, settings_of
from hwmodel.errors import ParameterError, UnsupportedError
from hwmodel.machine import Machine

Model = nn.Module | Callable[..., Any]


def simulate(
    model: Model,
    *args: Any,
    kwargs: Mapping[str, Any] | None = None,
    machine: MachineLike | Sequence[MachineLike] = "cnvlutin",
    baseline: MachineLike | None = None,
    samples: Iterable[Any] | None = None,
    **flags: Any,
) -> Any:
    """Run ``model(*args, **kwargs)`` on modelled hardware, operator by operator.

    The untouched program runs first, and what its modules hold and the random state are put back, so that the final outputs can
    be compared; not where PyTorch's own values flow, which makes the watched program the untouched one. Grad mode and train or
    eval mode are the caller's.

    Parameters
    ----------
    model
        A module, or any function that computes with PyTorch.
    *args, kwargs
        Its inputs: one sample.
    machine
        A machine's name, a `hwmodel.Machine`, or a list of either, which share one pass over the program.
    baseline
        What to compare with.
    samples
        Instead of inputs, many samples, run one after the other: each a tensor, a tuple of arguments or a dict of keyword
        arguments. The result is then an `eventnet.samples.Samples` with mean, spread and extremes.
    engine
        ``"auto"``, ``"event"`` or ``"bulk"``: see `scheduler.run`. The numbers are the same.
    values
        ``"events"``: what flows on is computed from events. ``"reference"``: PyTorch's values flow and nothing is
        multiplied, for fast statistics; ``run.agreement`` is then None.
    numerics
        The numbers in which products are computed. ``"auto"``: the tensors' own type, which is float32 in an ordinary program.
        ``"float32"``, ``"float64"`` and ``"bfloat16"`` round both operands, what is added to the products and the result to
        that type, and add in float32 or float64; ``"fixed16"`` is 16-bit fixed point, see `eventnet.Fixed16`, which also takes
        chosen binary points. The program's tensors keep their own types, integers are computed as integers, and PyTorch judges
        by the same operator on the same numbers.
    threshold
        Magnitude below which an activation counts as zero: a number, or one for each of some module names. 0 is exact. It
        comes before the rounding to other numerics.
    first_layer
        ``"auto"``: a convolution of the program's inputs; ``"none"``; or a list of module names.
    offchip
        ``"energy"`` charges the transfer of what does not stay on the chip, ``"time"`` lets tasks wait for it as well.
    leading
        ``"sequence"`` declares the leading dimension of convolutions to be frames or crops of one sample.
    trace
        What `Run.to_perfetto` writes: ``"operator"``, ``"job"`` (every job of every unit copy, for which ``engine="auto"`` is
        the event engine), or ``"auto"``: jobs if ``engine="event"`` was asked for.
    strict
        Refuse operators without event form, and tensors that nothing watched has made.
    progress
        Show a bar on standard error for whatever takes over a second.

    Returns
    -------
    Run
        Or a list of them if ``machine`` is a list; or the statistics of ``samples``.

    Raises
    ------
    EventNetError
        In one sentence, for a name that nothing has, a flag that means nothing, or a program that cannot be run.

    Examples
    --------
    >>> import torch, eventnet
    >>> layer = torch.nn.Linear(32, 8)
    >>> run = eventnet.simulate(layer, torch.eye(32)[:1], machine="cnvlutin", baseline="dadiannao")
    >>> run.ticks, run.records[0].events, bool(run.agreement)
    (2, 1, True)
    """
    settings = settings_of("eventnet.simulate", flags)
    _check_kwargs("eventnet.simulate", kwargs)
    machines = machines_of("eventnet.simulate", machine)
    compared = one_machine("eventnet.simulate", "baseline", baseline)
    if samples is not None:
        return _simulate_samples(model, args, kwargs, samples, machines, compared, settings)
    runs = _simulate("eventnet.simulate", model, args, dict(kwargs or {}), machines, compared, settings)
    return runs[0] if isinstance(machine, MachineLike) else runs


def verify(model: Model, *args: Any, kwargs: Mapping[str, Any] | None = None, **flags: Any) -> Agreement:
    """Compute a model's products from their events and compare each with PyTorch, without any machine.

    Parameters
    ----------
    model, *args, kwargs
        As in `simulate`.
    **flags
        As in `simulate`, those that concern values.

    Returns
    -------
    Agreement
        True if every operator is within its rounding bound and both exact checks hold; prints the worst.

    Examples
    --------
    >>> import torch, eventnet
    >>> bool(eventnet.verify(torch.nn.Conv2d(1, 2, 3), torch.ones(1, 1, 5, 5)))
    True
    """
    settings = settings_of("eventnet.verify", flags)
    _check_kwargs("eventnet.verify", kwargs)
    if settings.values != "events":
        raise ParameterError("eventnet.verify: values is 'reference', expected 'events'. There would be nothing to compare.")
    run = _simulate("eventnet.verify", model, args, dict(kwargs or {}), [None], None, settings)[0]
    assert run.agreement is not None
    return run.agreement


def _check_kwargs(where: str, kwargs: object) -> None:
    if kwargs is not None and not isinstance(kwargs, Mapping):
        raise ParameterError(f"{where}: kwargs is {kwargs!r}, expected a dict of the model's keyword arguments.")


def _simulate_samples(
    model: Model,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any] | None,
    samples: Iterable[Any],
    machines: Sequence[Machine],
    baseline: Machine | None,
    settings: Settings,
) -> Samples:
    where = "eventnet.simulate"
    if args or kwargs:
        raise ParameterError(
            f"{where}: samples are given together with other inputs, expected samples alone. Put every input of a sample into "
            "its tuple or dict."
        )
    if len(machines) != 1:
        raise ParameterError(
            f"{where}: samples are given together with {len(machines)} machines, expected one. Call it for each machine."
        )
    if not isinstance(samples, Iterable):
        raise ParameterError(f"{where}: samples is {samples!r}, expected tensors, tuples of arguments or dicts to go through.")
    if settings.trace == "job":
        raise ParameterError(
            f"{where}: samples are given and trace is 'job', expected a trace of one sample, since statistics keep no runs. "
            "Simulate that sample by itself."
        )
    quiet = replace(settings, progress=False, trace="operator")

    def one(sample_args: tuple[Any, ...], sample_kwargs: Mapping[str, Any]) -> Run:
        return _simulate(where, model, sample_args, dict(sample_kwargs), machines, baseline, quiet)[0]

    return run_samples(samples, one, settings.progress)


def _simulate(
    where: str,
    model: Model,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    machines: Sequence[Machine | None],
    baseline: Machine | None,
    settings: Settings,
) -> list[Run]:
    root = model if isinstance(model, nn.Module) else None
    if not callable(model):
        raise ParameterError(f"{where}: model is {model!r}, expected a module or a function that computes with PyTorch.")
    if root is not None:
        _check_parameters(where, root)
        settings.check_modules(where, [name for name, _ in root.named_modules() if name] or [type(root).__name__])
    watcher = Watcher(machines, baseline, settings, root if root is not None else getattr(model, "__name__", ""), where)
    watcher.know_inputs((args, kwargs))
    reference: Any = None
    if not settings.untouched:
        with _put_back(root, where), explain(where):
            own_args, own_kwargs = _copies((args, kwargs), objects=True)
            reference = _copies(model(*own_args, **own_kwargs))
    with explain(where), watcher:
        outputs = model(*args, **kwargs)
    moved = difference(outputs, outputs if settings.untouched else reference)
    for run in watcher.runs:
        run.outputs = outputs
        run.difference = moved
    return watcher.runs


def _check_parameters(where: str, root: nn.Module) -> None:
    for name, parameter in root.named_parameters():
        if is_lazy(parameter):
            raise UnsupportedError(
                f"{where}: parameter {name!r} has no values yet, expected those of a module that has seen an input. "
                "Run the model once by itself first."
            )


def _copies(nested: Any, objects: bool = False) -> Any:
    """Copy every tensor, so that a program that writes into its inputs does not change them before it is watched.

    Objects that hold tensors, a cache for instance, are copied too if they are asked for and can be.
    """
    made: dict[int, torch.Tensor] = {}

    def copied(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor):
            if id(leaf) not in made:  # a tensor given twice stays one tensor
                made[id(leaf)] = leaf.detach().clone().requires_grad_(leaf.requires_grad)
            return made[id(leaf)]
        held = tensors_in(leaf) if objects else []
        if held:
            with suppress(TypeError):  # it holds something else that cannot be copied
                return deepcopy(leaf, {id(tensor): copied(tensor) for tensor in held})
        return leaf

    return tree_map(copied, nested)


@contextmanager
def _put_back(root: nn.Module | None, where: str) -> Iterator[None]:
    """Put buffers, gradients, modules, plain attributes and random state back as they were.

    Batch norm, memories, dropout and programs that build themselves as they run change them. A program that writes into its
    parameters cannot be run twice, and is refused.
    """
    buffers = [(buffer, buffer.detach().clone()) for buffer in root.buffers()] if root is not None else []
    modules = [ModuleState(module) for module in root.modules()] if root is not None else []
    named = dict(root.named_parameters()) if root is not None else {}
    parameters = list(named.values())
    versions = [_version(one) for one in parameters]
    gradients = [None if one.grad is None else one.grad.detach().clone() for one in parameters]
    torch_state, python_state = torch.get_rng_state(), random.getstate()
    numpy_state = np.random.get_state()  # noqa: NPY002  # a program may draw from numpy's global generator
    try:
        yield
    finally:
        for module in modules:
            module.put_back()
        with torch.no_grad():
            for buffer, value in buffers:
                if buffer.is_inference() and not torch.is_inference_mode_enabled():
                    continue  # nothing outside of inference mode can have written into it
                buffer.copy_(value)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        torch.clear_autocast_cache()  # its copies of the weights were made unwatched
        torch.set_rng_state(torch_state)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
    for name, parameter, version in zip(named, parameters, versions, strict=True):
        if _version(parameter) != version:
            raise UnsupportedError(
                f"{where}: the program writes into parameter {name!r}, expected parameters that stay as they are, since the "
                "program runs twice, untouched first. Run it once inside eventnet.watch."
            )


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version
