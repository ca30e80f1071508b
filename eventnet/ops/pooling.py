"""Pooling: maximum and average, adaptive, fractional and undone, in one to three dimensions, and their backward."""

import torch.nn.functional as F

from eventnet.vector import VectorForm, with_backward

VECTORS = (
    VectorForm(
        "pool",
        with_backward(
            "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d",
            "adaptive_max_pool3d", "avg_pool2d", "avg_pool3d", "fractional_max_pool2d", "fractional_max_pool3d",
            "max_pool2d", "max_pool2d_with_indices", "max_pool3d_with_indices", "max_unpool2d", "max_unpool3d",
            "mkldnn_adaptive_avg_pool2d", "mkldnn_max_pool2d", "mkldnn_max_pool3d",
        ),
    ),
)  # fmt: skip

# Below autograd these are a mean, or several element-wise operators around a pooling.
FUNCTIONS = {
    "pool": (
        F.adaptive_avg_pool2d, F.adaptive_avg_pool3d, F.lp_pool1d, F.lp_pool2d, F.lp_pool3d,
    )
}  # fmt: skip
