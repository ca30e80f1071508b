"""Watch any eager PyTorch program run, operator by operator, below autograd.

A dispatch mode sees every aten operator, forward and backward. Products are computed from their events on the modelled
machines, and what flows on is the event-driven result; everything else PyTorch computes.

    watch / simulate
      _Mode.__torch_dispatch__        composite and fused operators come again as their parts
      Watcher.operator                one operator
        Form.products                 the operator as tasks             (eventnet/ops)
        Device.do                     its time and energy, its products (eventnet/device.py, scheduler)
        judge                         against PyTorch's own result      (eventnet/agreement.py)
"""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from eventnet import aten
from eventnet.agreement import Verdict, judge
from eventnet.arithmetic import Arithmetic
from eventnet.call import Call, Form
from eventnet.device import Device, Work
from eventnet.macs import other_macs
from eventnet.modules import HOOKS, ModuleStack, Place
from eventnet.numerics import Rounded, Total
from eventnet.ops import forms, rewrites
from eventnet.ops.convolution import refuse_several_samples
from eventnet.product import Product
from eventnet.progress import Bar
from eventnet.provenance import Mark, Provenance, combine, storage_key
from eventnet.record import Record
from eventnet.recording import record_of
from eventnet.run import Run
from eventnet.settings import Settings
from eventnet.weights import WeightCache, as_array, require_finite
from hwmodel.catalogue import load
from hwmodel.errors import ParameterError, UnsupportedError
from hwmodel.machine import Machine
from hwmodel.operands import Array, Weights
from hwmodel.products import multiply_all

MachineLike = str | Machine


class _Mode(TorchDispatchMode):
    """Hands every operator of this thread to a watcher; composite operators come again as their parts."""

    def __init__(self, watcher: "Watcher") -> None:
        super().__init__()
        self._watcher = watcher
        self._rewrites = rewrites()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if aten.is_composite(func) and aten.all_plain((args, kwargs)):
            with self:
                decomposed = func.decompose(*args, **kwargs)
            if decomposed is not NotImplemented:
                return decomposed
        rewrite = self._rewrites.get(aten.base_name(func))
        if rewrite is not None and func._overloadname == "default":
            arguments, _ = aten.named_arguments(func, args, kwargs)
            with self:
                parts = rewrite(**arguments)
            if parts is not NotImplemented:
                return parts
        return self._watcher.operator(func, args, kwargs)


class Watcher:
    """What `watch` hands out: the run so far, and the time that has passed on the modelled machine.

    Attributes
    ----------
    runs
        One run for each machine, filled as operators run.
    """

    def __init__(
        self,
        machines: Sequence[Machine | None],
        baseline: Machine | None,
        settings: Settings,
        root: nn.Module | str = "",
        where: str = "eventnet.watch",
    ) -> None:
        self.settings = settings
        self.where = where
        flags = settings.as_dict()
        self.runs = [Run(machine, baseline, flags) for machine in machines]
        self._devices = [_device(machine, settings) for machine in machines]
        self._baseline = _device(baseline, settings)
        self._ticks = 0
        self._provenance = Provenance()
        self._weights = WeightCache()
        self._parameter_names: dict[int, str] = {}
        self._computed: Counter[Place] = Counter()
        self._forms = forms()
        self._stack = ModuleStack(root, self._enter_module)
        if isinstance(root, nn.Module):
            self._know_parameters(root)
        self._bar: Any = None
        self._mode = _Mode(self)

    @property
    def run(self) -> Run:
        """Return the run on the first machine."""
        return self.runs[0]

    @property
    def ticks(self) -> int:
        """Clock ticks so far, on the first machine; readable inside forward."""
        return self._ticks

    @property
    def seconds(self) -> float:
        """Seconds so far, on the first machine; readable inside forward, for programs with a deadline."""
        machine = self.run.machine
        return self._ticks / machine.clock_hz if machine is not None else 0.0

    def know_inputs(self, inputs: Any) -> None:
        """Take every tensor in nested arguments as an input of the program, unless it is known already."""
        for leaf in tree_leaves(inputs):
            if isinstance(leaf, torch.Tensor) and aten.has_storage(leaf) and self._provenance.get(leaf) is None:
                self._provenance.set(leaf, Mark.STREAMED | Mark.INPUT)

    def __enter__(self) -> "Watcher":
        if HOOKS.active is not None:
            raise UnsupportedError(
                f"{self.where}: this thread is being watched already, expected one watcher at a time. "
                "Leave the outer one first, or give it a list of machines."
            )
        HOOKS.begin(self._stack)
        self._bar = Bar(desc=self.where, unit=" operators", disable=not self.settings.progress)
        self._mode.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        try:
            self._mode.__exit__(*exception)
        finally:
            self._bar.close()
            HOOKS.end()

    def operator(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Take one operator call: run it, record it, and return what flows on."""
        place = self._stack.place()
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        marks = [self._mark(tensor, place) for tensor in tensors]
        self._bar.set_postfix_str(place.name, refresh=False)
        self._bar.update()
        form = self._forms.get(aten.base_name(func))
        if form is not None and aten.can_multiply(func, tensors):
            result, multiplied = self._product(form, func, args, kwargs, place)
        else:
            result, multiplied = func(*args, **kwargs), False
            if not aten.is_free(func, tensors, result):
                multiplied = self._other(func, args, kwargs, result, place)
        for tensor in aten.written(func, args, kwargs):
            if aten.has_storage(tensor):
                self._weights.written(tensor)
        mark = Mark.CONSTANT if aten.is_factory(func) else combine(marks)
        if not tensors and torch.Tag.nondeterministic_seeded in func.tags:
            mark = Mark.STREAMED if self._stack.inside else Mark.STREAMED | Mark.INPUT
        if multiplied and mark & Mark.STREAMED:
            mark |= Mark.PRODUCT
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and aten.has_storage(leaf):
                self._provenance.set(leaf, mark)
        return result

    def _product(self, form: Form, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], place: Place) -> tuple[Any, bool]:
        """Compute a call's products from their events; return the result and whether anything was multiplied."""
        arguments, into = aten.named_arguments(func, args, kwargs)
        operands = {name: arguments[name] for name in form.operands}
        streamed = operands[form.operands[0]]
        where = f"{self.where}: {form.op} in {place.name or 'the program'}"
        backward = torch._C._current_autograd_node() is not None
        if form.op == "convolution" and not backward and self.settings.leading != "sequence":
            refuse_several_samples(streamed, arguments["weight"], where)
        static = frozenset(name for name, tensor in operands.items() if self._is_static(tensor))
        if len(static) == len(operands):  # a product of parameters: somebody has to stream
            static -= {form.operands[0]}
        threshold = 0.0 if backward else self.settings.threshold_of(place.name)
        pruned = 0
        for name in operands:
            if threshold and name not in static:
                arguments[name], dropped = _prune(arguments[name], threshold)
                pruned += dropped
        seen_first = form.op == "convolution" and not backward and self._is_input(streamed)
        expected = aten.functional(func)(**arguments)
        results = list(expected) if isinstance(expected, tuple) else [expected]
        if not all(tensor.numel() for tensor in (*operands.values(), results[0]) if tensor is not None):
            return aten.write(into, expected), False  # no work
        arithmetic = Arithmetic(
            self.settings.arithmetic, form, arguments, static, place.name, backward, where, self._keep, self._lay_out
        )
        call = Call(
            arguments=arithmetic.arguments,
            place=place,
            static=static,
            first_layer=form.op == "convolution" and self.settings.is_first(place.name, seen_first),
            stream=arithmetic.stream,
            lay_out=arithmetic.lay_out,
        )
        products = form.products(call)
        if not products:
            self._other(func, args, kwargs, expected, place)
            return aten.write(into, expected), True
        reference = arithmetic.reference(aten.functional(func), expected)
        for number, product in products.items():
            if backward and product.task.part == "forward":
                product = replace(product, task=replace(product.task, part=_gradient_of(product)))
            results[number] = self._do(form, product, reference[number], results[number], place, pruned, arithmetic)
        return aten.write(into, tuple(results) if isinstance(expected, tuple) else results[0]), True

    def _do(
        self,
        form: Form,
        product: Product,
        reference: torch.Tensor,
        like: torch.Tensor,
        place: Place,
        pruned: int,
        arithmetic: Arithmetic,
    ) -> torch.Tensor:
        """Run a product on every machine, judge and record it; return what flows on, shaped and typed ``like`` PyTorch's."""
        multiply = self.settings.values == "events"
        parameter, size = self._static_operand(product, place)
        judged, expected = arithmetic.judged(product), arithmetic.expected(product, reference)
        flows_on: Total | None = None

        def one(device: Device | None) -> tuple[Work | None, Verdict | None]:
            nonlocal flows_on
            work = None
            if device is not None:
                work = device.do(product, parameter, size, multiply)
                products = work.outcome.products
            else:
                products = multiply_all(product.task, integers=True) if multiply else None
            if products is None:
                return work, None
            outputs = products.outputs
            assert outputs is not None
            actual = arithmetic.total(product, torch.from_numpy(outputs), expected)
            if flows_on is None:
                flows_on = actual
            on = f" on {device.machine.name}" if device is not None else ""
            return work, judge(judged, products, actual.values, expected.values, place.name, form.op + on)

        baseline_work: Work | None = None
        baseline_verdict: Verdict | None = None
        works = []
        for device in self._devices:
            works.append((device, *one(device if device and not device.cannot_map(product.task) else None)))
        if self._baseline is not None and not self._baseline.cannot_map(product.task):
            baseline_work, baseline_verdict = one(self._baseline)
        result, rounding = arithmetic.finish(product, expected if flows_on is None else flows_on, like)
        of_baseline = self._baseline, baseline_work, baseline_verdict
        for run, (device, work, verdict) in zip(self.runs, works, strict=True):
            run.records.append(record_of(form, product, place, pruned, rounding, device, work, verdict, *of_baseline))
        self._ticks += self.run.records[-1].ticks
        return result

    def _other(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, place: Place) -> bool:
        """Record an operator that PyTorch computed; return whether it multiplies and accumulates."""
        name = aten.base_name(func)
        macs = other_macs(func, args, kwargs, result)
        if self.settings.strict:
            raise UnsupportedError(
                f"{self.where}: operator {name!r} in {place.name or 'the program'} has no event form, expected only operators "
                "that have one because strict=True. Run with strict=False to count it as other."
            )
        for run in self.runs:
            run.records.append(Record(place.name, name, call=place.call, timed=False, macs=macs))
        return macs > 0

    def _mark(self, tensor: torch.Tensor, place: Place) -> Mark:
        """Return what is known of a tensor's origin; take a parameter in, and count what came from nowhere."""
        if not aten.has_storage(tensor):
            return Mark.STREAMED
        mark = self._provenance.get(tensor)
        if mark is not None:
            return mark
        if isinstance(tensor, nn.Parameter) or isinstance(tensor._base, nn.Parameter):
            mark = Mark.STATIC | Mark.PARAMETER
        elif tensor.dim() == 0:
            mark = Mark.CONSTANT  # a number of the program that PyTorch wrapped
        elif not self._stack.inside and torch._C._current_autograd_node() is None:
            mark = Mark.STREAMED | Mark.INPUT  # written in the watched program itself, outside of any module
        else:
            mark = Mark.STREAMED
            for run in self.runs:
                run.unwatched += 1
            if self.settings.strict:
                raise UnsupportedError(
                    f"{self.where}: a tensor of shape {tuple(tensor.shape)} in {place.name or 'the program'} was made by "
                    "nothing that is watched (numpy, a list, another thread), expected none because strict=True. Make it with "
                    "PyTorch in this thread, or pass it in as an argument."
                )
        self._provenance.set(tensor, mark)
        return mark

    def _static_operand(self, product: Product, place: Place) -> tuple[Hashable, int]:
        """Say what a product's static operand is to a weight memory, and how many bytes it has, each element once."""
        if product.task.two_activations:
            return None, 0
        tensor = product.second
        distinct = math.prod(size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)
        size = distinct * product.task.weight_bits // 8
        if (self._provenance.get(tensor) or Mark.CONSTANT) & Mark.PARAMETER:
            return (storage_key(tensor), tensor.storage_offset(), distinct), size
        self._computed[place] += 1  # computed anew from a parameter: the same one at each call of its module
        return (place.name, self._computed[place]), size

    def _is_static(self, tensor: torch.Tensor) -> bool:
        return bool((self._provenance.get(tensor) or Mark.CONSTANT) & Mark.STATIC)

    def _is_input(self, tensor: torch.Tensor) -> bool:
        mark = self._provenance.get(tensor) or Mark.CONSTANT
        return bool(mark & Mark.INPUT) and not mark & Mark.PRODUCT

    def _enter_module(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self._know_parameters(module)
        self.know_inputs(args)

    def _know_parameters(self, module: nn.Module) -> None:
        for kind in (module.named_parameters, module.named_buffers):
            for name, tensor in kind():
                if aten.has_storage(tensor) and self._provenance.get(tensor) is None:
                    self._provenance.set(tensor, Mark.STATIC | Mark.PARAMETER)
                    self._parameter_names[storage_key(tensor)] = name

    def _lay_out(self, tensor: torch.Tensor, layout: Hashable, lay_out: Callable[[Array], Weights]) -> Weights:
        where = self._name_of(tensor)
        if not self._is_static(tensor):
            require_finite(tensor, where)
            return lay_out(as_array(tensor))
        return self._weights.get(tensor, layout, where, lay_out)

    def _keep(self, tensor: torch.Tensor, what: Hashable, make: Callable[[], Rounded]) -> Rounded:
        if not self._is_static(tensor):
            return make()
        return self._weights.keep(tensor, what, self._name_of(tensor), make)

    def _name_of(self, tensor: torch.Tensor) -> str:
        name = self._parameter_names.get(storage_key(tensor))
        return f"{self.where}: parameter {name!r}" if name else f"{self.where}: an operand that is no parameter"


@contextmanager
def watch(
    machine: MachineLike | Sequence[MachineLike] = "cnvlutin", baseline: MachineLike | None = None, **flags: Any
) -> Iterator[Watcher]:
    """Watch everything that PyTorch computes in a ``with`` block, in this thread, backward included.

    Parameters
    ----------
    machine
        A machine's name, a `hwmodel.Machine`, or a list of either: then `Watcher.runs` holds a run for each.
    baseline
        What to compare with.
    **flags
        As in `eventnet.simulate`: engine, values, numerics, threshold, first_layer, offchip, leading, strict, progress.

    Raises
    ------
    EventNetError
        In one sentence, for a name that nothing has or a program that cannot be run.

    Examples
    --------
    >>> import torch, eventnet
    >>> with eventnet.watch(machine="cnvlutin") as watcher:
    ...     loss = torch.nn.Linear(8, 4)(torch.ones(1, 8)).square().mean()
    ...     loss.backward()
    >>> [record.op for record in watcher.run.timed_records]
    ['matmul', 'matmul']
    """
    settings = settings_of("eventnet.watch", flags)
    machines, compared = machines_of("eventnet.watch", machine), one_machine("eventnet.watch", "baseline", baseline)
    with Watcher(machines, compared, settings) as watcher:
        yield watcher


def settings_of(where: str, flags: dict[str, Any]) -> Settings:
    """Make checked settings of keyword arguments."""
    known = Settings().as_dict()
    for name in flags:
        if name not in known:
            raise ParameterError(f"{where}: there is no argument {name!r}, expected one of {', '.join(sorted(known))}.")
    settings = Settings(**flags)
    settings.check(where)
    return settings


def one_machine(where: str, what: str, machine: MachineLike | None) -> Machine | None:
    """Return a machine for a name, or the machine itself."""
    if machine is None or isinstance(machine, Machine):
        return machine
    if isinstance(machine, str):
        return load(machine)
    raise ParameterError(f"{where}: {what} is {machine!r}, expected a name or a hwmodel.Machine, as hwmodel.load makes them.")


def machines_of(where: str, machine: MachineLike | Sequence[MachineLike]) -> list[Machine]:
    """Return the machines that were asked for."""
    if isinstance(machine, str | Machine):
        asked: list[MachineLike] = [machine]
    elif isinstance(machine, list | tuple) and machine:
        asked = list(machine)
    else:
        raise ParameterError(f"{where}: machine is {machine!r}, expected a name, a hwmodel.Machine or a list of them.")
    return [found for one in asked if (found := one_machine(where, "machine", one)) is not None]


def _gradient_of(product: Product) -> str:
    """Say which gradient a matrix product in backward is: that of the weights multiplies gradients by activations."""
    node = torch._C._current_autograd_node()
    batched = node is not None and "Bmm" in node.name()
    return "weight_gradient" if product.task.two_activations and not batched else "input_gradient"


def _prune(tensor: torch.Tensor, threshold: float) -> tuple[torch.Tensor, int]:
    """Return a tensor without the values of smaller magnitude than a threshold, and how many were dropped."""
    small = (tensor.abs() < threshold) & (tensor != 0)
    return tensor.masked_fill(small, 0), int(small.sum())


def _device(machine: Machine | None, settings: Settings) -> Device | None:
    return None if machine is None else Device(machine, settings.engine, settings.offchip)
