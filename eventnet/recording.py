"""Make the record of a task: what is a property of the tensors, and what a machine took for it."""

from typing import Any

from eventnet.agreement import Verdict
from eventnet.arithmetic import AS_IT_IS, Rounding
from eventnet.device import Device, Work
from eventnet.modules import Place
from eventnet.product import Product
from eventnet.record import Record
from hwmodel.task import Task
from hwmodel.vector import VectorTask


def product_record(
    op: str,
    product: Product,
    place: Place,
    pruned: int,
    rounding: Rounding,
    device: Device | None,
    work: Work | None,
    verdict: Verdict | None,
    baseline: Device | None,
    baseline_work: Work | None,
    baseline_verdict: Verdict | None,
) -> Record:
    """Return the record of one product on one device; without ticks if there is no device or it cannot map the task."""
    task = product.task
    properties: dict[str, Any] = {
        "name": place.name,
        "op": op,
        "part": task.part,
        "call": place.call,
        "convolution": task.kind == "convolution",
        "first_layer": task.first_layer,
        "macs": task.macs,
        "effectual_macs": task.effectual_macs,
        "activations": task.activation_count,
        "events": task.events,
        "pruned": pruned,
        "zero_macs": task.zero_macs,
        **({} if rounding is AS_IT_IS else vars(rounding)),
        "verdict": verdict,
        "baseline_verdict": baseline_verdict,
    }
    properties.update(_taken(task, device, work, baseline, baseline_work))
    return Record(**properties)


def vector_record(
    task: VectorTask, device: Device, work: Work | None, baseline: Device | None, baseline_work: Work | None
) -> Record:
    """Return the record of vector work of one size on one device, before it is known whose; see `Record.of_call`.

    It has no ticks if the machine has no unit for such work.
    """
    taken = _taken(task, device, work, baseline, baseline_work)
    return Record(name="", op=task.op, part=task.part, vector=True, **taken)


def pipelined_record(task: VectorTask, baseline: Device | None) -> Record:
    """Return the record of element-wise functions that take no ticks, on the machine and on the baseline; see above."""
    compared: dict[str, Any] = {"baseline_ticks": 0, "baseline_pj": 0.0, "baseline_dynamic_pj": 0.0, "baseline_static_pj": 0.0}
    return Record(name="", op=task.op, part=task.part, vector=True, **(compared if baseline is not None else {}))


def _taken(
    task: Task | VectorTask, device: Device | None, work: Work | None, baseline: Device | None, baseline_work: Work | None
) -> dict[str, Any]:
    """Return what a task took, by the fields of a record."""
    if work is None or device is None:
        return {"timed": False, "why": (device.cannot_map(task) or "") if device is not None else ""}
    compared: dict[str, Any] = {}
    if baseline is not None and baseline_work is not None:
        baseline_seconds = baseline_work.ticks / baseline.machine.clock_hz
        compared = {
            "baseline_ticks": baseline_work.ticks,
            "baseline_pj": baseline_work.dynamic_pj + baseline_work.static_pj + baseline_work.offchip_pj,
            "baseline_dynamic_pj": baseline_work.dynamic_pj,
            "baseline_static_pj": baseline_work.static_pj,
            "speedup": baseline_seconds / (work.ticks / device.machine.clock_hz) if work.ticks else None,
        }
    outcome = work.outcome
    return {
        **compared,
        "executed_macs": outcome.ledger.executed_macs,
        "ticks": work.ticks,
        "lanes": outcome.busy_ticks.size,
        "busy_ticks": work.busy_ticks,
        "useful_ticks": outcome.useful_ticks,
        "stall_ticks": work.stall_ticks,
        "idle_ticks": work.idle_ticks,
        "dynamic_pj": work.dynamic_pj,
        "static_pj": work.static_pj,
        "offchip_pj": work.offchip_pj,
        "onchip_bytes": work.onchip_bytes,
        "offchip_bytes": work.offchip_bytes,
        "offchip_seconds": work.offchip_seconds,
        "bound": work.bound,
        "ledger": outcome.ledger,
    }
