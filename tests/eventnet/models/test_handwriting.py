import re
import sys

import pytest
import torch

from eventnet import models
from hwmodel.errors import DataError


def test_every_sample_is_either_for_training_or_held_out():
    train_images, train_labels, test_images, test_labels = models.digits()
    assert train_images.shape == (1442, 1, 32, 32)
    assert test_images.shape == (355, 1, 32, 32)
    assert (train_labels.shape, test_labels.shape) == ((1442,), (355,))
    rows = torch.cat([train_images, test_images]).flatten(1)
    assert len(torch.unique(rows, dim=0)) == 1797


def test_images_are_float32_from_zero_to_one_with_an_exactly_black_background():
    images = models.digits()[0]
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (0, 1)
    assert (images == 0).float().mean() > 0.25


def test_every_digit_is_held_out_as_often_as_it_occurs():
    _, train_labels, _, test_labels = models.digits()
    assert test_labels.dtype == torch.int64
    for digit in range(10):
        occurs = int((train_labels == digit).sum() + (test_labels == digit).sum())
        assert int((test_labels == digit).sum()) == occurs // 5


def test_the_split_is_the_same_every_time():
    first, again = models.digits(), models.digits()
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    message = (
        "eventnet.models.digits: scikit-learn is not installed, expected it for its handwritten digits. "
        "Run: pip install 'eventnet[data]'."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        models.digits()
