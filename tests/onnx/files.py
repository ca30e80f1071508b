"""Write small ONNX files."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def value(name: str, shape: Any = (1, 4), kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def weights(name: str, values: Any, kind: str = "float32") -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(values, dtype=kind), name)


def node(operator: str, inputs: str, outputs: str = "y", name: str = "", **attributes: Any) -> onnx.NodeProto:
    """Make a node; inputs and outputs are separated by spaces, and - leaves one out."""
    named = [["" if one == "-" else one for one in names.split()] for names in (inputs, outputs)]
    return helper.make_node(operator, *named, name=name or operator.lower(), **attributes)


def model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto] | None = None,
    outputs: list[onnx.ValueInfoProto] | None = None,
    initializers: tuple[onnx.TensorProto, ...] = (),
    opset: int | dict[str, int] = 20,
    **more: Any,
) -> onnx.ModelProto:
    """Make a model of one input x and one output y, unless others are given."""
    graph = helper.make_graph(
        nodes, "graph", [value("x")] if inputs is None else inputs, [value("y")] if outputs is None else outputs, initializers
    )
    versions = {"": opset} if isinstance(opset, int) else opset
    imports = [helper.make_opsetid(domain, version) for domain, version in versions.items()]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, **more)


def write(made: onnx.ModelProto | bytes, folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    return path
