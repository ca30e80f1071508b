"""Tensors in ONNX files: their data must be as large as they say, and lie in the file or beside it."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, numpy_helper

from eventnet.onnx.types import TYPES, type_name
from hwmodel.errors import DataError, UnsupportedError

TYPED_FIELDS: dict[int, str] = {
    TensorProto.FLOAT: "float_data",
    TensorProto.DOUBLE: "double_data",
    TensorProto.INT64: "int64_data",
    TensorProto.UINT32: "uint64_data",
    TensorProto.UINT64: "uint64_data",
}


def check_tensors(model: ModelProto, where: str, folder: Path) -> None:
    """Check every tensor of a model before anything is made of it.

    Raises
    ------
    DataError
        If a tensor's data are not as large as its dimensions say, or lie outside of the model's folder.
    UnsupportedError
        If a tensor is sparse, or has elements that PyTorch does not compute with.
    """
    for tensor in _tensors(model, where):
        _check(tensor, where, folder)


def has_external_data(model: ModelProto, where: str) -> bool:
    """Tell whether any tensor's data lie in another file."""
    return any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(model, where))


def to_torch(tensor: TensorProto, where: str, folder: Path) -> torch.Tensor:
    """Make a PyTorch tensor of a checked one."""
    if tensor.data_location == TensorProto.EXTERNAL:
        return _from_bytes(tensor, _external(tensor, where, folder))
    if tensor.HasField("raw_data"):
        return _from_bytes(tensor, np.frombuffer(tensor.raw_data, np.uint8).copy())
    array = np.array(numpy_helper.to_array(tensor))  # a copy that can be written
    if tensor.data_type == TensorProto.BFLOAT16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _from_bytes(tensor: TensorProto, data: "np.ndarray[tuple[int], np.dtype[np.uint8]]") -> torch.Tensor:
    kind = TYPES[tensor.data_type]
    if kind == torch.bool:
        return torch.from_numpy(data != 0).reshape(list(tensor.dims))  # any byte but 0 is true
    return torch.from_numpy(data).view(kind).reshape(list(tensor.dims))


def _tensors(model: ModelProto, where: str) -> Iterator[TensorProto]:
    yield from _of_graph(model.graph, where)
    for function in model.functions:
        yield from _of_nodes(function, where)


def _of_graph(graph: GraphProto, where: str) -> Iterator[TensorProto]:
    if graph.sparse_initializer:
        raise UnsupportedError(f"{where}: an initializer is sparse, expected dense ones. Export the model without sparsity.")
    yield from graph.initializer
    yield from _of_nodes(graph, where)


def _of_nodes(graph: GraphProto | FunctionProto, where: str) -> Iterator[TensorProto]:
    for node in graph.node:
        for attribute in node.attribute:
            yield from _of_attribute(attribute, node, where)


def _of_attribute(attribute: AttributeProto, node: NodeProto, where: str) -> Iterator[TensorProto]:
    if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
        raise UnsupportedError(
            f"{where}: attribute {attribute.name!r} of node {node.name!r} is sparse, expected a dense tensor. "
            "Export the model without sparsity."
        )
    if attribute.HasField("t"):
        yield attribute.t
    yield from attribute.tensors
    for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
        yield from _of_graph(graph, where)


def _check(tensor: TensorProto, where: str, folder: Path) -> None:
    what = f"{where}: tensor {tensor.name!r}"
    if tensor.data_type not in TYPES:
        raise UnsupportedError(
            f"{what} has elements of type {type_name(tensor.data_type)}, expected a type that PyTorch computes with. "
            "Export the model with float32 weights."
        )
    if any(size < 0 for size in tensor.dims):
        raise DataError(f"{what} has dimensions {tuple(tensor.dims)}, expected none below 0. Export the model again.")
    if tensor.data_location == TensorProto.EXTERNAL:
        _place(tensor, where, folder)
        return
    expected = math.prod(tensor.dims)
    found, unit = len(getattr(tensor, TYPED_FIELDS.get(tensor.data_type, "int32_data"))), "elements"
    if tensor.HasField("raw_data"):
        found, expected, unit = len(tensor.raw_data), _size(tensor), "bytes"
    if found != expected:
        raise DataError(
            f"{what} has dimensions {tuple(tensor.dims)} and {found} {unit} of data, expected {expected} {unit}. "
            "Export the model again."
        )


def _size(tensor: TensorProto) -> int:
    size: int = math.prod(tensor.dims) * TYPES[tensor.data_type].itemsize
    return size


def _external(tensor: TensorProto, where: str, folder: Path) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    path, offset = _place(tensor, where, folder)
    return np.fromfile(path, np.uint8, count=_size(tensor), offset=offset)


def _place(tensor: TensorProto, where: str, folder: Path) -> tuple[Path, int]:
    """Return the file and the offset of a tensor's data; refuse whatever lies outside of the model's folder."""
    what = f"{where}: tensor {tensor.name!r}"
    said = {entry.key: entry.value for entry in tensor.external_data}
    location = said.get("location", "")
    path = (folder / location).resolve() if location and "\0" not in location else folder
    if path == folder or folder not in path.parents:
        raise DataError(
            f"{what} has its data in {location!r}, expected a file in the model's folder. Do not trust this file, or move "
            "the data beside it and export it again."
        )
    if not path.is_file():
        raise DataError(f"{what} has its data in {location!r}, expected such a file beside the model. Put it there.")
    offset, length = _number(said, "offset", 0, what), _number(said, "length", _size(tensor), what)
    if length != _size(tensor):
        raise DataError(
            f"{what} has dimensions {tuple(tensor.dims)} and {length} bytes of data, expected {_size(tensor)} bytes. "
            "Export the model again."
        )
    there = path.stat().st_size
    if offset + length > there:
        raise DataError(
            f"{what} has its data in bytes {offset} to {offset + length} of {location!r}, expected no more than the {there} "
            "bytes it has. Copy the file again, or export the model again."
        )
    return path, offset


def _number(said: dict[str, str], key: str, default: int, what: str) -> int:
    text = said.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise DataError(f"{what} has {key} {text!r}, expected a number of bytes. Export the model again.")
    return int(text)
