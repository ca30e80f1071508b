"""Element-wise functions and operators, dropout and optimizer steps among them: whatever aten tags as pointwise."""

import torch

from eventnet.vector import VectorForm, with_backward

UNTAGGED = (
    *with_backward(
        "_prelu_kernel", "elu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "log_sigmoid",
        "mse_loss", "huber_loss", "smooth_l1_loss", "soft_margin_loss", "binary_cross_entropy", "rrelu_with_noise",
        "softplus", "softshrink", "native_dropout",
    ),
    "_add_relu", "_fused_dropout", "_masked_scale", "addr", "binary_cross_entropy_with_logits", "bucketize", "complex",
    "floor_divide", "isin", "linalg_cross", "log_sigmoid_forward", "masked_scatter", "polar", "searchsorted", "tril", "triu",
)  # fmt: skip

# Optimizers and gradient clipping work on lists of tensors at once.
ON_LISTS = tuple(
    f"_foreach_{name}"
    for name in (
        "abs", "acos", "add", "addcdiv", "addcmul", "asin", "atan", "ceil", "clamp_max", "clamp_min", "cos", "cosh", "div",
        "erf", "erfc", "exp", "expm1", "floor", "frac", "lerp", "lgamma", "log", "log10", "log1p", "log2", "maximum",
        "minimum", "mul", "neg", "norm", "pow", "reciprocal", "round", "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "sub",
        "tan", "tanh", "trunc",
    )
)  # fmt: skip
OPTIMIZERS = ("_fused_adagrad", "_fused_adam", "_fused_adamw", "_fused_sgd")

VECTORS = (
    VectorForm("", tag=torch.Tag.pointwise, broadcasts=True, elementwise=True),
    VectorForm("", UNTAGGED, broadcasts=True, elementwise=True),
    VectorForm("", with_backward("glu")),  # two elements make one
    VectorForm("", (*ON_LISTS, "_amp_foreach_non_finite_check_and_unscale")),
    VectorForm("optimizer", OPTIMIZERS),
)
