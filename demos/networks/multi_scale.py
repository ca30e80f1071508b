"""A multi-scale network with an exit after every stage, in the manner of MSDNet and BranchyNet.

G. Huang et al., "Multi-scale dense networks for resource efficient image classification", ICLR 2018; S. Teerapittayanon et
al., "BranchyNet: Fast inference via early exiting from deep neural networks", ICPR 2016.
"""

from collections.abc import Iterator

import torch
from data import Part, digits
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

FINE, COARSE = 4, 8  # channels that a stage adds at each scale


class Stage(nn.Module):
    """One more layer at both scales, each seeing all that the stages before made (dense connections), and an exit."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(FINE * (number + 1), FINE, 3, padding=1)
        self.down = nn.Conv2d(FINE, COARSE // 2, 3, padding=1, stride=2)
        self.coarse = nn.Conv2d(COARSE * (number + 1), COARSE // 2, 3, padding=1)
        self.exit = nn.Linear(COARSE * (number + 2) * 4, 10)

    def forward(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        new = F.relu(self.fine(fine))
        coarse = torch.cat([coarse, F.relu(self.down(new)), F.relu(self.coarse(coarse))], 1)
        return torch.cat([fine, new], 1), coarse, self.exit(F.max_pool2d(coarse, 2).flatten(1))


class MultiScale(nn.Module):
    """Digits of 8x8 in, the logits of one exit after the other out."""

    def __init__(self, stages: int = 3) -> None:
        super().__init__()
        self.fine = nn.Conv2d(1, FINE, 3, padding=1)
        self.coarse = nn.Conv2d(FINE, COARSE, 3, padding=1, stride=2)
        self.stages = nn.ModuleList(Stage(number) for number in range(stages))

    def exits(self, image: Tensor) -> Iterator[Tensor]:
        fine = F.relu(self.fine(image))
        coarse = F.relu(self.coarse(fine))
        for stage in self.stages:
            fine, coarse, logits = stage(fine, coarse)
            yield logits

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return torch.stack([F.cross_entropy(logits, labels) for logits in self.exits(images)]).sum()


def leaving(network: MultiScale, images: Tensor, labels: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
    """Say at which exit each image leaves, and whether it does so with the right answer."""
    exits = torch.stack([logits.softmax(1) for logits in network.exits(images)])
    leaves = (exits.amax(2) >= threshold).index_fill(0, torch.tensor([len(exits) - 1]), True)
    depths = leaves.int().argmax(0)
    return depths + 1, (exits.argmax(2) == labels).gather(0, depths[None])[0]


def trained() -> tuple[MultiScale, Part, Part]:
    """Return a network trained on scikit-learn's digits, and those to choose on and to report on."""
    torch.manual_seed(0)
    network = MultiScale()
    known, choose, report = digits(size=8)
    train(network, network.loss, *known, epochs=8, batch=64, rate=1e-2)
    return network, choose, report
