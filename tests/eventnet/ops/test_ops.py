"""Operators are found by the presence of their files."""

import re

import pytest

import eventnet.ops
import hwmodel
from eventnet.ops import bilinear


def test_every_form_and_rewrite_is_found():
    assert {
        "convolution",
        "_convolution",
        "convolution_backward",
        "mm",
        "addmm",
        "bmm",
        "baddbmm",
        "mv",
        "dot",
        "addmv",
    } == set(eventnet.ops.forms())
    assert {"addbmm", "mkldnn_rnn_layer", "_trilinear"} <= set(eventnet.ops.rewrites())
    assert not set(eventnet.ops.forms()) & set(eventnet.ops.rewrites())


def test_an_operator_that_two_files_take_is_refused(monkeypatch):
    monkeypatch.setitem(bilinear.REWRITES, "mkldnn_rnn_layer", bilinear.addbmm)
    message = (
        "eventnet.ops: the operator 'mkldnn_rnn_layer' is taken twice, by eventnet.ops.bilinear and eventnet.ops.recurrent. "
        "Remove it from one of them."
    )
    with pytest.raises(hwmodel.DuplicateNameError, match=f"^{re.escape(message)}$"):
        eventnet.ops.rewrites.__wrapped__()
