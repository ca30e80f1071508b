"""The judge: each of its three checks sees what it is there for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import eventnet
import hwmodel
import hwmodel.products


@pytest.fixture
def run_with_adder(monkeypatch):
    """Run a layer of small integers while an altered function adds the products."""

    def run(alter, machine="cnvlutin"):
        add = hwmodel.products._add
        monkeypatch.setattr(hwmodel.products, "_add", lambda *arguments: alter(add, *arguments))
        torch.manual_seed(0)
        model, sample = nn.Conv2d(3, 4, 3), torch.randn(1, 3, 6, 6)
        return eventnet.simulate(model, sample, machine=machine, engine="event", first_layer="none")

    return run


def test_a_lost_event_is_seen_by_the_integers(run_with_adder):
    lost = []

    def lose_one(add, values, weights, positions, operands, begin, *rest):
        if begin and not lost:
            lost.append(begin)
            begin += 1
        add(values, weights, positions, operands, begin, *rest)

    run = run_with_adder(lose_one)
    assert lost
    assert not run.agreement


def test_an_event_that_meets_the_wrong_weights_is_seen(run_with_adder):
    def shift(add, values, weights, positions, operands, *rest):
        add(values, weights, positions, (operands + 1) % len(weights), *rest)

    verdict = run_with_adder(shift).records[0].verdict
    assert not verdict.integers_equal
    assert verdict.products_equal  # as many products as planned, but not the right ones
    assert not verdict.agrees


def test_an_error_beyond_rounding_is_seen_by_the_bound(run_with_adder):
    def disturb(add, values, *rest):
        add(values * 1.01 if values.dtype.kind == "f" else values, *rest)

    verdict = run_with_adder(disturb).records[0].verdict
    assert verdict.error_ratio > 1
    assert verdict.integers_equal
    assert str(verdict).startswith("convolution on cnvlutin in 'Conv2d': its error is ")


def test_an_error_within_rounding_is_none(run_with_adder):
    verdict = run_with_adder(lambda add, *arguments: add(*arguments)).records[0].verdict
    assert 0 < verdict.error_ratio <= 1
    assert verdict.agrees
    assert "both exact checks hold" in str(verdict)


def test_a_disagreement_of_the_baseline_counts_too(monkeypatch):
    adder = hwmodel.products.Products.adder
    made = []

    def wrong_in_the_second(self, events):
        if self not in made:
            made.append(self)
        add = adder(self, events)
        return add if len(made) == 1 else lambda job: None

    monkeypatch.setattr(hwmodel.products.Products, "adder", wrong_in_the_second)
    run = eventnet.simulate(nn.Linear(8, 8), torch.ones(1, 8), machine="cnvlutin", baseline="dadiannao", engine="event")
    assert run.records[0].verdict.agrees
    assert not run.records[0].baseline_verdict.agrees
    assert not run.agreement
    assert str(run.agreement).startswith("1 of 2 products DISAGREE with PyTorch; worst: matmul on dadiannao in 'Linear': ")


def test_a_plan_that_loses_a_job_disagrees_on_the_bulk_engine_too(monkeypatch):
    """The values come from the tensors there, so that what the plan's jobs carry is compared with what the tensors hold."""
    shared = hwmodel.Block.shared.func

    def one_less(block):
        shares = shared(block)
        return replace(shares, events=np.append(0, shares.events[1:]))

    monkeypatch.setattr(hwmodel.Lockstep, "shared", property(one_less))
    run = eventnet.simulate(nn.Linear(8, 8), torch.ones(1, 8), machine="cnvlutin", engine="bulk")
    assert not run.records[0].verdict.products_equal
    assert run.records[0].verdict.integers_equal
    assert not run.agreement


def test_the_bound_counts_the_bias():
    module = nn.Linear(2, 1)
    module.weight.data.fill_(1.0)
    module.bias.data.fill_(-2.0)
    run = eventnet.simulate(module, torch.tensor([[1.0, 1.0]]))
    assert run.outputs.item() == 0.0
    assert run.records[0].max_error_ratio == 0.0


def test_no_product_is_no_disagreement():
    agreement = eventnet.verify(nn.ReLU(), torch.ones(3))
    assert agreement
    assert str(agreement) == "no product to compare with PyTorch"
