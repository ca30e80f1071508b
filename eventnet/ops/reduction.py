"""Sums, means, extremes and norms over dimensions, running ones too, and losses that end in one."""

import torch

from eventnet.vector import VectorForm, with_backward

VECTORS = (
    VectorForm("", tag=torch.Tag.reduction),
    VectorForm(
        "",
        (
            "_sparse_csr_sum", "_sparse_sum",
            *with_backward("nll_loss", "nll_loss2d", "multi_margin_loss", "_ctc_loss"),
            "_aminmax", "_cummax_helper", "_cummin_helper", "_is_all_true", "_is_any_true", "_logcumsumexp",
            "_pdist_backward", "_pdist_forward", "allclose", "cummax", "cummin", "cumprod", "cumsum", "dist", "logcumsumexp",
            "multilabel_margin_loss_backward", "multilabel_margin_loss_forward", "nll_loss2d_forward", "nll_loss_forward",
            "native_norm", "nonzero", "renorm", "trace",
        ),
    ),
)  # fmt: skip
