"""Run random networks on a machine and hold the outcome against PyTorch and against itself."""

import os
from collections import Counter

import torch
from generated import Network
from hypothesis import HealthCheck, settings

import eventnet
import hwmodel
from eventnet.run import Run

FUZZ = int(os.environ.get("EVENTNET_FUZZ", "0"))
EXAMPLES = FUZZ or 1000
SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not FUZZ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    print_blob=True,
)

# Few lanes and filters at once, so that small layers have several bricks a lane and several passes.
SIZES = {"lanes": 4, "units": 2, "filters_per_unit": 2}
MACHINES = hwmodel.load("cnvlutin", brick=4, **SIZES), hwmodel.load("dadiannao", **SIZES)


def count(network: Network, drawn: Counter[str]) -> None:
    names = [name for name, _ in network.steps]
    drawn["networks"] += 1
    drawn["six operators or more"] += len(names) >= 6
    drawn["a residual path or a module used twice"] += bool({"residual", "twice"} & set(names))
    drawn["a backward pass"] += network.backward
    drawn[f"numerics {network.numerics}"] += 1
    drawn[f"{network.dtype}".removeprefix("torch.")] += 1
    drawn[f"density {network.density}"] += 1
    drawn.update(f"step {name}" for name in names)


def check_variety(drawn: Counter[str]) -> str:
    """Assert that half of the networks are long, and a quarter each has what is hard; return the distribution in words."""
    total = drawn["networks"]
    assert drawn["six operators or more"] >= total / 2
    assert drawn["a residual path or a module used twice"] >= total / 4
    assert drawn["a backward pass"] >= total / 4
    shares = (f"{name} {number / total:.0%}" for name, number in drawn.most_common() if name != "networks")
    return f"{total} networks: {', '.join(shares)}"


def run(network: Network) -> tuple[list[torch.Tensor], list[torch.Tensor], Run]:
    """Run a network, backward too if it is wanted; return PyTorch's results, ours, and the run."""
    sample = network.build()

    def program() -> list[torch.Tensor]:
        leaf = sample.clone().requires_grad_(network.backward)
        output = network(leaf)
        wanted = [leaf, *network.modules.parameters()]
        if not network.backward or not output.requires_grad or not output.numel():
            return [output.detach()]
        gradients = torch.autograd.grad(output.sum(), wanted, allow_unused=True)
        return [output.detach(), *(one for one in gradients if one is not None)]

    expected = program()
    machine = MACHINES[network.seed % 2]
    with eventnet.watch(machine=machine, progress=False, strict=True, numerics=network.numerics) as watcher:
        found = program()
    return expected, found, watcher.run


def strides(tensor: torch.Tensor) -> list[int]:
    """Return the strides that matter: a dimension of one element may have any."""
    return [stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if size > 1]


def check_accounts(found: Run) -> None:
    """Assert what must hold of every run, whatever was run."""
    assert found.agreement, f"{found.agreement}"
    assert found.unwatched == 0
    assert found.coverage == 1
    for record in found.timed_records:
        assert record.effectual_macs <= record.macs - record.zero_macs
        assert record.busy_ticks + record.stall_ticks + record.idle_ticks == record.lanes * record.ticks
        assert sum(record.lane_ticks.values()) == record.lanes * record.ticks
        assert record.executed_macs == record.ledger.executed_macs
