"""Distances between all pairs of rows: products where PyTorch makes them of a product, vector work where it does not."""

import torch

import eventnet

GENERATOR = torch.Generator().manual_seed(1)
FEW, MANY = torch.randn(3, 4, generator=GENERATOR), torch.randn(30, 4, generator=GENERATOR)


def test_distances_of_few_rows_are_vector_work_for_each_pair():
    run = eventnet.simulate(torch.cdist, FEW, FEW + 1, strict=True)
    assert [(record.op, record.activations) for record in run.records] == [("distance", 3 * 3 * 4)]
    assert run.difference.maximum == 0


def test_distances_of_many_rows_are_a_matrix_product(agrees):
    run = agrees(lambda rows, others: torch.cdist(rows, others).sum(), MANY.double(), FEW.double() + 1)
    assert run.macs >= 30 * 3 * 4
    run = eventnet.simulate(torch.cdist, MANY, FEW + 1, strict=True)
    assert run.product_records[0].macs == 30 * 3 * (4 + 2)  # the squares are two columns more
    torch.testing.assert_close(run.outputs, torch.cdist(MANY, FEW + 1))
