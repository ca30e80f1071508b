"""A convolutional network that tells, for each cell of a frame, whether it shows bricks, grass or gravel.

The photographs are scikit-image's. Frames are mosaics of blocks from some of their rows: what a network is trained on, what
penalties are chosen by, and what is reported on are different rows.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training import fit

from eventnet import models

CELL, SIZE = 4, 512  # an output of the network is a cell of 4 x 4 pixels
TRAINING, VALIDATION, TEST = range(256), range(256, 384), range(384, SIZE)  # rows of the photographs
STEPS, MORE_STEPS, BATCH = 150, 40, 16


class Ground(nn.Sequential):
    """Frames (N, 1, H, W) in, logits of three grounds (N, 3, H / 4, W / 4) out."""

    def __init__(self) -> None:
        widths = ((1, 32, 6, CELL), (32, 64, 3, 1), (64, 64, 3, 1), (64, 64, 3, 1))
        layers = [(nn.Conv2d(*width, padding=1), nn.ReLU()) for width in widths]
        super().__init__(*(one for layer in layers for one in layer), nn.Conv2d(64, 3, 1))
        for convolution in list(self)[::2]:
            nn.init.kaiming_normal_(convolution.weight)

    def loss(self, seen: Tensor, grounds: Tensor, penalty: float) -> Tensor:
        active = 0.0
        for layer in self:
            seen = layer(seen)
            active = active + seen.mean() if isinstance(layer, nn.ReLU) else active
        return F.cross_entropy(seen, grounds) + penalty * active

    def accuracy(self, frames: Tensor, grounds: Tensor) -> float:
        """Return the percentage of cells whose ground is told right."""
        return 100 * float((self(frames).argmax(1) == grounds).float().mean())


def mosaics(count: int, rows: range, size: int, block: int) -> tuple[Tensor, Tensor]:
    """Put random blocks from some rows side by side: frames (count, 1, size, size), and the ground of each of their cells."""
    photographs = torch.cat([models.photo(name, size=SIZE)[:, 0] for name in ("brick", "grass", "gravel")])
    shape = (count, size // block, size // block)
    kinds, left = torch.randint(len(photographs), shape), torch.randint(SIZE - block, shape)
    top = torch.randint(rows[0], rows[-1] + 1 - block, shape)
    down, right = (first[..., None] + torch.arange(block) for first in (top, left))
    blocks = photographs[kinds[..., None, None], down[..., :, None], right[..., None, :]]
    grounds = kinds.repeat_interleave(block // CELL, 1).repeat_interleave(block // CELL, 2)
    return blocks.transpose(2, 3).reshape(count, 1, size, size), grounds


def trained(*penalties: float) -> dict[float, Ground]:
    """Return a network for each penalty on activations; they are trained together without any, then apart for a while."""
    torch.manual_seed(0)
    images, grounds = mosaics(600, TRAINING, size=32, block=32)
    images, batches, plain, networks = images.double(), torch.randint(len(images), (STEPS + MORE_STEPS, BATCH)), Ground(), {}
    fit(plain, lambda step: plain.loss(images[batches[step]], grounds[batches[step]], 0.0), STEPS, 3e-3)
    for penalty in penalties:
        network = networks[penalty] = deepcopy(plain).requires_grad_()
        fit(network, lambda step: network.loss(images[batches[~step]], grounds[batches[~step]], penalty), MORE_STEPS, 2e-3)  # noqa: B023  # called before the next
    return networks
