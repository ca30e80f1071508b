"""Make the record of a product: what is a property of the tensors, and what a machine took for it."""

from dataclasses import asdict
from typing import Any

from eventnet.agreement import Verdict
from eventnet.arithmetic import Rounding
from eventnet.call import Form
from eventnet.device import Device, Work
from eventnet.modules import Place
from eventnet.product import Product
from eventnet.record import Record


def record_of(
    form: Form,
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
        "op": form.op,
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
        **asdict(rounding),
        "verdict": verdict,
        "baseline_verdict": baseline_verdict,
    }
    if work is None or device is None:
        why = (device.cannot_map(task) or "") if device is not None else ""
        return Record(timed=False, why=why, **properties)
    outcome = work.outcome
    if baseline is not None and baseline_work is not None:
        baseline_seconds = baseline_work.ticks / baseline.machine.clock_hz
        properties |= {
            "baseline_ticks": baseline_work.ticks,
            "baseline_pj": baseline_work.dynamic_pj + baseline_work.static_pj + baseline_work.offchip_pj,
            "baseline_dynamic_pj": baseline_work.dynamic_pj,
            "baseline_static_pj": baseline_work.static_pj,
            "speedup": baseline_seconds / (work.ticks / device.machine.clock_hz) if work.ticks else None,
        }
    return Record(
        **properties,
        executed_macs=outcome.ledger.executed_macs,
        ticks=work.ticks,
        lanes=outcome.busy_ticks.size,
        busy_ticks=int(outcome.busy_ticks.sum()),
        useful_ticks=outcome.useful_ticks,
        stall_ticks=work.stall_ticks,
        idle_ticks=work.idle_ticks,
        dynamic_pj=work.dynamic_pj,
        static_pj=work.static_pj,
        offchip_pj=work.offchip_pj,
        onchip_bytes=work.onchip_bytes,
        offchip_bytes=work.offchip_bytes,
        offchip_seconds=work.offchip_seconds,
        bound=work.bound,
        ledger=outcome.ledger,
    )
