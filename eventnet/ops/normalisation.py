"""Normalisation: batch, layer, group, instance, RMS and local response (divisive), and their backward."""

import torch.nn.functional as F
from torch.nn.modules._functions import CrossMapLRN2d

from eventnet.vector import VectorForm, with_backward

VECTORS = (
    VectorForm(
        "norm",
        with_backward(
            "_batch_norm_no_update", "_batch_norm_with_update", "_batch_norm_with_update_functional", "_fused_rms_norm",
            "_native_batch_norm_legit", "_native_batch_norm_legit_functional", "_native_batch_norm_legit_no_training",
            "_weight_norm_interface", "batch_norm", "native_batch_norm", "native_group_norm", "native_layer_norm",
        ),
    ),
)  # fmt: skip

# Below autograd local response normalisation is eight operators, RMS normalisation six: one pass over the elements.
FUNCTIONS = {"norm": (F.local_response_norm, F.instance_norm, F.rms_norm, CrossMapLRN2d.forward)}
