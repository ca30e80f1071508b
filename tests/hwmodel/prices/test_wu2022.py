"""The prices of an element of Eyeriss v2, and what a product costs of them."""

import numpy as np
import pytest

import hwmodel
import scheduler
from hwmodel import Task
from hwmodel.offchip import READ
from hwmodel.prices.wu2022 import TABLE


def test_a_product_and_an_input_cost_their_accesses():
    machine = hwmodel.load("eyeriss_v2_pe")
    outcome = scheduler.run(machine, Task.matmul(np.array([1, 0, 1]), np.array([[1, 1], [1, 1], [0, 1]])))
    pj = sum(machine.prices.dynamic_pj(outcome.ledger, machine.name).values())
    product = 0.561 + 0.477 + 0.884 + 0.167 + 0.167
    assert pj == pytest.approx(3 * product + 2 * (0.130 + 0.149) + 2 * 0.167)  # two outputs leave
    assert machine.static_w() == 0


def test_every_price_is_the_tables_and_says_so():
    own = {name: price for name, price in TABLE.actions.items() if name != READ}
    assert all(f"{price.pj:.3f} pJ" in price.source for price in own.values())
    assert all((price.sure, price.node_nm) == ("read", 45) for price in own.values())
    assert sum(price.bytes for name, price in own.items() if name.startswith("weight")) == 1.5  # 12 bits
