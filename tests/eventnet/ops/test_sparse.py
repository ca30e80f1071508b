"""Sparse matrices times dense ones: a stored entry is an event, and nothing else is an operand."""

import pytest
import torch

import eventnet

GENERATOR = torch.Generator().manual_seed(3)
EDGES = torch.tensor([[0, 1, 0, 0, 2], [0, 0, 0, 0, 0], [3, 0, 1, 1, 0], [0, 0, 0, -1, 1]]).float()
FEATURES = torch.randn(5, 3, generator=GENERATOR)
LAYOUTS = {"coo": torch.Tensor.to_sparse, "csr": torch.Tensor.to_sparse_csr, "csc": torch.Tensor.to_sparse_csc}
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@layouts
def test_a_sparse_matrix_times_a_dense_one_agrees(agrees, layout):
    sparse = layout(EDGES)
    agrees(lambda features: torch.sparse.mm(sparse, features), FEATURES)
    agrees(lambda features: sparse @ features[:, 0], FEATURES)
    agrees(lambda features: torch.addmm(features[:4], sparse, features, beta=0.5, alpha=2.0), FEATURES)


def test_a_dense_matrix_times_a_sparse_one_agrees(agrees):
    sparse = EDGES.to_sparse_csr()
    agrees(lambda features: features[:4].t() @ sparse, FEATURES)


def test_an_entry_is_an_event_and_nothing_else_is_an_operand():
    sparse = EDGES.to_sparse_csr()
    run = eventnet.simulate(lambda features: sparse @ features, FEATURES, machine="dadiannao", strict=True)
    one_row_each = sorted((record.macs, record.ticks) for record in run.product_records)
    assert one_row_each == [(3 * 3, 1), (2 * 2 * 3, 2)]  # two rows of two entries, one of three; the empty row costs nothing
    assert run.macs == 7 * 3
    assert run.outputs[1].tolist() == [0, 0, 0]


def test_a_zero_feature_is_no_effectual_product():
    features = FEATURES.clone()
    features[0] = 0
    sparse = EDGES.to_sparse_csr()
    run = eventnet.simulate(lambda value: sparse @ value, features)
    assert sum(record.effectual_macs for record in run.records) == 6 * 3  # one entry reads the row of zeros


def test_duplicate_entries_are_two_events():
    matrix = torch.sparse_coo_tensor(torch.tensor([[0, 0], [1, 1]]), torch.tensor([2.0, 3.0]), (2, 2))
    run = eventnet.simulate(lambda value: torch.sparse.mm(matrix, value), torch.ones(2, 1))
    assert run.outputs.tolist() == [[5.0], [0.0]]
    assert sum(record.events for record in run.product_records) == 2 + 2  # two entries, and the row that both meet


def test_gradients_of_both_operands_agree():
    sparse, features = EDGES.to_sparse(), FEATURES

    def gradients():
        matrix, value = sparse.clone().requires_grad_(), features.clone().requires_grad_()
        return torch.autograd.grad(torch.sparse.mm(matrix, value).square().sum(), [matrix, value])

    expected = gradients()
    with eventnet.watch(strict=True) as watcher:
        found = gradients()
    assert watcher.run.agreement
    torch.testing.assert_close(found[0].to_dense(), expected[0].to_dense())
    torch.testing.assert_close(found[1], expected[1])
    assert {record.part for record in watcher.run.product_records} == {"forward", "input_gradient", "weight_gradient"}


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_sums_and_means_over_neighbours_agree(reduce):
    sparse = EDGES.to_sparse_csr()
    run = eventnet.simulate(lambda value: torch.sparse.mm(sparse, value, reduce), FEATURES)
    assert run.agreement
    assert run.coverage == 1
    assert run.macs == 7 * 3
    torch.testing.assert_close(run.outputs, torch.sparse.mm(sparse, FEATURES, reduce))


def test_the_largest_of_neighbours_is_no_product():
    sparse = EDGES.to_sparse_csr()
    run = eventnet.simulate(lambda value: torch.sparse.mm(sparse, value, "amax"), FEATURES)
    assert dict(run.others) == {"_sparse_mm_reduce_impl": 1}
