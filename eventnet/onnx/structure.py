"""What an ONNX graph is made of: operators that we have, in an order in which each input is made before it is used."""

import difflib
from collections.abc import Iterable

from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, defs

from eventnet.onnx.operators import operators
from hwmodel.errors import DataError, UnsupportedError

STANDARD = ("", "ai.onnx")
OLDEST_OPSET = 7
NEWEST_OPSET: int = defs.onnx_opset_version()
BRANCHES = ("then_branch", "else_branch")
LARGEST_GRAPH = 100_000  # nodes, after functions are written out
DEEPEST_CALL = 100

Key = tuple[str, str, str]


def opset_of(model: ModelProto, where: str) -> int:
    """Return the version of the standard that a model is written in.

    Raises
    ------
    UnsupportedError
        If it names none, or one that the installed `onnx` package does not know.
    """
    found = [one.version for one in model.opset_import if one.domain in STANDARD]
    if not found:
        raise DataError(
            f"{where}: no opset of the ONNX standard is named, expected {OLDEST_OPSET} to {NEWEST_OPSET}. "
            "Export the model again."
        )
    if not OLDEST_OPSET <= found[0] <= NEWEST_OPSET:
        raise UnsupportedError(
            f"{where}: the opset is {found[0]}, expected {OLDEST_OPSET} to {NEWEST_OPSET}. "
            "Export the model with another opset_version."
        )
    return int(found[0])


def name_of(node: NodeProto) -> str:
    """Say which node of a graph this is."""
    operator = shown(node.op_type)
    if node.name or not node.output:
        return f"node {node.name!r} ({operator})"
    return f"the node {operator} that makes {node.output[0]!r}"


def shown(name: str) -> str:
    """Return a name from a file without line breaks and the like."""
    return repr(name)[1:-1]


def check_functions(model: ModelProto, where: str) -> None:
    """Check that a model's own functions end, and do not stand for more nodes than anyone could wait for.

    Raises
    ------
    DataError
        If they call each other in a circle, or would become too large.
    """
    functions = {(one.domain, one.name, one.overload): one for one in model.functions}
    sizes: dict[Key, int] = {}
    total = _written_size(model.graph.node, functions, sizes, (), where) if functions else 0
    if total > LARGEST_GRAPH:
        raise DataError(
            f"{where}: its functions stand for {total} nodes, expected at most {LARGEST_GRAPH}. Do not trust this file."
        )


def _written_size(
    nodes: Iterable[NodeProto], functions: dict[Key, FunctionProto], sizes: dict[Key, int], within: tuple[Key, ...], where: str
) -> int:
    """Return how many nodes these become."""
    total = 0
    for node in nodes:
        key = (node.domain, node.op_type, node.overload)
        if any(one.HasField("g") or one.graphs for one in node.attribute):
            raise UnsupportedError(
                f"{where}: {name_of(node)} holds a graph, expected plain operators. Export the model without control flow."
            )
        if key in within or len(within) > DEEPEST_CALL:
            raise DataError(
                f"{where}: function {node.op_type!r} calls itself or too many others, expected functions that end. "
                "Do not trust this file."
            )
        if key in functions and key not in sizes:
            sizes[key] = _written_size(functions[key].node, functions, sizes, (*within, key), where)
        total += sizes.get(key, 1)
    return total


def check_graph(model: ModelProto, where: str) -> None:
    """Check that every operator is known and every input is made before it is used.

    Raises
    ------
    UnsupportedError
        If a node's operator has no function here, or its inputs are no tensors.
    DataError
        If a value is made twice, by nobody, or after its use.
    """
    _check_names(model.graph, set(), where)


def branches(node: NodeProto) -> list[GraphProto]:
    """Return the two graphs of an If, that for true first, and no graphs of other nodes."""
    held = {one.name: one.g for one in node.attribute if one.HasField("g")}
    return [held[name] for name in BRANCHES if name in held] if node.op_type == "If" else []


def captured(graph: GraphProto) -> list[str]:
    """List what a branch takes from the graph around it, in order of first use."""
    made = {one.name for one in graph.initializer}
    taken: dict[str, None] = {}
    for node in graph.node:
        within = [name for branch in branches(node) for name in captured(branch)]
        taken |= dict.fromkeys(name for name in (*node.input, *within) if name and name not in made)
        made.update(node.output)
    taken |= dict.fromkeys(one.name for one in graph.output if one.name not in made)
    return list(taken)


def _check_names(graph: GraphProto, around: set[str], where: str) -> None:
    if not graph.output:
        raise DataError(f"{where}: the graph has no outputs, expected at least one. Export the model again.")
    for node in graph.node:
        _check_operator(node, where)
    made = around | {one.name for one in graph.initializer} | {one.name for one in graph.input}
    later = {name for node in graph.node for name in node.output}
    for node in graph.node:
        for name in node.input:
            if name and name not in made:
                _refuse_input(node, name, name in later, where)
        for branch in branches(node):
            _check_names(branch, made, where)
        for name in node.output:
            if name and name in made:
                raise DataError(f"{where}: {name!r} is made twice, expected each value once. Export the model again.")
            made.add(name)
    for output in graph.output:
        if output.name not in made:
            raise DataError(
                f"{where}: output {output.name!r} is made by no node, expected one that makes it. Export the model again."
            )


def _check_operator(node: NodeProto, where: str) -> None:
    what = f"{where}: {name_of(node)}"
    if not any(node.output):
        raise DataError(f"{what} makes nothing, expected an output. Export the model again.")
    if node.domain not in STANDARD:
        raise UnsupportedError(
            f"{what} is of domain {node.domain!r}, expected operators of the ONNX standard. "
            "Export the model without custom operators."
        )
    if node.op_type == "If" and len(branches(node)) < len(BRANCHES):
        raise DataError(f"{what} lacks a branch, expected {' and '.join(BRANCHES)}. Export the model again.")
    if node.op_type in ("Constant", "If") or node.op_type in operators():
        return
    if defs.has(node.op_type):
        raise UnsupportedError(
            f"{what} is an operator without a function here, expected one that has. Add it to eventnet/onnx/operators, or "
            "export the model without it."
        )
    near = difflib.get_close_matches(node.op_type, operators(), n=1)
    raise UnsupportedError(
        f"{what} is no operator of the standard, expected one that is. "
        + (f"Did you mean {near[0]!r}?" if near else "Export the model without it.")
    )


def _refuse_input(node: NodeProto, name: str, later: bool, where: str) -> None:
    if later:
        raise DataError(
            f"{where}: {name_of(node)} uses {name!r} before it is made, expected nodes in order and no cycle. "
            "Export the model again."
        )
    raise DataError(
        f"{where}: {name_of(node)} uses {name!r}, which nothing makes, expected an input, an initializer or another node's "
        "output. Export the model again."
    )
