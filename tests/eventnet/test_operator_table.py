"""The table of operators is what the code says."""

from pathlib import Path

import torch

import eventnet.ops
from eventnet.operator_table import markdown

TABLE = Path(eventnet.ops.__path__[0]) / "README.md"


def test_the_table_is_as_the_code_is():
    assert TABLE.read_text() == markdown(), "run `make operators`"


def test_every_operator_that_has_a_form_is_in_it():
    table = TABLE.read_text()
    for name in (*eventnet.ops.forms(), *eventnet.ops.vectors(), *eventnet.ops.rewrites()):
        assert f"`{name}`" in table


def test_pytorch_knows_every_operator_by_its_name():
    names = (*eventnet.ops.forms(), *eventnet.ops.vectors(), *eventnet.ops.rewrites())
    assert [name for name in names if not hasattr(torch.ops.aten, name)] == []
