"""Reductions, running sums and losses take each element once."""

import pytest
import torch
import torch.nn.functional as F

ROWS = torch.randn(5, 9, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    "program",
    [
        torch.sum, torch.mean, torch.amax, torch.std, torch.var, torch.prod, torch.argmax, torch.logsumexp, torch.cumsum,
        torch.cumprod, torch.cummax, torch.linalg.vector_norm, torch.any, torch.max, torch.min,
    ],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_a_reduction_takes_each_element_once(vector_work, program):
    assert vector_work(lambda value: program(value, dim=1), ROWS)[0][1] == 45


def test_cross_entropy_is_a_softmax_and_a_loss_of_what_it_gives(vector_work):
    labels = torch.zeros(5, dtype=torch.long)
    assert vector_work(F.cross_entropy, ROWS, labels) == [("softmax", 45), ("nll_loss_forward", 45 + 5)]
