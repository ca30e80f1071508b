"""Answers that minimise a scalar energy, found by back-propagation inside inference."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH, MOST, RATE = 32, 20, 0.2


class Energy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.see, self.weigh = nn.Linear(64, WIDTH), nn.Linear(10, WIDTH, bias=False)
        self.flat = 0.2  # the slope at which to stop

    def energy(self, seen: Tensor, answer: Tensor) -> Tensor:
        return (F.relu(seen + self.weigh(answer)).square().sum() + answer.square().sum()) / 2

    def forward(self, images: Tensor) -> tuple[Tensor, int]:
        seen, answer, steps, flat = self.see(images), images.new_zeros(len(images), 10), 0, False
        while steps < MOST and not flat:
            with torch.enable_grad():
                answer = answer.requires_grad_()
                (slope,) = torch.autograd.grad(self.energy(seen, answer), answer, create_graph=self.training)
            answer, steps = answer - RATE * slope, steps + 1
            flat = bool(slope.abs().max() < self.flat)
        return answer, steps

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(3 * self(images)[0], labels)
