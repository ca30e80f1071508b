"""Matrix products."""

import torch

from eventnet.onnx.operators.elementwise import widened
from eventnet.onnx.step import Function, Step

Tensor = torch.Tensor


def _gemm(step: Step, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    left = a.mT if step.get("transA", 0) else a
    right = b.mT if step.get("transB", 0) else b
    alpha, beta = step.get("alpha", 1.0), step.get("beta", 1.0)
    if not a.is_floating_point():
        alpha, beta = int(alpha), int(beta)
    if c is not None:
        return torch.addmm(c, left, right, alpha=alpha, beta=beta)
    product = torch.mm(left, right)
    return product if alpha == 1 else alpha * product


def _einsum(step: Step, *tensors: Tensor) -> Tensor:
    return torch.einsum(step.get("equation"), *tensors)


OPERATORS: dict[str, Function] = {
    "Einsum": _einsum,
    "Gemm": widened(_gemm),
    "MatMul": widened(lambda step, a, b: torch.matmul(a, b)),
}
