"""A multi-scale network with an exit after every stage, in the manner of MSDNet and BranchyNet.

G. Huang et al., "Multi-scale dense networks for resource efficient image classification", ICLR 2018; S. Teerapittayanon et
al., "BranchyNet: Fast inference via early exiting from deep neural networks", ICPR 2016.
"""

from collections.abc import Iterator

import torch
from data import digits
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


def trained() -> tuple[MultiScale, list[tuple[Tensor, int]]]:
    """Return a network trained on scikit-learn's digits, and every seventh of the held-out digits with its label."""
    torch.manual_seed(0)
    network = MultiScale()
    images, labels, test_images, test_labels = digits(size=8)
    train(network, network.loss, images, labels, epochs=4, batch=64, rate=2e-2)
    return network, [(image[None], int(label)) for image, label in zip(test_images[::7], test_labels[::7], strict=True)]
