"""Files that are broken, lie, or ask for what is not there: one sentence each, to the letter."""

import os
import pickle
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip("onnx", reason='the extra is not installed: pip install -c constraints.txt -e ".[onnx]"')

import numpy as np
import onnx
from onnx import TensorProto, helper

import eventnet
from hwmodel.errors import DataError, ParameterError, ShapeError, UnsupportedError

sys.path.insert(0, str(Path(__file__).parent))
from files import model, node, value, weights, write

RELU = node("Relu", "x", name="relu")
PRODUCT = node("MatMul", "x w", name="product")
THREE = [value("y", (1, 3))]
BROKEN = "it is no ONNX file or has lost its end, expected a whole one. Copy it or export the model again."


def refused(folder, kind, what):
    """Load model.onnx in a folder and hold the whole message against what is expected behind the file's name."""
    path = folder / "model.onnx"
    with pytest.raises(kind) as caught:
        eventnet.load(path)
    assert str(caught.value) == f"eventnet.load: {str(path)!r}: {what}"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "it is empty, expected an ONNX file. Export the model again."),
        (b"This is a text.\n" * 9, BROKEN),
        (bytes(range(256)), BROKEN),
        (model([RELU]).SerializeToString()[:-7], BROKEN),
        (pickle.dumps({"weights": 1}), BROKEN),
        (
            onnx.ModelProto(ir_version=8).SerializeToString(),
            "it holds no graph, expected an ONNX file. Export the model again.",
        ),
    ],
)
def test_a_file_that_is_no_onnx_file(content, what, tmp_path):
    write(content, tmp_path)
    refused(tmp_path, DataError, what)


def test_a_file_that_is_not_there(tmp_path):
    refused(tmp_path, DataError, "there is no such file, expected an ONNX file. Mend the path.")


def test_a_folder(tmp_path):
    (tmp_path / "model.onnx").mkdir()
    refused(tmp_path, DataError, "it is a folder, expected an ONNX file. Mend the path.")


def test_a_device_is_not_read(tmp_path):
    (tmp_path / "model.onnx").symlink_to("/dev/zero")
    refused(tmp_path, DataError, "it is no regular file, expected an ONNX file. Mend the path.")


def test_a_path_that_is_too_long(tmp_path):
    path = tmp_path / ("x" * 300 + ".onnx")
    with pytest.raises(DataError) as caught:
        eventnet.load(path)
    what = "it cannot be read (File name too long), expected an ONNX file. Mend the path."
    assert str(caught.value) == f"eventnet.load: {str(path)!r}: {what}"


def test_a_file_larger_than_protobuf_can_read(tmp_path):
    with (tmp_path / "model.onnx").open("wb") as file:
        file.truncate(2**31)
    refused(
        tmp_path,
        DataError,
        "it has 2147483648 bytes, expected at most 2147483647. Export the model with its weights in a file of their own.",
    )


@pytest.mark.parametrize(("path", "shown"), [(3, "3"), ("a\0b", r"'a\x00b'")])
def test_what_is_no_path(path, shown):
    with pytest.raises(ParameterError) as caught:
        eventnet.load(path)
    assert str(caught.value) == f"eventnet.load: path is {shown}, expected the path of an ONNX file."


def test_the_extra_is_not_installed(monkeypatch):
    monkeypatch.setattr(sys.modules["eventnet.load"], "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError) as caught:
        eventnet.load("model.onnx")
    assert str(caught.value) == (
        "eventnet.load: the package onnx, which reads 'model.onnx', is not installed, expected the extra of this name. "
        'Run: pip install "eventnet[onnx]".'
    )


def lying(dims, typed=False):
    """Make twelve weights that say they have other dimensions."""
    tensor = helper.make_tensor("w", TensorProto.FLOAT, (4, 3), [1.0] * 12) if typed else weights("w", np.ones((4, 3)))
    del tensor.dims[:]
    tensor.dims.extend(dims)
    return tensor


@pytest.mark.parametrize(
    ("tensor", "what"),
    [
        (lying((5, 3)), "dimensions (5, 3) and 48 bytes of data, expected 60 bytes. Export the model again."),
        (
            lying((2**40, 2**40)),
            "dimensions (1099511627776, 1099511627776) and 48 bytes of data, expected 4835703278458516698824704 bytes. "
            "Export the model again.",
        ),
        (lying((4, 4), typed=True), "dimensions (4, 4) and 12 elements of data, expected 16 elements. Export the model again."),
        (lying((-4, 3)), "dimensions (-4, 3), expected none below 0. Export the model again."),
    ],
)
def test_weights_whose_dimensions_lie(tensor, what, tmp_path):
    write(model([PRODUCT], outputs=THREE, initializers=(tensor,)), tmp_path)
    refused(tmp_path, DataError, f"tensor 'w' has {what}")


def test_a_constant_whose_dimensions_lie(tmp_path):
    write(model([node("Constant", "", "w", value=lying((2**40,))), node("Add", "x w")]), tmp_path)
    refused(
        tmp_path,
        DataError,
        "tensor 'w' has dimensions (1099511627776,) and 48 bytes of data, expected 4398046511104 bytes. Export the model again.",
    )


def outside(location, **more):
    """Make weights that lie in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(4, 3), data_location=TensorProto.EXTERNAL)
    for key, said in {"location": location, **more}.items():
        tensor.external_data.add(key=key, value=str(said))
    return model([PRODUCT], outputs=THREE, initializers=(tensor,))


ELSEWHERE = "expected a file in the model's folder. Do not trust this file, or move the data beside it and export it again."


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/passwd", "link.bin", ".", "", "a/../../weights.bin"])
def test_data_outside_of_the_folder_are_not_read(location, tmp_path):
    folder = tmp_path / "inner"
    folder.mkdir()
    np.ones(12, "float32").tofile(tmp_path / "weights.bin")
    (folder / "link.bin").symlink_to(tmp_path / "weights.bin")
    write(outside(location), folder)
    refused(folder, DataError, f"tensor 'w' has its data in {location!r}, {ELSEWHERE}")


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (
            {"location": "others.bin"},
            "has its data in 'others.bin', expected such a file beside the model. Put it there.",
        ),
        (
            {"location": "weights.bin", "offset": 8},
            "has its data in bytes 8 to 56 of 'weights.bin', expected no more than the 48 bytes it has. Copy the file again, or "
            "export the model again.",
        ),
        (
            {"location": "weights.bin", "offset": "-8"},
            "has offset '-8', expected a number of bytes. Export the model again.",
        ),
        (
            {"location": "weights.bin", "length": 12},
            "has dimensions (4, 3) and 12 bytes of data, expected 48 bytes. Export the model again.",
        ),
    ],
)
def test_data_that_are_missing_or_too_short(said, what, tmp_path):
    np.ones(12, "float32").tofile(tmp_path / "weights.bin")
    write(outside(**said), tmp_path)
    refused(tmp_path, DataError, f"tensor 'w' {what}")


def test_sparse_weights(tmp_path):
    made = model([RELU])
    made.graph.sparse_initializer.add()
    write(made, tmp_path)
    refused(tmp_path, UnsupportedError, "an initializer is sparse, expected dense ones. Export the model without sparsity.")


def test_weights_of_a_type_without_arithmetic(tmp_path):
    tensor = helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, (2,), b"ab", raw=True)
    write(model([node("Cast", "w", to=TensorProto.FLOAT)], inputs=[], initializers=(tensor,)), tmp_path)
    refused(
        tmp_path,
        UnsupportedError,
        "tensor 'w' has elements of type FLOAT8E4M3FN, expected a type that PyTorch computes with. "
        "Export the model with float32 weights.",
    )


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (
            model([node("Rellu", "x")]),
            "node 'rellu' (Rellu) is no operator of the standard, expected one that is. Did you mean 'Relu'?",
        ),
        (
            model([node("Qwrtzp", "x")]),
            "node 'qwrtzp' (Qwrtzp) is no operator of the standard, expected one that is. Export the model without it.",
        ),
        (
            model([node("Det", "x")]),
            "node 'det' (Det) is an operator without a function here, expected one that has. Add it to eventnet/onnx/operators, "
            "or export the model without it.",
        ),
        (
            model([helper.make_node("Det", ["x"], ["y"])]),
            "the node Det that makes 'y' is an operator without a function here, expected one that has. Add it to "
            "eventnet/onnx/operators, or export the model without it.",
        ),
        (
            model([node("Relu", "x", domain="com.acme")], opset={"": 20, "com.acme": 1}),
            "node 'relu' (Relu) is of domain 'com.acme', expected operators of the ONNX standard. Export the model without "
            "custom operators.",
        ),
        (model([RELU], opset=6), "the opset is 6, expected 7 to 28. Export the model with another opset_version."),
        (model([RELU], opset=99), "the opset is 99, expected 7 to 28. Export the model with another opset_version."),
        (
            model([node("Identity", "x")], [value("x", (1,), TensorProto.STRING)], [value("y", (1,), TensorProto.STRING)]),
            "input 'x' has elements of type STRING, expected a type that PyTorch computes with. Export the model with float32 "
            "inputs and outputs.",
        ),
    ],
)
def test_what_has_no_form_here(made, what, tmp_path):
    write(made, tmp_path)
    refused(tmp_path, UnsupportedError, what)


def test_a_sequence_as_input(tmp_path):
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, (1, 4))
    write(model([RELU], inputs=[value("x"), sequence]), tmp_path)
    refused(
        tmp_path,
        UnsupportedError,
        "input 's' is a sequence, expected a tensor. Export the model with tensors for inputs and outputs.",
    )


def test_a_newer_format(tmp_path):
    made = model([RELU])
    made.ir_version = 99
    write(made, tmp_path)
    refused(
        tmp_path,
        UnsupportedError,
        "it is of ONNX format 99, expected at most 14. Install a newer onnx, or export the model with an older one.",
    )


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (
            model([RELU], opset={"ai.onnx.ml": 1}),
            "no opset of the ONNX standard is named, expected 7 to 28. Export the model again.",
        ),
        (
            model([node("Add", "x b", "a", name="first"), node("Relu", "a", "b", name="second"), node("Relu", "b")]),
            "node 'first' (Add) uses 'b' before it is made, expected nodes in order and no cycle. Export the model again.",
        ),
        (
            model([node("Add", "x nothing")]),
            "node 'add' (Add) uses 'nothing', which nothing makes, expected an input, an initializer or another node's output. "
            "Export the model again.",
        ),
        (
            model([RELU, node("Abs", "x")]),
            "'y' is made twice, expected each value once. Export the model again.",
        ),
        (
            model([RELU], outputs=[value("z")]),
            "output 'z' is made by no node, expected one that makes it. Export the model again.",
        ),
        (
            model([node("If", "x", then_branch=helper.make_graph([], "then", [], [value("x")]))]),
            "node 'if' (If) lacks a branch, expected then_branch and else_branch. Export the model again.",
        ),
        (model([RELU], outputs=[]), "the graph has no outputs, expected at least one. Export the model again."),
        (
            model([RELU, node("Abs", "x", "-")]),
            "node 'abs' (Abs) makes nothing, expected an output. Export the model again.",
        ),
        (
            model([node("Einsum", "x")]),
            "the ONNX checker says \"Required attribute 'equation' is missing. ==> Context: Bad node spec for node. Name: einsum "
            'OpType: Einsum", expected a valid model. Export the model again.',
        ),
    ],
)
def test_graphs_that_lie(made, what, tmp_path):
    write(made, tmp_path)
    refused(tmp_path, DataError, what)


def calling(count, end):
    """Make functions of which each calls the next one twice, the last one its end."""
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    functions = []
    for number in range(count):
        called, domain = (f"F{number + 1}", "own") if number + 1 < count else end
        nodes = [helper.make_node(called, [a], [b], domain=domain) for a, b in (("a", "b"), ("b", "c"))]
        functions.append(helper.make_function("own", f"F{number}", ["a"], ["c"], nodes, imports))
    return model([node("F0", "x", domain="own")], opset={"": 20, "own": 1}, functions=functions)


def test_functions_that_call_themselves(tmp_path):
    write(calling(2, ("F0", "own")), tmp_path)
    refused(
        tmp_path,
        DataError,
        "function 'F0' calls itself or too many others, expected functions that end. Do not trust this file.",
    )


def test_functions_in_a_chain_without_end(tmp_path):
    write(calling(2000, ("Relu", "")), tmp_path)
    refused(
        tmp_path,
        DataError,
        "function 'F101' calls itself or too many others, expected functions that end. Do not trust this file.",
    )


def test_functions_with_control_flow(tmp_path):
    made = calling(1, ("Relu", ""))
    branch = helper.make_graph([], "branch", [], [value("q")])
    made.functions[0].node.append(helper.make_node("If", ["a"], ["d"], then_branch=branch, else_branch=branch))
    write(made, tmp_path)
    refused(
        tmp_path,
        UnsupportedError,
        "the node If that makes 'd' holds a graph, expected plain operators. Export the model without control flow.",
    )


def test_functions_that_would_fill_the_memory(tmp_path):
    write(calling(40, ("Relu", "")), tmp_path)
    refused(
        tmp_path,
        DataError,
        "its functions stand for 1099511627776 nodes, expected at most 100000. Do not trust this file.",
    )


def failing(made, kind, what, folder, *inputs, **named):
    """Load a model, run it, and hold the whole message against what is expected behind the file's name."""
    path = write(made, folder)
    loaded = eventnet.load(path)
    with pytest.raises(kind) as caught:
        eventnet.simulate(loaded, *inputs, kwargs=named, progress=False)
    assert str(caught.value) == f"{str(path)!r}: {what}"


ORDER = "expected 1: x. Give one tensor for each, in this order or by name."


@pytest.mark.parametrize(
    ("inputs", "named", "kind", "what"),
    [
        ((), {}, ParameterError, f"the model is given 0 inputs, {ORDER}"),
        ((torch.ones(1, 4), torch.ones(1, 4)), {}, ParameterError, f"the model is given 2 inputs, {ORDER}"),
        ((torch.ones(1, 4),), {"x": torch.ones(1, 4)}, ParameterError, f"the model is given 1 inputs and 'x', {ORDER}"),
        ((), {"z": torch.ones(1, 4)}, ParameterError, f"the model is given 0 inputs and 'z', {ORDER}"),
        (
            (torch.ones(1, 5),),
            {},
            ShapeError,
            "input 'x' has shape (1, 5), expected (1, 4). Give the model an input of the shape it was exported for.",
        ),
        (
            (torch.ones(4),),
            {},
            ShapeError,
            "input 'x' has shape (4,), expected (1, 4). Give the model an input of the shape it was exported for.",
        ),
        (
            (torch.ones(1, 4, dtype=torch.float64),),
            {},
            ParameterError,
            "input 'x' is of type torch.float64, expected a tensor of type torch.float32. Convert it first.",
        ),
        (
            (np.ones((1, 4)),),
            {},
            ParameterError,
            "input 'x' is a ndarray, expected a tensor of type torch.float32. Convert it first.",
        ),
    ],
)
def test_inputs_that_the_model_does_not_take(inputs, named, kind, what, tmp_path):
    failing(model([RELU]), kind, what, tmp_path, *inputs, **named)


def test_sizes_of_one_name_must_be_one(tmp_path):
    made = model([node("Add", "x z")], [value("x", ("N", None)), value("z", ("N", None))], [value("y", ("N", None))])
    what = "input 'z' has shape (3, 4), expected (2, any). Give the model an input of the shape it was exported for."
    failing(made, ShapeError, what, tmp_path, torch.ones(2, 4), torch.ones(3, 4))


def test_an_input_that_does_not_fit_the_weights(tmp_path):
    made = model([PRODUCT], inputs=[value("x", (1, 5))], outputs=THREE, initializers=(weights("w", np.ones((4, 3))),))
    failing(
        made,
        ShapeError,
        "node 'product' (MatMul): it fails with 'mat1 and mat2 shapes cannot be multiplied (1x5 and 4x3)' on inputs of shapes "
        "(1, 5), (4, 3), expected what the operator takes. Give the model other inputs, or export it again.",
        tmp_path,
        torch.ones(1, 5),
    )


@pytest.mark.parametrize(("shape", "shown"), [((1, 7), "(1, 7)"), ((1, 3, 1), "(1, 3, 1)"), (("N", 4), "(N, 4)")])
def test_an_output_of_another_shape_than_declared(shape, shown, tmp_path):
    made = model([PRODUCT], outputs=[value("y", shape)], initializers=(weights("w", np.ones((4, 3))),))
    what = f"output 'y' has shape (1, 3), expected {shown} as the file says. Export the model again."
    failing(made, ShapeError, what, tmp_path, torch.ones(1, 4))


@pytest.mark.parametrize("axis", [2**63 - 2, -(2**30) - 4])
def test_an_axis_far_out_of_range_does_not_end_the_process(axis, tmp_path):
    norm = node("LayerNormalization", "x w", "y mean", axis=axis)
    made = model([norm], outputs=[value("y"), value("mean")], initializers=(weights("w", np.ones(4)),))
    failing(
        made,
        ShapeError,
        f"node 'layernormalization' (LayerNormalization): it fails with 'axis {axis} is out of the range of 2 dimensions' on inputs "
        "of shapes (1, 4), (4,), expected what the operator takes. Give the model other inputs, or export it again.",
        tmp_path,
        torch.ones(1, 4),
    )


def test_inputs_that_do_not_fit_together(tmp_path):
    made = model([node("Add", "x z")], [value("x", ("N",)), value("z", ("M",))], [value("y", ("L",))])
    failing(
        made,
        ShapeError,
        "node 'add' (Add): it fails with 'The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension "
        "0' on inputs of shapes (2,), (3,), expected what the operator takes. Give the model other inputs, or export it again.",
        tmp_path,
        torch.ones(2),
        torch.ones(3),
    )


def test_a_condition_of_several_elements(tmp_path):
    branch = helper.make_graph([node("Identity", "x", "z")], "branch", [], [value("z")])
    choose = node("If", "c", then_branch=branch, else_branch=branch)
    made = model([choose], inputs=[value("x"), value("c", (2,), TensorProto.BOOL)])
    what = "node 'if' (If): the condition has 2 elements, expected 1. Export the model again."
    failing(made, ShapeError, what, tmp_path, torch.ones(1, 4), torch.tensor([True, False]))


@pytest.mark.parametrize("index", [7, -5])
def test_an_index_beyond_the_end(index, tmp_path):
    made = model(
        [node("Gather", "w x")], [value("x", (1,), TensorProto.INT64)], [value("y", (1, 2))], (weights("w", np.ones((4, 2))),)
    )
    failing(
        made,
        ShapeError,
        "node 'gather' (Gather): it fails with 'index out of range in self' on inputs of shapes (4, 2), (1,), expected what the "
        "operator takes. Give the model other inputs, or export it again.",
        tmp_path,
        torch.tensor([index]),
    )


def test_a_size_that_no_memory_has(tmp_path):
    made = model([node("ConstantOfShape", "x", name="fill")], [value("x", (2,), TensorProto.INT64)], [value("y", ("a", "b"))])
    failing(
        made,
        UnsupportedError,
        "node 'fill' (ConstantOfShape): a tensor of 1152921504606846976 elements is to be made, expected at most 2147483648. "
        "Export the model without it.",
        tmp_path,
        torch.tensor([2**40, 2**20]),
    )


def test_a_kernel_that_is_not_the_weights(tmp_path):
    convolution = node("Conv", "x w", kernel_shape=[5, 5])
    made = model(
        [convolution],
        [value("x", ("N", "C", "H", "W"))],
        [value("y", ("a", "b", "c", "d"))],
        (weights("w", np.ones((1, 1, 3, 3))),),
    )
    what = "node 'conv' (Conv): kernel_shape is (5, 5), expected (3, 3) as of the weights. Repair the file."
    failing(made, ShapeError, what, tmp_path, torch.ones(1, 1, 9, 9))


def test_more_outputs_than_the_operator_makes(tmp_path):
    made = model([node("Softsign", "x", "y z")])
    write(made, tmp_path)
    refused(
        tmp_path,
        DataError,
        "the ONNX checker says 'Node(softsign) with schema(::Softsign:1) has output size 2 not in range [min=1, max=1]. ==> Context: Bad node "
        "spec for node. Name: softsign OpType: Softsign', expected a valid model. Export the model again.",
    )


def test_dropout_in_training_mode(tmp_path):
    made = model([node("Dropout", "x r t")], initializers=(weights("r", 0.5), weights("t", True, "bool")))
    failing(
        made,
        UnsupportedError,
        "node 'dropout' (Dropout): training_mode is true, expected inference, in which dropout does nothing. Export the model "
        "without it.",
        tmp_path,
        torch.ones(1, 4),
    )


def test_the_smallest_integer_by_minus_one_does_not_end_the_process(tmp_path):
    kind = TensorProto.INT64
    made = model([node("Div", "x z")], [value("x", (2,), kind), value("z", (2,), kind)], [value("y", (2,), kind)])
    loaded = eventnet.load(write(made, tmp_path))
    assert loaded(torch.tensor([-(2**63), -7]), torch.tensor([-1, 2])).tolist() == [-(2**63), -3]


def test_bytes_that_are_neither_true_nor_false_are_true(tmp_path):
    tensor = helper.make_tensor("w", TensorProto.BOOL, (3,), b"\x00\x01\x07", raw=True)
    made = model([node("Not", "w")], [], [value("y", (3,), TensorProto.BOOL)], (tensor,))
    assert eventnet.load(write(made, tmp_path))().tolist() == [True, False, False]


@pytest.mark.parametrize("damaged", range(1, 4))
def test_damaged_bytes_give_one_sentence_or_a_model(damaged, tmp_path):
    network = model(
        [PRODUCT, node("Relu", "y", "z")], outputs=[value("z", (1, 3))], initializers=(weights("w", np.ones((4, 3))),)
    )
    whole, draw = network.SerializeToString(), np.random.default_rng(0)
    messages = set()
    for _ in range(200):
        content = bytearray(whole)
        for place in draw.integers(len(content), size=damaged):
            content[place] = draw.integers(256)
        messages.add(attempt(write(bytes(content), tmp_path)))
    assert len(messages) > 10
    assert not any("\n" in message for message in messages)
    assert os.listdir(tmp_path) == ["model.onnx"]


def attempt(path):
    """Load and run a file on ones; return what is wrong with it, if anything."""
    try:
        loaded = eventnet.load(path)
        loaded(*(torch.ones([one if isinstance(one, int) else 1 for one in each.shape or ()]) for each in loaded.inputs))
    except eventnet.EventNetError as error:
        return str(error)
    return ""


def test_names_that_are_no_text(tmp_path):
    content = model([node("Relu", "x", name="abcdef")]).SerializeToString().replace(b"abcdef", b"abc\xffef")
    write(content, tmp_path)
    refused(tmp_path, DataError, "a name in it is no UTF-8, expected text. Copy the file again or export the model again.")
