"""Look-ups: an index is an event, and only the rows that are touched cost anything."""

import pytest
import torch
from torch import nn

import eventnet
import hwmodel

INDICES = torch.tensor([[1, 2, 2], [4, 9, 0]])


def test_embeddings_agree_under_every_grad_mode():
    table = nn.Embedding(10, 5, padding_idx=4)
    for grad_mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with grad_mode():
            for run in eventnet.simulate(table, INDICES, machine=list(hwmodel.machines()), strict=True):
                assert run.agreement
                assert torch.equal(run.outputs, table(INDICES))


def test_an_index_is_an_event_and_costs_the_same_in_a_table_of_any_size():
    small, large = (eventnet.simulate(nn.Embedding(rows, 300), INDICES).records[0] for rows in (10, 10_000))
    assert small.op == "embedding"
    assert (small.activations, small.events, small.macs) == (6, 6, 6 * 300)
    assert small.ticks == large.ticks == 6 * 2  # 300 columns are two passes over 256 filters
    assert small.dynamic_pj == large.dynamic_pj


def test_of_a_table_that_does_not_fit_only_the_rows_that_are_touched_are_read():
    tiny = hwmodel.load("cnvlutin", synapse_bytes_per_unit=1)
    record = eventnet.simulate(nn.Embedding(1000, 8), INDICES, machine=tiny).records[0]
    assert record.offchip_bytes == 6 * 8 * 2


@pytest.mark.parametrize("mode", ["sum", "mean"])
@pytest.mark.parametrize("offsets", [[0, 2, 2, 5], [0, 6], [0]], ids=str)
def test_bags_agree(mode, offsets):
    bags = nn.EmbeddingBag(10, 5, mode=mode, padding_idx=4)
    run = eventnet.simulate(bags, INDICES.flatten(), torch.tensor(offsets), strict=True)
    assert run.agreement
    assert run.macs == 5 * 5  # the index of padding is no event
    torch.testing.assert_close(run.outputs, bags(INDICES.flatten(), torch.tensor(offsets)))


def test_bags_with_a_last_offset_and_weights_agree_forward_and_backward():
    bags = nn.EmbeddingBag(10, 5, mode="sum", include_last_offset=True)
    offsets, weights = torch.tensor([0, 2, 6]), torch.rand(6, generator=torch.Generator().manual_seed(1)).requires_grad_()

    def gradients():
        loss = bags(INDICES.flatten(), offsets, weights).square().sum()
        return torch.autograd.grad(loss, [bags.weight, weights])

    expected = gradients()
    with eventnet.watch(strict=True) as watcher:
        found = gradients()
    assert watcher.run.agreement
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    assert [record.part for record in watcher.run.product_records if record.part != "forward"] == ["weight_gradient"]


def test_the_largest_of_a_bag_is_vector_work_on_the_rows_that_are_touched():
    run = eventnet.simulate(nn.EmbeddingBag(10, 5, mode="max"), INDICES, strict=True)
    assert [(record.op, record.activations) for record in run.records] == [("pool", 6 * 5)]


def test_backward_of_an_embedding_scatters_the_gradients():
    table = nn.Embedding(10, 5)
    with eventnet.watch(strict=True) as watcher:
        table(INDICES).square().sum().backward()
    scattered = [record for record in watcher.run.records if record.op == "scatter"]
    assert [record.activations for record in scattered] == [6 * 5]
