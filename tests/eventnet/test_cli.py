"""The command line: what it prints, and one line and exit code 2 for what it cannot do."""

import json

import pytest
import torch
from PIL import Image

from eventnet.cli import machine_from, main
from hwmodel import machines

FACTORY = """
import torch
def tiny():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 3))
def with_inputs():
    return torch.nn.Linear(4, 2), torch.ones(1, 4)
def broken():
    raise ValueError("no weights here")
def nothing():
    return 3
def nan():
    model = torch.nn.Linear(4, 2)
    model.weight.data.fill_(float("nan"))
    return model, torch.ones(1, 4)
def several():
    return torch.nn.Conv2d(1, 1, 3), torch.ones(2, 1, 5, 5)
def leaves():
    raise SystemExit(3)
def fails():
    def program(x):
        raise KeyError("inside")
    return program, torch.ones(1)
"""


@pytest.fixture
def factory(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(FACTORY)
    return str(path)


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("RGB", (40, 30), (200, 100, 50)).save(path)
    return str(path)


def test_run_prints_the_table_and_writes_json(factory, picture, tmp_path, capsys):
    out = tmp_path / "run.json"
    arguments = ["run", f"{factory}:tiny", "--baseline", "dadiannao", "--image", picture, "--size", "16", "--json", str(out)]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("cnvlutin against dadiannao: ")
    assert "both exact checks hold" in printed
    assert json.loads(out.read_text())["totals"]["coverage"] == 1.0


def test_run_writes_a_trace_of_every_job(factory, tmp_path, capsys):
    out = tmp_path / "trace.json"
    assert main(["run", f"{factory}:with_inputs", "--perfetto", str(out), "--trace", "job"]) == 0
    events = json.loads(out.read_text())["traceEvents"]
    assert [one["name"] for one in events if one.get("cat") == "job"] == ["round 0"] * 4


def test_run_writes_a_page(factory, tmp_path, capsys):
    out = tmp_path / "run.html"
    assert main(["run", f"{factory}:with_inputs", "--html", str(out)]) == 0
    assert out.read_text().startswith("<!DOCTYPE html>")


def test_every_machine_is_compared_in_one_table(factory, capsys):
    assert main(["run", f"{factory}:with_inputs", "--machine", "all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "8 macs, of which 8 (100.0%) are effectual"
    assert sorted(line.split()[0] for line in lines[4:] if line.split()[:1] and line.split()[0] in machines()) == sorted(
        machines()
    )
    assert lines[-1] == "agreement  not checked, since PyTorch's own values flowed and nothing was multiplied"


def test_the_machines_may_multiply_too(factory, capsys, monkeypatch):
    monkeypatch.setattr("eventnet.cli.machines", lambda: ["cnvlutin", "dadiannao"])  # others may need numerics of their own
    assert main(["run", f"{factory}:with_inputs", "--machine", "all", "--values", "events"]) == 0
    assert "agreement  dadiannao: every product agrees with PyTorch" in capsys.readouterr().out


def test_a_named_model_runs_on_a_photograph(capsys):
    assert main(["run", "lenet300", "--values", "reference", "--zero-fraction", "0.5"]) == 0
    printed = capsys.readouterr().out
    assert printed.endswith("note       biases are set such that 50% of each layer's operands are zero on this input\n")


def test_a_factory_may_bring_its_inputs(factory, capsys):
    assert main(["run", f"{factory}:with_inputs", "--machine", "cnvlutin:lanes=2,skip_fully_connected=true"]) == 0
    assert "Linear" in capsys.readouterr().out


def test_the_numerics_are_chosen_on_the_command_line(factory, tmp_path, capsys):
    out = tmp_path / "run.json"
    assert main(["run", f"{factory}:with_inputs", "--numerics", "fixed16", "--json", str(out)]) == 0
    assert "numerics   fixed16: 0 elements saturated, " in capsys.readouterr().out
    assert json.loads(out.read_text())["settings"]["numerics"] == "fixed16"


def test_machine_parameters_are_read_from_the_command_line():
    machine = machine_from("cnvlutin:lanes=32,assignment=brick,encoder_throttles=True,clock_hz=1e9")
    assert (machine.lanes, machine.assignment, machine.encoder_throttles, machine.clock_hz) == (32, "brick", True, 1e9)


def test_machines_and_models_are_listed(capsys):
    assert main(["machines"]) == 0
    assert "cnvlutin: Cnvlutin, Albericio et al., ISCA 2016" in capsys.readouterr().out
    assert main(["models"]) == 0
    assert "alexnet  input (1, 3, 227, 227)\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["alexnt"],
            "eventnet.models.load: no model is called 'alexnt', expected one of alexnet, cnnm, cnns, googlenet, lenet300, lenet5, "
            "nin, vgg19. Did you mean 'alexnet'?",
        ),
        (
            ["lenet300", "--machine", "eyeris"],
            "hwmodel.load: no machine is called 'eyeris', expected one of cnvlutin, dadiannao, eie, eyeriss, eyeriss_v2_pe. "
            "Did you mean 'eyeriss'?",
        ),
        (
            ["lenet300", "--machine", "dadiannao:lane=4"],
            "hwmodel.load: machine 'dadiannao' has no parameter 'lane', expected one of clock_hz, filters_per_unit, lanes, "
            "link_bytes_per_second, synapse_bytes_per_unit, units, vector_lanes. Did you mean 'lanes'?",
        ),
        (
            ["lenet300", "--machine", "dadiannao:lanes"],
            "machine 'dadiannao:lanes': 'lanes' has no value, expected parameter=value, as in dadiannao:lanes=32.",
        ),
        (
            ["lenet300", "--machine", "dadiannao:lanes=0"],
            "machine 'dadiannao': lanes is 0, expected an integer of at least 1 (neuron lanes of a tile; all tiles get the same "
            "neurons).",
        ),
        (
            ["lenet300", "--engine", "fast"],
            "eventnet.simulate: no engine is called 'fast', expected one of auto, bulk, event.",
        ),
        (
            ["lenet300", "--numerics", "fixed8"],
            "eventnet.simulate: numerics is 'fixed8', expected one of auto, bfloat16, fixed16, float32, float64. Did you mean "
            "'fixed16'?",
        ),
        (
            ["lenet300", "--threshold", "-1"],
            "eventnet.simulate: threshold is -1.0, expected a number of at least 0. Activations of smaller magnitude count as "
            "zero, so 0 drops nothing.",
        ),
        (
            ["lenet300", "--json", "/no/such/folder/run.json"],
            "writing '/no/such/folder/run.json': '/no/such/folder' is no folder that can be written or the path is a folder "
            "itself, expected a file that can be written. Choose another path.",
        ),
        (
            ["lenet300", "--machine", "all", "--baseline", "dadiannao"],
            "eventnet run: --machine all comes with --baseline dadiannao, expected one machine for that. Name it, or take the table "
            "alone.",
        ),
        (
            ["lenet300", "--machine", "all", "--json", "run.json"],
            "eventnet run: --machine all comes with --json run.json, expected one machine for that. Name it, or take the table "
            "alone.",
        ),
        (
            ["lenet300", "--html", "/no/such/folder/run.html"],
            "writing '/no/such/folder/run.html': '/no/such/folder' is no folder that can be written or the path is a folder "
            "itself, expected a file that can be written. Choose another path.",
        ),
        (
            ["lenet300", "--perfetto", "/no/such/folder/trace.json"],
            "writing '/no/such/folder/trace.json': '/no/such/folder' is no folder that can be written or the path is a folder "
            "itself, expected a file that can be written. Choose another path.",
        ),
        (
            ["lenet300", "--trace", "job", "--engine", "bulk"],
            "eventnet.simulate: trace is 'job' and engine is 'bulk', expected engine 'event' or 'auto' for a trace of jobs, since "
            "the bulk engine plays none. Leave the engine out.",
        ),
        (
            ["missing.py:make"],
            "eventnet run: there is no file 'missing.py', expected MODEL as a name, model.onnx or file.py:factory.",
        ),
        (
            ["FACTORY:make"],
            "eventnet run: 'FACTORY' has no function 'make', expected one of broken, fails, leaves, nan, nothing, several, tiny, "
            "with_inputs.",
        ),
        (["FACTORY:broken"], "eventnet run: FACTORY:broken raises ValueError: no weights here. Mend it first."),
        (
            ["FACTORY:nothing"],
            "eventnet run: FACTORY:nothing returns int, expected a module, or a pair of a module and its inputs.",
        ),
        (
            ["FACTORY:tiny"],
            "eventnet run: FACTORY:tiny makes a model without inputs, expected a picture with --image FILE, or a factory that "
            "returns a pair of the model and its inputs.",
        ),
        (
            ["FACTORY:fails"],
            "eventnet run: FACTORY:fails raises KeyError: 'inside' on its input. Run the model by itself first, or give it "
            "another input.",
        ),
        (
            ["FACTORY:nan"],
            "eventnet.simulate: parameter 'weight': 8 of 8 weights are NaN or infinite, expected finite ones. A zero activation "
            "times such a weight is NaN in PyTorch and an event that is not sent here; repair the parameter first.",
        ),
        (
            ["FACTORY:several"],
            "eventnet.simulate: convolution in Conv2d: a convolution is given 2 samples at once, expected 1. Run them one after "
            'the other with simulate(model, samples=...), or say leading="sequence" if they are frames or crops of one sample.',
        ),
    ],
)
def test_bad_input_gets_one_line_and_exit_code_2(arguments, message, factory, capsys):
    given = [argument.replace("FACTORY", factory) for argument in arguments]
    assert main(["run", *given]) == 2
    captured = capsys.readouterr()
    assert captured.err.splitlines()[-1] == f"eventnet: {message.replace('FACTORY', factory)}"
    assert captured.out == ""


def test_a_file_that_is_no_picture_is_refused(tmp_path, capsys):
    path = tmp_path / "text.png"
    path.write_text("not a picture")
    assert main(["run", "lenet300", "--image", str(path)]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("eventnet: eventnet.models.image: ")
    assert str(path) in printed
    assert len(printed.splitlines()) == 1


def test_an_interrupt_ends_quietly(monkeypatch, capsys):
    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    monkeypatch.setattr("eventnet.cli.simulate", interrupt)
    assert main(["run", "lenet300"]) == 130
    assert capsys.readouterr().err == "eventnet: interrupted\n"


def test_grad_mode_is_left_as_it_was(factory):
    assert torch.is_grad_enabled()
    main(["run", f"{factory}:with_inputs"])
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet300", "--size", "0"], "eventnet run: --size is 0, expected 1 to 8192 pixels a side."),
        (["lenet300", "--size", "100000"], "eventnet run: --size is 100000, expected 1 to 8192 pixels a side."),
        (["FACTORY:leaves"], "eventnet run: FACTORY:leaves raises SystemExit: 3. Mend it first."),
        (
            ["lenet300", "--machine", "cnvlutin:name=x"],
            "hwmodel.load: machine 'cnvlutin' has no parameter 'name', expected one of assignment, brick, clock_hz, "
            "empty_brick_ticks, encoder_throttles, filters_per_unit, lanes, link_bytes_per_second, skip_fully_connected, "
            "synapse_bytes_per_unit, units, vector_lanes.",
        ),
    ],
)
def test_unusual_input_gets_one_line_too(arguments, message, factory, capsys):
    given = [argument.replace("FACTORY", factory) for argument in arguments]
    assert main(["run", *given]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"eventnet: {message.replace('FACTORY', factory)}"
