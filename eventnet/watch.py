"""Watch any eager PyTorch program run, operator by operator, below autograd.

A dispatch mode sees every aten operator, forward and backward. Products are computed from their events on the modelled
machines, and what flows on is the event-driven result; everything else PyTorch computes, and vector work is counted.

    watch / simulate
      OperatorMode                    composite and fused operators come again as their parts (eventnet/modes.py)
      Watcher.operator                one operator, its operands known    (eventnet/origins.py)
        Form.products                 a product as tasks                (eventnet/ops)
        VectorForm.elements           or how much vector work it is     (eventnet/ops, vector_work.py)
        Devices.multiply, .vector     its time and energy, its products (eventnet/devices.py, scheduler)
          judge                       against PyTorch's own result      (eventnet/agreement.py)
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

from eventnet import aten
from eventnet.arithmetic import Arithmetic
from eventnet.call import Call, Form
from eventnet.device import Host
from eventnet.devices import Devices, ProductCall
from eventnet.explained import explain_limits
from eventnet.macs import other_macs
from eventnet.modes import OperatorMode
from eventnet.modules import CALLS, ModuleStack, Place
from eventnet.numerics import Float, Rounded
from eventnet.operations import Operations
from eventnet.operator import OperatorCall
from eventnet.ops.convolution import refuse_several_samples
from eventnet.origins import Origins
from eventnet.product import Product
from eventnet.progress import Bar
from eventnet.provenance import Mark, combine
from eventnet.run import Run
from eventnet.settings import Settings
from eventnet.vector import VectorCall
from eventnet.vector_work import VectorWork, count_elements, count_nonzeros
from eventnet.weights import WeightCache, as_array, require_finite
from hwmodel.catalogue import load
from hwmodel.errors import ParameterError, UnsupportedError
from hwmodel.given import Operand
from hwmodel.machine import Machine
from hwmodel.operands import Weights
from hwmodel.vector import VectorTask

MachineLike = str | Machine


class Watcher:
    """What `watch` hands out: the run so far, and the time that has passed on the modelled machine.

    Its runs fill as operators run: `run` on the first machine, `runs` on each.
    """

    def __init__(
        self,
        machines: Sequence[Machine | None],
        baseline: Machine | None,
        settings: Settings,
        root: nn.Module | str = "",
        where: str = "eventnet.watch",
        host: Host | None = None,
    ) -> None:
        if CALLS.active is not None:
            raise UnsupportedError(
                f"{where}: this thread is being watched already, expected one watcher at a time. "
                "Leave the outer one first, or give it a list of machines."
            )
        self.settings = settings
        self.where = where
        self._devices = Devices(machines, baseline, settings, host)
        self._stack = ModuleStack(root, lambda module, given: self._origins.enter(module, given))
        self._origins = Origins(root, self._stack, self._devices, settings.strict, where)
        self._weights = WeightCache(settings.values == "events", self._origins.name)
        self._vector_work = VectorWork(self._origins, self._stack, self._devices)
        self._bar: Any = None
        self._operations = Operations()
        self._progress, self._numerics = settings.progress, settings.arithmetic
        self._why = ""  # why the operator that runs now is left to PyTorch
        self._mode = OperatorMode(self)

    @property
    def runs(self) -> list[Run]:
        """Return the run on each machine."""
        return self._devices.runs

    @property
    def run(self) -> Run:
        """Return the run on the first machine."""
        return self.runs[0]

    @property
    def ticks(self) -> int:
        """Clock ticks so far, on the first machine; readable inside forward."""
        return self._devices.ticks

    @property
    def seconds(self) -> float:
        """Seconds so far, on the first machine; readable inside forward, for programs with a deadline."""
        machine = self.run.machine
        return self.ticks / machine.clock_hz if machine is not None else 0.0

    def know_inputs(self, inputs: Any) -> None:
        """Take every tensor that nested arguments hold as an input of the program, unless it is known already."""
        self._origins.know_inputs(inputs)

    def __enter__(self) -> "Watcher":
        self._bar = Bar(desc=self.where, unit=" operators", disable=not self.settings.progress)
        try:
            CALLS.begin(self._stack)
            self._mode.__enter__()
        except BaseException:  # an interrupt
            self._leave()
            raise
        return self

    def __exit__(self, *exception: Any) -> None:
        try:
            self._leave()
        finally:
            self._leave()  # an interrupt may have cut the first one short

    def _leave(self) -> None:
        """Undo what `__enter__` has done, as far as it came; once more does no harm."""
        if any(mode is self._mode for mode in _get_current_dispatch_mode_stack()):
            self._mode.__exit__(None, None, None)
        CALLS.end()
        self._operations.forget()
        self._bar.close()

    def operator(self, call: OperatorCall) -> Any:
        """Take one operator call: run it, record it, and return what flows on."""
        operator, tensors = call.operator, call.tensors
        place = self._stack.place(self._operations.current())
        marks = {id(tensor): self._origins.of(tensor, place) for tensor in tensors}
        mark = Mark.CONSTANT if operator.is_factory else combine(marks.values())
        if self._progress:
            self._bar.set_postfix_str(place.name, refresh=False)
            self._bar.update()
        form = operator.form
        self._why = ""
        multiplied = in_pipeline = False
        result = None
        if form is not None:
            self._refuse_other_devices(form, tensors, place)
            if aten.can_multiply(operator.func, tensors, form.sparse):
                result, multiplied = self._product(form, call, marks, place)
                in_pipeline = multiplied
        if result is None:
            result, multiplied, in_pipeline = self._without_products(call, marks, place)
        if operator.is_mutable:
            for tensor in aten.written(operator.func, call.args, call.kwargs):
                if aten.has_storage(tensor):
                    self._weights.written(tensor)
        if operator.is_random and not mark & Mark.STREAMED:
            mark = Mark.DRAWN
            if not tensors:
                mark = Mark.STREAMED if self._stack.inside else Mark.STREAMED | Mark.INPUT
        if multiplied and mark & Mark.STREAMED:
            mark |= Mark.PRODUCT
        for tensor in (result,) if isinstance(result, torch.Tensor) else aten.tensors_in(result):
            if aten.has_values(tensor):
                self._origins.set(tensor, mark, in_pipeline)
        return result

    def _refuse_other_devices(self, form: Form, tensors: list[torch.Tensor], place: Place) -> None:
        for tensor in tensors:
            fake = isinstance(tensor, FakeTensor)
            if fake or not tensor.is_cpu:
                found = f"on device {tensor.device}"
                if fake or tensor.is_meta:
                    found = "without values, a fake one" if fake else "without values, on the meta device"
                raise UnsupportedError(
                    f"{self.where}: {form.op} in {place.name or 'the program'} is given a tensor {found}, expected the CPU, "
                    "where events are computed. Make the model and its inputs on the CPU, or move them there with .cpu()."
                )

    def _product(self, form: Form, called: OperatorCall, marks: dict[int, int], place: Place) -> tuple[Any, bool]:
        """Compute a call's products from their events; return the result, None if it has none, and whether it multiplied."""
        arguments, into = called.named
        operands = {name: arguments[name] for name in form.operands}
        streamed = operands[form.operands[0]]
        where = f"{self.where}: {form.op} in {place.name or 'the program'}"
        backward = torch._C._current_autograd_node() is not None
        if form.op == "convolution" and not backward and self.settings.leading != "sequence":
            refuse_several_samples(streamed, arguments["weight"], where)
        static = frozenset([name for name, tensor in operands.items() if marks.get(id(tensor), 0) & Mark.STATIC])
        if len(static) == len(operands):  # a product of parameters: somebody has to stream
            static -= {form.operands[0]}
        threshold = 0.0 if backward else self.settings.threshold_of(place.name)
        pruned = 0
        if threshold:
            arguments = dict(arguments)  # what PyTorch is given stays as it is
        for name in operands:
            if threshold and name not in static and arguments[name].is_floating_point() and aten.has_storage(arguments[name]):
                arguments[name], dropped = _prune(arguments[name], threshold)
                pruned += dropped
        activations = [tensor for name, tensor in operands.items() if name not in static]
        if len(activations) > 1 and isinstance(self._numerics, Float) and not all(map(_is_finite, activations)):
            self._why = "one of two activations holds NaN or infinite values, and a zero times such is NaN"
            return None, False
        seen_first = form.op == "convolution" and not backward and self._origins.is_input(streamed)
        functional = aten.functional(called.operator.func)
        expected = functional(**arguments) if pruned or called.operator.is_mutable else called.run()
        results = list(expected) if isinstance(expected, tuple) else [expected]
        if any(tensor is not None and not aten.stored(tensor).numel() for tensor in (*operands.values(), results[0])):
            return aten.write(into, expected), False  # no work
        arithmetic = Arithmetic(
            self._numerics,
            form,
            arguments,
            static,
            place.name,
            backward,
            where,
            self._keep,
            self._lay_out,
            multiplied=self.settings.values == "events",
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
            return None, False
        self._origins.task_begins()
        reference = arithmetic.reference(functional, expected, gathered=any(map(_gathers, products.values())))
        for number, several in products.items():
            for product in several if isinstance(several, tuple) else (several,):
                if backward and product.task.part == "forward":
                    product = replace(product, task=replace(product.task, part=_gradient_of(product)))
                results[number] = self._part(form.op, product, arithmetic, reference[number], results[number], place, pruned)
        return aten.write(into, tuple(results) if isinstance(expected, tuple) else results[0]), True

    def _part(
        self,
        op: str,
        product: Product,
        arithmetic: Arithmetic,
        reference: torch.Tensor,
        result: torch.Tensor,
        place: Place,
        pruned: int,
    ) -> torch.Tensor:
        """Run one product of a call; return the call's result with what this product gives of it."""
        parameter = self._origins.parameter(product, place)
        gives = product.gives
        if gives is None:
            return self._devices.multiply(ProductCall(op, product, place, pruned, arithmetic, reference, result, parameter))
        part = ProductCall(op, product, place, pruned, arithmetic, reference[gives], result[gives], parameter)
        result = result.clone()
        result[gives] = self._devices.multiply(part)
        return result

    def _without_products(self, call: OperatorCall, marks: dict[int, int], place: Place) -> tuple[Any, bool, bool]:
        """Let PyTorch compute an operator, and record it.

        Returns the result, whether it multiplies and accumulates all the same, and whether it runs in a product's pipeline.
        """
        operator, tensors = call.operator, call.tensors
        form = operator.vector_form
        every = 0
        for mark in marks.values():
            every |= mark
        if form is None or every & Mark.ELSEWHERE:
            beforehand = bool(tensors) and not every & Mark.STREAMED
            result = call.run()
            if beforehand or call.is_free(result):  # from parameters alone, or at no cost
                return result, False, False
            return result, self._other(call, result, place), False
        if form.beside or operator.is_mutable:
            tensors = aten.tensors_in([value for name, value in call.arguments.items() if name not in form.beside])
        operands = self._vector_work.operands(tensors, marks, place)
        before = form.reads(VectorCall(call, operands, ())) if operator.is_mutable else ()
        events = count_nonzeros(before) if before else None  # in place, it overwrites what it reads
        result = call.run()
        if not operands or call.is_free(result):
            return result, False, False
        if operator.form is not None and other_macs(operator.func, call.args, call.kwargs, result):
            return result, self._other(call, result, place), False  # it multiplies, and could not as events
        vector_call = VectorCall(call, operands, aten.values_of(result))
        if self._vector_work.is_step(vector_call, place):
            return result, False, False
        taken = form.reads(vector_call)
        activations = count_elements(taken)
        task = _vector_task(
            form.op or operator.name,
            form.elements(activations, vector_call),
            sum(map(torch.Tensor.numel, vector_call.results)),
            place.name,
            "forward" if torch._C._current_autograd_node() is None else "input_gradient",
        )
        if not task.elements:
            return result, False, False
        pipelined = form.elementwise and len(operands) == 1 and self._origins.is_in_pipeline(operands[0])
        self._vector_work.charge(task, place, activations, count_nonzeros(taken) if events is None else events, pipelined)
        return result, False, pipelined

    def _other(self, call: OperatorCall, result: Any, place: Place) -> bool:
        """Record an operator that PyTorch computed; return whether it multiplies and accumulates."""
        name = call.operator.name
        macs = other_macs(call.operator.func, call.args, call.kwargs, result)
        if self.settings.strict:
            raise UnsupportedError(
                f"{self.where}: operator {name!r} in {place.name or 'the program'} has no event form, expected only operators "
                "that have one because strict=True. Run with strict=False to count it as other."
            )
        self._origins.task_begins()
        self._devices.other(name, place, macs, self._why)
        return macs > 0

    def _lay_out(self, tensor: torch.Tensor, layout: Hashable, lay_out: Callable[[Operand], Weights]) -> Weights:
        if not self._origins.is_static(tensor):
            require_finite(tensor, self._origins.name(tensor))
            return lay_out(as_array(tensor))
        return self._weights.get(tensor, layout, lay_out)

    def _keep(self, tensor: torch.Tensor, what: Hashable, make: Callable[[], Rounded]) -> Rounded:
        if not self._origins.is_static(tensor):
            return make()
        return self._weights.keep(tensor, what, make)


_vector_task = lru_cache(maxsize=4096)(VectorTask)  # steps of a loop make the same ones


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
        As in `eventnet.simulate`: engine, values, numerics, threshold, first_layer, offchip, leading, trace, strict,
        progress.

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
    with explain_limits("eventnet.watch"), Watcher(machines, compared, settings) as watcher:
        yield watcher


def settings_of(where: str, flags: dict[str, Any], without: Sequence[str] = ()) -> Settings:
    """Make checked settings of keyword arguments; an error's sentence does not offer some of them."""
    known = Settings().as_dict()
    for name in flags:
        if name not in known:
            offered = ", ".join(sorted(known.keys() - set(without)))
            raise ParameterError(f"{where}: there is no argument {name!r}, expected one of {offered}.")
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
    if product.gathered_from is not None:
        return "input_gradient"
    batched = node is not None and "Bmm" in node.name()
    return "weight_gradient" if product.task.two_activations and not batched else "input_gradient"


def _gathers(product: Product | tuple[Product, ...]) -> bool:
    return isinstance(product, tuple) or product.gathered_from is not None


def _prune(tensor: torch.Tensor, threshold: float) -> tuple[torch.Tensor, int]:
    """Return a tensor without the values of smaller magnitude than a threshold, and how many were dropped."""
    small = (tensor.abs() < threshold) & (tensor != 0)
    return tensor.masked_fill(small, 0), int(small.sum())


def _is_finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(aten.stored(tensor)).all())
