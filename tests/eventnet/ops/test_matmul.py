"""Matrix products of every rank, with either operand static or none."""

import pytest
import torch
from torch import nn

import eventnet


def values(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator) * (torch.rand(shape, generator=generator) > 0.4)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((5,), (5,)),
        ((4, 5), (5,)),
        ((5,), (5, 3)),
        ((4, 5), (5, 3)),
        ((2, 4, 5), (2, 5, 3)),
        ((2, 1, 4, 5), (3, 5, 2)),
        ((2, 4, 5), (5,)),
    ],
    ids=str,
)
def test_matmul_of_every_rank_agrees(agrees, first, second):
    agrees(torch.matmul, values(*first), values(*second))


@pytest.mark.parametrize("shape", [(6,), (3, 6), (2, 3, 6), (2, 1, 3, 6)], ids=str)
@pytest.mark.parametrize("bias", [True, False])
def test_linear_layers_agree_on_inputs_of_every_rank(agrees, shape, bias):
    agrees(nn.Linear(6, 4, bias=bias), values(*shape))


@pytest.mark.parametrize(
    "program",
    [
        lambda a, b, c: torch.addmm(a, b, c, beta=0.5, alpha=2.0),
        lambda a, b, c: torch.addmv(a[:, 0], b, c[:, 0], beta=2.0),
        lambda a, b, c: torch.baddbmm(a[None], b[None], c[None], alpha=-1.0),
        lambda a, b, c: torch.addbmm(a, torch.stack([b, 2 * b]), torch.stack([c, c]), beta=0.5, alpha=3.0),
        lambda a, b, c: torch.einsum("ij,jk,ik->i", b, c, a),
        lambda a, b, c: torch.chain_matmul(b, c, a.t()) if hasattr(torch, "chain_matmul") else b @ c,
    ],
    ids=["addmm", "addmv", "baddbmm", "addbmm", "einsum", "chain"],
)
@pytest.mark.filterwarnings("ignore:torch.chain_matmul")
def test_sums_with_products_agree(agrees, program):
    agrees(program, values(4, 3), values(4, 5), values(5, 3))


def test_a_beta_of_zero_reads_nothing():
    first, second = values(2, 3), values(3, 2)
    run = eventnet.simulate(lambda: torch.addmm(torch.full((2, 2), float("nan")), first, second, beta=0))
    assert not run.outputs.isnan().any()
    assert run.agreement


def test_products_of_bytes_are_added_up_in_32_bits():
    first, second = (torch.arange(-64, 0).reshape(8, 8).to(torch.int8) for _ in range(2))
    run = eventnet.simulate(torch._int_mm, first, second, strict=True)
    assert run.agreement
    assert run.outputs.dtype == torch.int32
    assert torch.equal(run.outputs, first.int() @ second.int())


def test_an_activation_that_pytorch_fuses_with_a_product_runs_behind_it():
    operands = values(3), values(4, 5), values(5, 3)
    run = eventnet.simulate(torch._addmm_activation, *operands, strict=True)
    assert [(record.op, record.ticks > 0) for record in run.records] == [("matmul", True), ("relu", False)]
    torch.testing.assert_close(run.outputs, torch.addmm(*operands).relu())


def test_rows_of_a_product_are_windows():
    run = eventnet.simulate(nn.Linear(32, 8), torch.ones(5, 32), machine="dadiannao")
    assert run.ticks == 5 * 2


def test_products_without_rows_columns_or_operands_are_no_records():
    for first, second in (((0, 4), (4, 5)), ((4, 0), (0, 5)), ((4, 5), (5, 0))):
        run = eventnet.simulate(torch.mm, torch.ones(first), torch.ones(second))
        assert run.records == []
        assert run.outputs.shape == (first[0], second[1])
