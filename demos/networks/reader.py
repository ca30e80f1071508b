"""Small networks that read handwritten digits, for devices: a convolutional one, and one that is much smaller still."""

import torch
from data import digits
from torch import Tensor, nn
from torch.nn import functional as F
from training import train

SIZE = 16


class Reader(nn.Sequential):
    """Digits of 16x16 in, logits out."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(32 * (SIZE // 4) ** 2, 10),
        )

    @property
    def weight_bytes(self) -> int:
        """Give the size of all parameters, of 16 bits each."""
        return 2 * sum(parameter.numel() for parameter in self.parameters())

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(images), labels)


class LittleReader(nn.Sequential):
    """Digits of 4x4, flat, in, logits out."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 10))

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self(images), labels)


def trained() -> tuple[Reader, list[tuple[Tensor, int]]]:
    """Return a network trained on scikit-learn's digits, and every fourth of the digits to report on with its label."""
    torch.manual_seed(0)
    network = Reader()
    (images, labels), _, (test_images, test_labels) = digits(size=SIZE)
    train(network, network.loss, images, labels, epochs=4, batch=64, rate=1e-2)
    return network, [(image[None], int(label)) for image, label in zip(test_images[::4], test_labels[::4], strict=True)]
