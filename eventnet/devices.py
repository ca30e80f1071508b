"""The machines of one run, side by side: each does every task in its own time, and keeps its own record of it."""

from collections.abc import Hashable, Sequence

import torch

from eventnet.agreement import Verdict, judge
from eventnet.arithmetic import Arithmetic
from eventnet.device import Device, Host, Work
from eventnet.modules import Place
from eventnet.numerics import Total
from eventnet.product import Product
from eventnet.record import Record
from eventnet.recording import pipelined_record, product_record, vector_record
from eventnet.run import Run
from eventnet.settings import Settings
from hwmodel.frozen import frozen
from hwmodel.machine import Machine
from hwmodel.offchip import Parameter
from hwmodel.products import multiply_all
from hwmodel.vector import VectorTask
from scheduler.trace import Span, Trace


@frozen
class ProductCall:
    """One product of an operator call, with all that is needed to judge and record it.

    Attributes
    ----------
    op, product, place
        The operator, its task, and the module it belongs to.
    pruned
        How many activations a threshold dropped.
    arithmetic
        The numerics of the call.
    reference, like
        What PyTorch computes on the numbers of the hardware, and on the program's own, whose type and shape flow on.
    parameter
        The static operand as a weight memory knows it.
    """

    op: str
    product: Product
    place: Place
    pruned: int
    arithmetic: Arithmetic
    reference: torch.Tensor
    like: torch.Tensor
    parameter: Parameter


class Devices:
    """Some machines (or none: None stands for PyTorch alone), a baseline to compare with, and a run for each machine.

    Attributes
    ----------
    runs
        One for each machine, filled task by task.
    ticks
        How long the first machine has worked.
    """

    def __init__(
        self, machines: Sequence[Machine | None], baseline: Machine | None, settings: Settings, host: Host | None = None
    ) -> None:
        self._multiply = settings.values == "events"
        flags = settings.as_dict()
        self.runs = [Run(machine, baseline, flags, trace=Trace(settings.traces_jobs)) for machine in machines]
        self._devices = [_device(machine, settings, run.trace, host) for machine, run in zip(machines, self.runs, strict=True)]
        self._baseline = _device(baseline, settings)
        every = [device for device in (*self._devices, self._baseline) if device is not None]
        self._repeats = all(device.repeats_itself for device in every)
        self._vectors: dict[Hashable, list[tuple[Record, Span | None]]] = {}  # what vector tasks took, by size and part
        self._pipelined: dict[tuple[str, str], Record] = {}  # the same of what takes no time
        self._timing = [device for device in self._devices if device is not None]
        self._timed_runs = [run for run in self.runs if run.machine is not None]
        self.ticks = 0

    def multiply(self, asked: ProductCall) -> torch.Tensor:
        """Run a product on every machine, judge and record it; return what flows on: the first machine's result."""
        product, arithmetic, place = asked.product, asked.arithmetic, asked.place
        judged, expected = arithmetic.judged(product), arithmetic.expected(product, asked.reference)
        flows_on: Total | None = None

        def one(device: Device | None) -> tuple[Work | None, Verdict | None]:
            nonlocal flows_on
            work = None
            if device is not None:
                work = device.do(product.task, asked.parameter, self._multiply)
                products = work.outcome.products
            else:
                products = multiply_all(product.task, integers=True) if self._multiply else None
            if products is None:
                return work, None
            outputs = products.outputs
            assert outputs is not None
            actual = arithmetic.total(product, torch.from_numpy(outputs), expected)
            if flows_on is None:
                flows_on = actual
            on = f" on {device.machine.name}" if device is not None else ""
            return work, judge(judged, products, actual.values, expected.values, place.name, asked.op + on)

        works = [(device, *one(device if device and not device.cannot_map(product.task) else None)) for device in self._devices]
        baseline = self._baseline if self._baseline and not self._baseline.cannot_map(product.task) else None
        of_baseline = baseline, *(one(baseline) if baseline is not None else (None, None))
        result, rounding = arithmetic.finish(product, expected if flows_on is None else flows_on, asked.like)
        for run, (device, work, verdict) in zip(self.runs, works, strict=True):
            record = product_record(asked.op, product, place, asked.pruned, rounding, device, work, verdict, *of_baseline)
            run.add(record, run.trace.spans[-1] if work is not None and run.trace is not None else None)
        self.ticks += self.runs[0].records[-1].ticks
        return result

    def vector(self, task: VectorTask, place: Place, activations: int, events: int) -> None:
        """Let a vector operation take its time on every machine, and record it."""
        size = *task.size, task.part
        known = self._vectors.get(size)
        again = known is not None
        if known is None:
            known = self._do_vector(task)
            if self._repeats:
                self._vectors[size] = known
        for run, (record, span) in zip(self._timed_runs, known, strict=True):
            if again and span is not None and run.trace is not None:
                run.trace.repeat(span)
            run.add(record.of_call(place.name, place.call, activations, events), span)
        if self.runs[0].machine is not None:
            self.ticks += known[0][0].ticks

    def _do_vector(self, task: VectorTask) -> list[tuple[Record, Span | None]]:
        """Do a vector task on every machine; return its record on each, and its part of the trace if it could be done."""
        baseline = self._baseline if self._baseline and not self._baseline.cannot_map(task) else None
        baseline_work = baseline.do(task) if baseline is not None else None
        done = []
        for device in self._timing:
            work = None if device.cannot_map(task) else device.do(task)
            span = device.trace.spans[-1] if work is not None and device.trace is not None else None
            done.append((vector_record(task, device, work, baseline, baseline_work), span))
        return done

    def pipelined(self, task: VectorTask, place: Place, activations: int, events: int) -> None:
        """Record an element-wise function of a product that runs in the last stage of that product's pipeline."""
        known = self._pipelined.get((task.op, task.part))
        if known is None:
            known = self._pipelined[task.op, task.part] = pipelined_record(task, self._baseline)
        record = known.of_call(place.name, place.call, activations, events)
        for run in self._timed_runs:
            run.records.append(record)

    def other(self, op: str, place: Place, macs: int, why: str = "") -> None:
        """Record an operator that has no form, which PyTorch computed; if it could have had one, say why not."""
        for run in self.runs:
            run.records.append(Record(place.name, op, call=place.call, timed=False, macs=macs, why=why))

    def unwatched(self) -> None:
        """Count a tensor that nothing watched has made."""
        for run in self.runs:
            run.unwatched += 1


def _device(machine: Machine | None, settings: Settings, trace: Trace | None = None, host: Host | None = None) -> Device | None:
    return None if machine is None else Device(machine, settings.engine, settings.offchip, trace, host)
