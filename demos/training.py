"""What the demos share of training: an ordinary loop with Adam.

Training is in double precision: processors add in different orders, and the differences stay too small to tell the trained
networks apart once they are float32 again. So every machine prints the same numbers, nearly. One thread is enough for them.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def fit(model: nn.Module, loss: Callable[[int], Tensor], steps: int, rate: float) -> None:
    """Minimise ``loss(number of the step)`` with Adam and a rate that falls to zero."""
    torch.set_num_threads(1)
    optimiser = torch.optim.Adam(model.double().train().parameters(), lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)
    with torch.enable_grad():
        for number in range(steps):
            optimiser.zero_grad()
            loss(number).backward()
            optimiser.step()
            schedule.step()
    model.float().eval().requires_grad_(False)


def train(
    model: nn.Module, loss: Callable[..., Tensor], *data: Tensor, epochs: int, batch: int = 64, rate: float = 3e-3
) -> None:
    """Minimise ``loss(*data of a batch)`` over samples in a random order, the same on every machine."""
    data = tuple(one.double() if one.is_floating_point() else one for one in data)
    generator = torch.Generator().manual_seed(0)
    orders = [torch.randperm(len(data[0]), generator=generator).split(batch) for _ in range(epochs)]
    batches = [chosen for order in orders for chosen in order]
    fit(model, lambda number: loss(*(one[batches[number]] for one in data)), len(batches), rate)
