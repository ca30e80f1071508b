"""Softmax and its logarithm, and their backward."""

from eventnet.vector import VectorForm, with_backward

VECTORS = (
    VectorForm(
        "softmax",
        (
            "_sparse_log_softmax", "_sparse_softmax",
            *with_backward("_masked_softmax"),
            "_log_softmax", "_log_softmax_backward_data", "_safe_softmax", "_softmax", "_softmax_backward_data",
        ),
    ),
)  # fmt: skip
