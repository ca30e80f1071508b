"""Models from ONNX files: the same numbers as the model they came from, under the names of their nodes."""

import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

pytest.importorskip("onnx", reason='the extra is not installed: pip install -c constraints.txt -e ".[onnx]"')

import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

import eventnet
from eventnet.cli import main
from eventnet.onnx.operators import operators
from hwmodel.errors import DuplicateNameError

sys.path.insert(0, str(Path(__file__).parent))
from files import model, node, value, weights, write


class Network(nn.Module):
    """A small network with convolutions, pooling, normalisation and a classifier."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 8, 3, stride=2, groups=2, bias=False)
        self.classify = nn.Linear(72, 5)

    def forward(self, x):
        y = nn.functional.max_pool2d(torch.relu(self.norm(self.first(x))), 2)
        return torch.softmax(self.classify(torch.relu(self.second(y)).flatten(1)), 1)


@pytest.fixture
def exported(tmp_path):
    torch.manual_seed(0)
    network, path = Network().eval(), tmp_path / "network.onnx"
    for number, tensor in enumerate((network.norm.bias.data, network.norm.running_mean, network.norm.running_var)):
        tensor.add_(0.1 * number + 0.1)  # the exporter stores equal tensors once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's exporter without further packages is the older one
        torch.onnx.export(network, (torch.randn(1, 3, 16, 16),), path, dynamo=False, do_constant_folding=False)
    return network, path


def test_an_exported_network_takes_the_same_time_for_the_same_numbers(exported):
    network, path = exported
    image = torch.randn(1, 3, 16, 16)
    with torch.no_grad():
        ours = eventnet.simulate(eventnet.load(path), image, progress=False)
        theirs = eventnet.simulate(network, image, progress=False)
    assert ours.agreement
    assert torch.equal(ours.outputs, theirs.outputs)
    assert ours.unwatched == 0
    keep = ("op", "macs", "effectual_macs", "events", "ticks", "dynamic_pj", "offchip_bytes", "first_layer")
    taken = [[getattr(record, field) for field in keep] for record in ours.product_records]
    assert taken == [[getattr(record, field) for field in keep] for record in theirs.product_records]
    assert [record.name for record in ours.product_records] == ["/first/Conv", "/second/Conv", "/classify/Gemm"]


def test_weights_are_parameters_and_can_be_trained(exported):
    network, path = exported
    loaded = eventnet.load(path)
    for ours, theirs in (
        (loaded.named_parameters(), network.named_parameters()),
        (loaded.named_buffers(), network.named_buffers()),
    ):
        expected = {name.replace(".", "_"): tuple(one.shape) for name, one in theirs if one.dim()}
        assert {name: tuple(one.shape) for name, one in ours} == expected
    loaded(torch.randn(1, 3, 16, 16)).square().sum().backward()
    assert loaded.second_weight.grad.abs().sum() > 0


def test_the_command_line_runs_a_file_on_a_picture(exported, capsys):
    _, path = exported
    assert main(["run", str(path)]) == 0
    assert "/second/Conv" in capsys.readouterr().out


def test_the_command_line_says_which_inputs_it_cannot_make(tmp_path, capsys):
    path = write(model([node("Add", "x z")], inputs=[value("x"), value("z", ("N", None))]), tmp_path)
    assert main(["run", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"eventnet: eventnet run: {str(path)!r} takes 'x' (1, 4), 'z' (N, any), expected one square picture of 1 or 3 channels. "
        "Run it from Python: eventnet.simulate(eventnet.load(path), *inputs).\n"
    )


def test_the_command_line_needs_the_file(capsys):
    assert main(["run", "missing.onnx"]) == 2
    assert capsys.readouterr().err == (
        "eventnet: eventnet.load: 'missing.onnx': there is no such file, expected an ONNX file. Mend the path.\n"
    )


def test_names_that_no_module_can_have_do_not_collide(tmp_path):
    named = {"a.b": 2, "a_b": 3, "forward": 5}
    nodes = [node("Mul", "x a.b", "t", "n.1"), node("Mul", "t a_b", "u", "n_1"), node("Mul", "u forward", "y", "training")]
    loaded = eventnet.load(
        write(model(nodes, initializers=tuple(weights(name, [number]) for name, number in named.items())), tmp_path)
    )
    assert [name for name, _ in loaded.named_parameters()] == ["a_b", "a_b_2", "forward_2"]
    assert [name for name, _ in loaded.named_children()] == ["n_1", "n_1_2", "training_2"]
    assert loaded(torch.ones(1, 4)).tolist() == [[30.0] * 4]


def test_nodes_without_names_are_called_by_operator_and_place(tmp_path):
    loaded = eventnet.load(write(model([helper.make_node("Relu", ["x"], ["y"])]), tmp_path))
    assert [name for name, _ in loaded.named_children()] == ["Relu_0"]
    assert repr(loaded) == "Graph(\n  (Relu_0): Node(Relu)\n)"


def test_outputs_may_be_left_out(tmp_path):
    nodes = [node("MaxPool", "x", "a -", kernel_shape=[2]), node("LSTM", "s w r", "- y", "lstm", hidden_size=1)]
    made = model(
        nodes,
        inputs=[value("x", (1, 1, 4)), value("s", (1, 1, 2))],
        outputs=[value("a", (1, 1, 3)), value("y", (1, 1, 1))],
        initializers=(weights("w", np.zeros((1, 4, 2))), weights("r", np.zeros((1, 4, 1)))),
    )
    largest, last = eventnet.load(write(made, tmp_path))(torch.arange(4.0).reshape(1, 1, 4), torch.ones(1, 1, 2))
    assert largest.tolist() == [[[1.0, 2.0, 3.0]]]
    assert last.tolist() == [[[0.0]]]


@pytest.mark.parametrize("size", [0, -1, None, "N"])
def test_a_size_may_be_left_open(size, tmp_path):
    made = model([node("Relu", "x")], inputs=[value("x", (size, 4))], outputs=[value("y", (size, 4))])
    assert eventnet.load(write(made, tmp_path))(torch.ones(3, 4)).shape == (3, 4)


def test_inputs_may_be_given_by_name(tmp_path):
    loaded = eventnet.load(write(model([node("Sub", "x z")], inputs=[value("x"), value("z")]), tmp_path))
    run = eventnet.simulate(loaded, kwargs={"z": torch.ones(1, 4), "x": torch.zeros(1, 4)}, progress=False)
    assert run.outputs.tolist() == [[-1.0] * 4]


def test_an_input_with_a_default_is_a_constant(tmp_path):
    made = model([node("Add", "x w")], inputs=[value("x"), value("w")], initializers=(weights("w", [[1, 2, 3, 4]]),))
    assert eventnet.load(write(made, tmp_path))(torch.zeros(1, 4)).tolist() == [[1.0, 2.0, 3.0, 4.0]]


def test_weights_may_lie_beside_the_file(tmp_path):
    np.arange(20, dtype="float32").tofile(tmp_path / "weights.bin")
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(4, 3), data_location=TensorProto.EXTERNAL)
    for key, said in {"location": "weights.bin", "offset": "32", "length": "48"}.items():
        tensor.external_data.add(key=key, value=said)
    made = model([node("MatMul", "x w")], outputs=[value("y", (1, 3))], initializers=(tensor,))
    assert eventnet.load(write(made, tmp_path))(torch.ones(1, 4)).tolist() == [[50.0, 54.0, 58.0]]


def test_the_models_own_functions_are_written_out(tmp_path):
    imports = [helper.make_opsetid("", 20)]
    twice = helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], imports)
    made = model([node("Twice", "x", domain="own")], opset={"": 20, "own": 1}, functions=[twice])
    assert eventnet.load(write(made, tmp_path))(torch.ones(1, 4)).tolist() == [[2.0] * 4]


@pytest.mark.parametrize(("condition", "expected"), [(True, 3.0), (False, 12.0)])
def test_a_branch_takes_what_it_needs_from_around_it(condition, expected, tmp_path):
    branches = [
        helper.make_graph([node("Add", "x w", "a", "add")], "then", [], [value("a")]),
        helper.make_graph([node("Mul", "u v", "b", "mul")], "else", [], [value("b")], [weights("v", [6])]),
    ]
    choose = node("If", "c", "y", "choose", then_branch=branches[0], else_branch=branches[1])
    made = model(
        [node("Add", "x x", "u"), choose],
        inputs=[value("x"), value("c", (), TensorProto.BOOL)],
        initializers=(weights("w", [2]),),
    )
    loaded = eventnet.load(write(made, tmp_path))
    run = eventnet.simulate(loaded, torch.ones(1, 4), torch.tensor(condition), progress=False)
    assert run.outputs.tolist() == [[expected] * 4]
    assert [record.name for record in run.records] == [
        "add",
        "choose.then_branch.add" if condition else "choose.else_branch.mul",
    ]


OLD = [
    (7, node("Dropout", "x"), {}),
    (9, node("Slice", "x", starts=[1], ends=[3], axes=[1]), {}),
    (9, node("TopK", "x", "y places", k=2), {}),
    (9, node("Clip", "x", min=-0.5, max=0.5), {}),
    (9, node("Pad", "x", pads=[0, 1, 0, 2], value=3.0), {}),
    (11, node("LogSoftmax", "t", axis=2), {"t": np.arange(24).reshape(2, 3, 4)}),
    (11, node("Squeeze", "x", axes=[0]), {}),
    (11, node("Unsqueeze", "x", axes=[0, 3]), {}),
    (11, node("Split", "x", "y z", split=[1, 3], axis=1), {}),
    (11, node("ReduceSum", "x", axes=[1], keepdims=0), {}),
    (17, node("ReduceMean", "x", axes=[1], keepdims=0), {}),
]


@pytest.mark.parametrize(("opset", "one", "inputs"), OLD, ids=[f"{one.op_type}-{opset}" for opset, one, _ in OLD])
def test_older_forms_of_operators_agree_with_the_packages_own_evaluator(opset, one, inputs, tmp_path):
    held = tuple(weights(name, values) for name, values in inputs.items())
    declared = [helper.make_tensor_value_info(name, 1, None) for name in one.output]
    made = model([one], initializers=held, opset=opset, outputs=declared[:1])
    made.ir_version = 8
    made.graph.output[0].type.tensor_type.ClearField("shape")
    x = np.array([[1.0, -2.0, 3.0, 0.25]], "float32")
    expected = ReferenceEvaluator(made).run(None, {"x": x})[0]
    made.graph.output[0].CopyFrom(value(one.output[0], expected.shape))
    with torch.no_grad():
        found = eventnet.load(write(made, tmp_path))(torch.from_numpy(x))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(("operator", "function"), [("Softmax", torch.softmax), ("LogSoftmax", torch.log_softmax)])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax_before_opset_13_is_that_of_a_matrix(operator, function, axis, tmp_path):
    x = torch.arange(24.0).reshape(2, 3, 4)
    made = model([node(operator, "x", axis=axis)], [value("x", (2, 3, 4))], [value("y", (2, 3, 4))], opset=11)
    rows = x.reshape([(1, 24), (2, 12), (6, 4)][axis])
    assert torch.equal(eventnet.load(write(made, tmp_path))(x), function(rows, 1).reshape(x.shape))


def test_an_operator_in_two_files_is_refused(monkeypatch):
    families = sys.modules["eventnet.onnx.operators"]
    one, two = type(sys)("one"), type(sys)("two")
    one.OPERATORS = two.OPERATORS = {"Relu": None}
    monkeypatch.setattr(families, "modules_of", lambda package: [one, two])
    with pytest.raises(DuplicateNameError) as caught:
        operators.__wrapped__()
    assert str(caught.value) == (
        "eventnet.onnx.operators: the operator 'Relu' is taken twice, by one and two. Remove it from one of them."
    )
