"""A block of two layers around an activation, beside a connection past it, trained with a penalty on what is active."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

HIDDEN = 256


class Block(nn.Module):
    def __init__(self, activation: Callable[[Tensor], Tensor], penalty: float) -> None:
        super().__init__()
        self.activation, self.penalty = activation, penalty
        self.up, self.down, self.last = nn.Linear(64, HIDDEN), nn.Linear(HIDDEN, 64), nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(images + self.down(self.activation(self.up(images))))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(images), labels) + self.penalty * self.activation(self.up(images)).mean()


def trained(activation: Callable[[Tensor], Tensor], penalty: float, images: Tensor, labels: Tensor) -> Block:
    """Train on digits, from the same first weights each time."""
    torch.manual_seed(0)
    model = Block(activation, penalty)
    train(model, model.loss, images, labels, epochs=8, batch=128, rate=5e-3)
    return model
