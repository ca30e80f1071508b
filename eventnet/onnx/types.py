"""Element types of the ONNX standard that PyTorch computes with."""

import torch
from onnx import TensorProto

TYPES: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.UINT8: torch.uint8,
    TensorProto.INT8: torch.int8,
    TensorProto.UINT16: torch.uint16,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.BOOL: torch.bool,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.UINT32: torch.uint32,
    TensorProto.UINT64: torch.uint64,
    TensorProto.BFLOAT16: torch.bfloat16,
}


def type_name(number: int) -> str:
    """Return the standard's name of an element type."""
    known: dict[int, str] = {value: name for name, value in TensorProto.DataType.items()}
    return known.get(number, f"number {number}")
