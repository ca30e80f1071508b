"""Handwritten digits for the small networks: scikit-learn's 1,797, at LeNet-5's size."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from hwmodel.errors import DataError

SIZE = 32
LARGEST_PIXEL = 16

# Of each digit, every fifth sample is held out: no random draw, and the digits stay equally frequent on both sides.
HELD_OUT_EVERY = 5


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return scikit-learn's handwritten digits, split into training and held-out samples; nothing is downloaded.

    The 8x8 images are resized to 32x32 with bilinear interpolation, which keeps the black background exactly zero.

    Returns
    -------
    train_images, train_labels, test_images, test_labels : Tensor
        Images of shape (N, 1, 32, 32), float32 in [0, 1]; labels of shape (N,), int64 from 0 to 9. The split is always
        the same: every fifth sample of each digit is held out, 355 in all.

    Raises
    ------
    DataError
        If scikit-learn is not installed.

    Examples
    --------
    >>> train_images, train_labels, test_images, test_labels = digits()
    >>> len(train_images), len(test_images)
    (1442, 355)
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise DataError(
            "eventnet.models.digits: scikit-learn is not installed, expected it for its handwritten digits. "
            "Run: pip install 'eventnet[data]'."
        ) from None
    data = load_digits()
    pixels = torch.from_numpy(data.images).float()[:, None] / LARGEST_PIXEL
    images = F.interpolate(pixels, size=(SIZE, SIZE), mode="bilinear")
    labels = torch.from_numpy(data.target).long()
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for digit in np.unique(data.target):
        samples = np.flatnonzero(data.target == digit)
        held_out[samples[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]] = True
    return images[~held_out], labels[~held_out], images[held_out], labels[held_out]
