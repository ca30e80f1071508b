"""An ONNX graph as a PyTorch module that runs its nodes one by one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from onnx import AttributeProto, GraphProto, NodeProto, ValueInfoProto
from torch import nn

from eventnet.onnx.operators import operators
from eventnet.onnx.step import Function, Step
from eventnet.onnx.structure import branches, captured, name_of, shown
from eventnet.onnx.tensors import to_torch
from eventnet.onnx.types import TYPES, type_name
from hwmodel.errors import EventNetError, ParameterError, ShapeError, UnsupportedError

Tensor = torch.Tensor
CONSTANT = ("value", "value_float", "value_floats", "value_int", "value_ints")


@dataclass(frozen=True)
class Value:
    """An input or output that the file declares: a size is a number, a name for any number, or None."""

    name: str
    dtype: torch.dtype | None
    shape: tuple[int | str | None, ...] | None


class Node(nn.Module):
    """One node of the graph, so that reports name it."""

    def __init__(self, step: Step, function: Function) -> None:
        super().__init__()
        self.step = step
        self._function = function

    def forward(self, *inputs: Tensor | None) -> Any:
        """Return the node's output, or a tuple of its outputs."""
        try:
            made = self._function(self.step, *inputs)
            count = len(made) if isinstance(made, tuple) else 1
            if count < self.step.outputs:
                raise self.step.unsupported(f"{self.step.outputs} outputs are named", f"at most {count}")
            return made
        except EventNetError:
            raise
        except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError) as error:
            shapes = ", ".join(str(tuple(one.shape)) for one in inputs if one is not None)
            said = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ShapeError(
                f"{self.step.where}: it fails with {said[:200]!r} on inputs of shapes {shapes}, expected what the operator "
                "takes. Give the model other inputs, or export it again."
            ) from error

    def extra_repr(self) -> str:
        """Name the operator where the module is printed."""
        return self.step.operator


class Graph(nn.Module):
    """A model from an ONNX file.

    Every node but constants is a child module of the node's name, or of its operator and place if it has none, with dots and
    repeated names replaced. Initializers of floating-point type are parameters; others, constants and the running statistics of
    batch normalisation are buffers.

    Parameters
    ----------
    graph
        That of a model which `eventnet.onnx.file.read_model` returned, or a branch of an If in it.
    opset
        The version of the standard that it is written in.
    name
        The file, as errors call it.
    folder
        Where external data lie.
    takes
        What a branch takes from the graph around it; its inputs, of any type and shape.

    Attributes
    ----------
    inputs
        What `forward` takes, in order.
    outputs
        What it returns: a tensor if it is one, a tuple of tensors otherwise.
    """

    def __init__(self, graph: GraphProto, opset: int, name: str, folder: Path, takes: Sequence[str] = ()) -> None:
        super().__init__()
        self._where = name
        self._attributes: dict[str, str] = {}  # value -> the parameter or buffer that holds it
        self._repeats: Counter[str] = Counter()
        where = f"eventnet.load: {name}"
        statistics = {name for node in graph.node if node.op_type == "BatchNormalization" for name in node.input[3:5]}
        for tensor in graph.initializer:
            self._hold(tensor.name, to_torch(tensor, where, folder), learned=tensor.name not in statistics)
        self.inputs = tuple(
            Value(one.name, _type(one, where, "input"), _declared(one))
            for one in graph.input
            if one.name not in self._attributes
        ) + tuple(Value(one, None, None) for one in takes)
        self.outputs = tuple(Value(one.name, _type(one, where, "output"), _declared(one)) for one in graph.output)
        self._order: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
        for place, node in enumerate(graph.node):
            self._add(node, place, opset, folder)
        self._last = self._last_uses()

    def forward(self, *inputs: Tensor, **named: Tensor) -> Any:
        """Run the graph on its inputs, given in the file's order or by name.

        Raises
        ------
        ParameterError
            If there are too many or too few inputs, or one has the wrong type.
        ShapeError
            If an input's shape is not the declared one, or a node's inputs do not fit together.
        """
        values: dict[str, Tensor | None] = {"": None, **self._bound(inputs, named)}
        values |= {value: getattr(self, attribute) for value, attribute in self._attributes.items()}
        for place, (module, takes, makes) in enumerate(self._order):
            made = self.get_submodule(module)(*(values[name] for name in takes))
            values |= dict(zip(makes, made if isinstance(made, tuple) else (made,), strict=False)) | {"": None}
            for name in self._last[place]:
                del values[name]
        outputs = tuple(values[one.name] for one in self.outputs)
        for declared, output in zip(self.outputs, outputs, strict=True):
            self._check_output(declared, output)
        return outputs[0] if len(outputs) == 1 else outputs

    def _hold(self, value: str, tensor: Tensor, learned: bool) -> None:
        attribute = self._free_name(value)
        if learned and tensor.is_floating_point():
            self.register_parameter(attribute, nn.Parameter(tensor))
        else:
            self.register_buffer(attribute, tensor)
        self._attributes[value] = attribute

    def _add(self, node: NodeProto, place: int, opset: int, folder: Path) -> None:
        where = f"{self._where}: {name_of(node)}"
        if node.op_type == "If":
            self._add_branches(node, place, opset, folder)
            return
        attributes = {one.name: _attribute(one, f"eventnet.load: {where}", folder) for one in node.attribute}
        if node.op_type == "Constant":
            self._hold(node.output[0], _constant(attributes, f"eventnet.load: {where}"), learned=False)
            return
        named = max(number for number, output in enumerate(node.output, 1) if output)
        step = Step(where, node.op_type, opset, named, attributes)
        module = self._free_name(node.name or f"{node.op_type}_{place}")
        self.add_module(module, Node(step, operators()[node.op_type]))
        self._order.append((module, tuple(node.input), tuple(node.output)))

    def _add_branches(self, node: NodeProto, place: int, opset: int, folder: Path) -> None:
        taken = [captured(branch) for branch in branches(node)]
        graphs = [Graph(branch, opset, self._where, folder, names) for branch, names in zip(branches(node), taken, strict=True)]
        module = self._free_name(node.name or f"{node.op_type}_{place}")
        self.add_module(module, If(f"{self._where}: {name_of(node)}", *graphs))
        self._order.append((module, (node.input[0], *taken[0], *taken[1]), tuple(node.output)))

    def _free_name(self, name: str) -> str:
        """Return a name that a module can have: without dots, and neither taken nor an attribute of every module."""
        plain = free = name.replace(".", "_") or "_"
        while hasattr(self, free):
            self._repeats[plain] += 1
            free = f"{plain}_{self._repeats[plain] + 1}"
        return free

    def _last_uses(self) -> list[list[str]]:
        """List for each node the values that nobody needs after it."""
        kept = {"", *self._attributes, *(one.name for one in (*self.inputs, *self.outputs))}
        last: dict[str, int] = {}
        for place, (_, takes, makes) in enumerate(self._order):
            last |= dict.fromkeys((*makes, *takes), place)
        uses: list[list[str]] = [[] for _ in self._order]
        for name, place in last.items():
            if name not in kept:
                uses[place].append(name)
        return uses

    def _bound(self, inputs: tuple[Tensor, ...], named: Mapping[str, Tensor]) -> dict[str, Tensor]:
        names = [one.name for one in self.inputs]
        free = [name for name in names if name not in named]
        if len(inputs) != len(free) or any(name not in names for name in named):
            given = f"{len(inputs)} inputs" + (f" and {', '.join(map(repr, named))}" if named else "")
            raise ParameterError(
                f"{self._where}: the model is given {given}, expected {len(names)}: {', '.join(map(shown, names))}. "
                "Give one tensor for each, in this order or by name."
            )
        bound = dict(zip(free, inputs, strict=True)) | dict(named)
        sizes: dict[str, int] = {}
        for one in self.inputs:
            self._check_input(one, bound[one.name], sizes)
        return bound

    def _check_output(self, declared: Value, made: Tensor | None) -> None:
        shape = declared.shape
        if made is None or shape is None:
            return
        known = zip(made.shape, shape, strict=False)
        if made.dim() != len(shape) or any(isinstance(wanted, int) and wanted != size for size, wanted in known):
            wanted = ", ".join("any" if one is None else shown(str(one)) for one in shape)
            raise ShapeError(
                f"{self._where}: output {declared.name!r} has shape {tuple(made.shape)}, expected ({wanted}) as the file says. "
                "Export the model again."
            )

    def _check_input(self, declared: Value, given: object, sizes: dict[str, int]) -> None:
        what = f"{self._where}: input {declared.name!r}"
        if not isinstance(given, Tensor) or declared.dtype not in (None, given.dtype):
            found = f"of type {given.dtype}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
            raise ParameterError(f"{what} is {found}, expected a tensor of type {declared.dtype}. Convert it first.")
        if declared.shape is None:
            return
        fits = given.dim() == len(declared.shape)
        for size, wanted in zip(given.shape, declared.shape, strict=False):
            wanted_size = sizes.setdefault(wanted, size) if isinstance(wanted, str) else wanted
            fits = fits and wanted_size in (None, size)
        if not fits:
            known = ", ".join("any" if one is None else shown(str(sizes.get(str(one), one))) for one in declared.shape)
            raise ShapeError(
                f"{what} has shape {tuple(given.shape)}, expected ({known}). "
                "Give the model an input of the shape it was exported for."
            )


class If(nn.Module):
    """A node that runs one of two graphs."""

    def __init__(self, where: str, then: Graph, otherwise: Graph) -> None:
        super().__init__()
        self._where = where
        self.then_branch, self.else_branch = then, otherwise

    def forward(self, condition: Tensor, *taken: Tensor) -> Any:
        """Run the first graph if the condition holds, the second otherwise, each on what it takes."""
        count = len(self.then_branch.inputs)
        if condition.numel() != 1:
            raise ShapeError(
                f"{self._where}: the condition has {condition.numel()} elements, expected 1. Export the model again."
            )
        if bool(condition.item()):
            return self.then_branch(*taken[:count])
        return self.else_branch(*taken[count:])


def _type(value: ValueInfoProto, where: str, role: str) -> torch.dtype:
    """Return the element type of an input or output, which must be a tensor of a type that we have."""
    what, kind = f"{where}: {role} {value.name!r}", value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise UnsupportedError(
            f"{what} is a {str(kind).removesuffix('_type')}, expected a tensor. Export the model with tensors for inputs and "
            "outputs."
        )
    number = value.type.tensor_type.elem_type
    if number not in TYPES:
        raise UnsupportedError(
            f"{what} has elements of type {type_name(number)}, expected a type that PyTorch computes with. "
            "Export the model with float32 inputs and outputs."
        )
    return TYPES[number]


def _declared(value: ValueInfoProto) -> tuple[int | str | None, ...] | None:
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    kinds = [(one.WhichOneof("value"), one) for one in tensor.shape.dim]
    # Some exporters write 0 or -1 for a size that is left open.
    return tuple((max(0, one.dim_value) if kind == "dim_value" else one.dim_param) or None for kind, one in kinds)


def _attribute(attribute: AttributeProto, where: str, folder: Path) -> Any:
    """Return an attribute's value as Python has it."""
    readers: dict[int, Callable[[], Any]] = {
        AttributeProto.FLOAT: lambda: attribute.f,
        AttributeProto.INT: lambda: attribute.i,
        AttributeProto.STRING: lambda: attribute.s.decode("utf-8", "replace"),
        AttributeProto.TENSOR: lambda: to_torch(attribute.t, where, folder),
        AttributeProto.FLOATS: lambda: tuple(attribute.floats),
        AttributeProto.INTS: lambda: tuple(attribute.ints),
        AttributeProto.STRINGS: lambda: tuple(one.decode("utf-8", "replace") for one in attribute.strings),
    }
    read = readers.get(attribute.type)
    if read is None:
        kind = AttributeProto.AttributeType.Name(attribute.type).lower()
        raise UnsupportedError(
            f"{where}: attribute {attribute.name!r} is a {kind}, expected numbers, strings or a tensor. "
            "Export the model without it."
        )
    return read()


def _constant(attributes: Mapping[str, Any], where: str) -> Tensor:
    found = next((attributes[name] for name in CONSTANT if name in attributes), None)
    if found is None:
        raise UnsupportedError(f"{where}: the constant is no number, expected numbers. Export the model without strings.")
    return found if isinstance(found, Tensor) else torch.tensor(found, dtype=_kind(attributes))


def _kind(attributes: Mapping[str, Any]) -> torch.dtype:
    return torch.int64 if "value_int" in attributes or "value_ints" in attributes else torch.float32
