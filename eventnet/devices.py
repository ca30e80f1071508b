"""The machines of one run, side by side: each does every task in its own time, and keeps its own record of it."""

from collections.abc import Hashable, Sequence

import torch

from eventnet.agreement import Verdict, judge
from eventnet.call import Form
from eventnet.device import Device, Work
from eventnet.modules import Place
from eventnet.product import Product
from eventnet.record import Record
from eventnet.recording import pipelined_record, product_record, vector_record
from eventnet.run import Run
from eventnet.settings import Settings
from hwmodel.machine import Machine
from hwmodel.products import multiply_all
from hwmodel.vector import VectorTask


class Devices:
    """Some machines (or none: None stands for PyTorch alone), a baseline to compare with, and a run for each machine.

    Attributes
    ----------
    runs
        One for each machine, filled task by task.
    ticks
        How long the first machine has worked.
    """

    def __init__(self, machines: Sequence[Machine | None], baseline: Machine | None, settings: Settings) -> None:
        self._multiply = settings.values == "events"
        flags = settings.as_dict()
        self.runs = [Run(machine, baseline, flags) for machine in machines]
        self._devices = [_device(machine, settings) for machine in machines]
        self._baseline = _device(baseline, settings)
        self.ticks = 0

    def multiply(
        self,
        form: Form,
        product: Product,
        expected: torch.Tensor,
        place: Place,
        pruned: int,
        parameter: Hashable,
        parameter_bytes: int,
    ) -> torch.Tensor:
        """Run a product on every machine, judge and record it; return what flows on: the first machine's result.

        Parameters
        ----------
        form, product
            The operator and its task.
        expected
            What PyTorch computes for the same call.
        place, pruned
            Where it belongs, and how many activations a threshold dropped.
        parameter, parameter_bytes
            The static operand as a weight memory knows it.
        """
        flows_on: torch.Tensor | None = None

        def one(device: Device | None) -> tuple[Work | None, Verdict | None]:
            nonlocal flows_on
            work = None
            if device is not None:
                work = device.do(product.task, parameter, parameter_bytes, self._multiply)
                products = work.outcome.products
            else:
                products = multiply_all(product.task, integers=True) if self._multiply else None
            if products is None:
                return work, None
            outputs = products.outputs
            assert outputs is not None
            actual = torch.empty_like(expected).copy_(product.result(torch.from_numpy(outputs)))
            if flows_on is None:
                flows_on = actual
            on = f" on {device.machine.name}" if device is not None else ""
            return work, judge(product, products, actual, expected, place.name, form.op + on)

        works = [(device, *one(device if device and not device.cannot_map(product.task) else None)) for device in self._devices]
        baseline = self._baseline if self._baseline and not self._baseline.cannot_map(product.task) else None
        baseline_work, baseline_verdict = one(baseline) if baseline is not None else (None, None)
        for run, (device, work, verdict) in zip(self.runs, works, strict=True):
            record = product_record(
                form, product, place, pruned, device, work, verdict, baseline, baseline_work, baseline_verdict
            )
            run.records.append(record)
        self.ticks += self.runs[0].records[-1].ticks
        return expected if flows_on is None else flows_on

    def vector(self, task: VectorTask, place: Place, activations: int, events: int) -> None:
        """Let a vector operation take its time on every machine, and record it."""
        baseline = self._baseline if self._baseline and not self._baseline.cannot_map(task) else None
        baseline_work = baseline.do(task) if baseline is not None else None
        for run, device in zip(self.runs, self._devices, strict=True):
            if device is not None:
                work = None if device.cannot_map(task) else device.do(task)
                run.records.append(vector_record(task, place, activations, events, device, work, baseline, baseline_work))
        if self.runs[0].machine is not None:
            self.ticks += self.runs[0].records[-1].ticks

    def pipelined(self, task: VectorTask, place: Place, activations: int, events: int) -> None:
        """Record an element-wise function of a product that runs in the last stage of that product's pipeline."""
        for run in self.runs:
            if run.machine is not None:
                run.records.append(pipelined_record(task, place, activations, events, self._baseline))

    def other(self, op: str, place: Place, macs: int) -> None:
        """Record an operator that has no form, which PyTorch computed."""
        for run in self.runs:
            run.records.append(Record(place.name, op, call=place.call, timed=False, macs=macs))

    def unwatched(self) -> None:
        """Count a tensor that nothing watched has made."""
        for run in self.runs:
            run.unwatched += 1


def _device(machine: Machine | None, settings: Settings) -> Device | None:
    return None if machine is None else Device(machine, settings.engine, settings.offchip)
