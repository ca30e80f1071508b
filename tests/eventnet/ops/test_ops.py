"""Operators are found by the presence of their files."""

import re

import pytest
import torch

import eventnet.ops
import hwmodel
from eventnet.ops import bilinear


def test_every_form_and_rewrite_is_found():
    assert {
        "convolution", "_convolution", "convolution_backward", "mm", "addmm", "bmm", "baddbmm", "mv", "dot", "addmv", "_int_mm", "vdot",
        "embedding", "_embedding_bag", "_embedding_bag_forward_only", "_embedding_bag_per_sample_weights_backward",
        "_sparse_addmm", "_sparse_mm_reduce_impl",
    } == set(eventnet.ops.forms())  # fmt: skip
    assert {"native_layer_norm", "_softmax", "max_pool2d_with_indices", "cat", "index_add"} <= set(eventnet.ops.vectors())
    assert set(eventnet.ops.tagged_vectors()) == {torch.Tag.pointwise, torch.Tag.reduction}
    assert eventnet.ops.functions()[torch.nn.functional.local_response_norm] == "norm"
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
