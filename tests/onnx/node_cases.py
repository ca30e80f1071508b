"""The backend node tests of the `onnx` package: which of them apply, and whether one passes.

A case is a file of one operator (or of the operators that its definition is made of, "expanded") with inputs and expected
outputs. It applies if its operator belongs to a family below and nothing in it is in the way; what is in the way is found from
the file, not from what `eventnet.load` says of it.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import torch
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.runner import Runner

import eventnet
from eventnet.onnx.tensors import to_torch
from eventnet.onnx.types import TYPES, type_name

FAMILIES = {
    "convolution": "CausalConvWithState Conv ConvTranspose",
    "matrix product": "Einsum Gemm MatMul",
    "embedding, gather": "Gather GatherElements GatherND OneHot",
    "scatter": "Scatter ScatterElements ScatterND",
    "normalisation": "BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization "
    "MeanVarianceNormalization RMSNormalization",
    "pooling": "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool MaxUnpool",
    "element-wise": "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Celu "
    "Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish IsInf IsNaN LeakyRelu "
    "Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh "
    "Softplus Softsign Sqrt Sub Sum SwiGLU Swish Tan Tanh ThresholdedRelu Where Xor",
    "softmax": "Hardmax LogSoftmax Softmax",
    "concatenation": "Concat",
    "recurrent": "GRU LSTM RNN",
    "attention": "Attention FlexAttention LinearAttention RotaryEmbedding",
    "reduction": "ArgMax ArgMin CumProd CumSum ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin "
    "ReduceProd ReduceSum ReduceSumSquare TopK",
    "shape and type": "Cast CastLike Constant ConstantOfShape DepthToSpace Expand Flatten Identity NonZero Pad Range Reshape "
    "Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze",
}
FAMILY_OF = {operator: family for family, operators in FAMILIES.items() for operator in operators.split()}
OUTSIDE = "outside"  # the family of all other operators
CONTROL_FLOW = ("Loop", "Scan")

# Cases whose outputs differ by more than the tolerance, each with the reason; one that passes must leave this list.
ROUNDING = (
    "two units in the last place of float16: PyTorch's softmax adds up in float32, the expected output in float16; the exact "
    "value, 0.46919, is nearer to ours, 0.46899, than to theirs, 0.46948"
)
DIFFER = {"test_attention_4d_causal_fp16": ROUNDING, "test_attention_4d_causal_fp16_expanded": ROUNDING}


@dataclass(frozen=True)
class Case:
    """A node test, the operator it is about, and why it does not apply, if so."""

    test: TestCase
    operator: str
    obstacle: str

    @property
    def family(self) -> str:
        return FAMILY_OF.get(self.operator, OUTSIDE)


@cache
def cases() -> list[Case]:
    """Make all node tests, as the `onnx` package does: their data are no part of it, their generators are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of numpy, about the NaN and infinities in the data
        tests = collect_testcases(None)
    alone = {test.name: test.model.graph.node[0].op_type for test in tests if len(test.model.graph.node) == 1}
    made = []
    for test in tests:
        origin = re.sub(r"_expanded(_ver\d+)?$", "", test.name)
        made.append(Case(test, alone.get(origin, test.model.graph.node[0].op_type), _obstacle(test)))
    return made


def of_family(family: str) -> list[Case]:
    return [case for case in cases() if case.family == family]


def _obstacle(test: TestCase) -> str:
    """Say what in a file keeps it from being a PyTorch module."""
    model = test.model
    operators = {node.op_type for node in model.graph.node}
    if any(node.domain not in ("", "ai.onnx") for node in model.graph.node):
        return "preview of a future standard"
    if any(one.domain == "" and one.version < 7 for one in model.opset_import):
        return "opset before 7, where broadcasting was another"
    if found := sorted(operators.intersection(CONTROL_FLOW)):
        return f"control flow: {', '.join(found)}"
    if kinds := sorted(set(_odd_types(model))):
        return kinds[0]
    if re.match("test_training_dropout(?!_zero_ratio)", test.name):
        return "dropout in training mode: its draws cannot be compared"
    return ""


def _odd_types(model: onnx.ModelProto) -> Iterator[str]:
    """Give what inputs and outputs are if they are no tensors that PyTorch computes with; the same reasons in the same words."""
    for value in [*model.graph.input, *model.graph.output]:
        kind = str(value.type.WhichOneof("value"))
        number = value.type.tensor_type.elem_type
        if kind != "tensor_type":
            yield f"no tensor: {kind.removesuffix('_type')}"
        elif number not in TYPES:
            name = type_name(number)
            small = "elements of 2 or 4 bits" if name.endswith(("2", "4", "2M1")) else f"elements of type {name.lower()}"
            yield f"no arithmetic in PyTorch: {'float8 elements' if name.startswith('FLOAT8') else small}"


def failure(case: Case, folder: Path) -> str:
    """Load a case's file, simulate it, and hold the outputs against the expected ones; say what is wrong, or nothing."""
    path = folder / f"{case.test.name}.onnx"
    path.write_bytes(case.test.model.SerializeToString())
    try:
        model = eventnet.load(path)
        for inputs, expected in case.test.data_sets:
            _check(model, [tensor(one) for one in inputs], [tensor(one) for one in expected], case.test)
    except (eventnet.EventNetError, AssertionError) as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    finally:
        path.unlink()
    return ""


def _check(model: Any, inputs: list[torch.Tensor], expected: list[torch.Tensor], test: TestCase) -> None:
    with torch.no_grad():
        run = eventnet.simulate(model, *inputs, machine="cnvlutin", leading="sequence", progress=False)
    assert run.agreement, str(run.agreement)
    assert run.unwatched == 0
    outputs = run.outputs if isinstance(run.outputs, tuple) else (run.outputs,)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Runner.assert_similar_outputs(
            [array(one) for one in expected], [array(one) for one in outputs], rtol=test.rtol, atol=test.atol
        )


def tensor(value: Any) -> torch.Tensor:
    """Make a PyTorch tensor of an input or output of a node test."""
    if isinstance(value, onnx.TensorProto):
        return to_torch(value, "", Path())
    values = np.array(value)
    if values.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(values.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(values)


def array(value: torch.Tensor) -> Any:
    """Make a numpy array of a tensor, as the expected outputs are."""
    if value.dtype == torch.bfloat16:
        return value.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return value.numpy()
