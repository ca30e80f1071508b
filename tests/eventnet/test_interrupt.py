"""An interrupt leaves no half-written file, no thread, and PyTorch as it was: real signals to a process, and errors in a forward."""

import gc
import os
import pkgutil
import signal
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

import eventnet

ROOT = Path(__file__).parents[2]

# The command line, which says on standard output when a module begins and when a file is begun, and waits there for a signal.
TOLD = """
import sys, time
from torch.nn.modules.module import register_module_forward_pre_hook
import eventnet.cli
from eventnet.reports import whole_file

moment, calls = sys.argv.pop(1), [0]

def wait_at(name):
    if name == moment:
        print("now", flush=True)
        time.sleep(60)

def before(module, arguments):
    calls[0] += 1
    wait_at(f"module {calls[0]}")

register_module_forward_pre_hook(before)
fsync, opened = whole_file.os.fsync, [0]

def told_fsync(handle):
    opened[0] += 1
    wait_at(f"file {opened[0]}")
    fsync(handle)

whole_file.os.fsync = told_fsync
sys.exit(eventnet.cli.main(sys.argv[1:]))
"""


def hears_interrupts() -> None:
    """Undo what the tests may have inherited: who starts them in the background tells them to ignore such signals."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(folder: Path, moment: str) -> subprocess.Popen:
    """Run the command line in a folder, and interrupt it at a moment that it tells."""
    files = [argument for kind in ("json", "csv", "perfetto") for argument in (f"--{kind}", f"out.{kind}")]
    process = subprocess.Popen(
        [sys.executable, "-c", TOLD, moment, "run", "alexnet", "--baseline", "dadiannao", *files],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hears_interrupts,
        text=True,
    )
    assert process.stdout.readline() == "now\n"
    process.send_signal(signal.SIGINT)
    return process


# Alexnet has 21 modules: 2 to 22 are called in the untouched forward, 24 to 44 in the watched one.
@pytest.mark.parametrize(
    ("moment", "whole"),
    [
        ("module 1", []),
        ("module 9", []),
        ("module 30", []),
        ("file 1", []),
        ("file 2", ["out.json"]),
        ("file 3", ["out.csv", "out.json"]),
    ],
)
def test_an_interrupted_command_leaves_no_half_written_file(tmp_path, moment, whole):
    process = interrupted(tmp_path, moment)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output == ""
    assert errors.splitlines()[-1].endswith("eventnet: interrupted")
    assert "Traceback" not in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == whole


def test_a_signal_during_a_long_operator_is_no_different(tmp_path):
    """At no chosen moment: the progress bar says that it is in the middle."""
    process = subprocess.Popen(
        [sys.executable, "-m", "eventnet", "run", "alexnet", "--engine", "event", "--json", "out.json"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hears_interrupts,
    )
    seen = b""
    while b"operators" not in seen:
        seen += (read := process.stderr.read1())
        assert read
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, b"")
    assert errors.endswith(b"eventnet: interrupted\n")
    assert list(tmp_path.iterdir()) == []


class Interrupted(nn.Module):
    """Raises an interrupt at the nth forward."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.calls = at, count(1)  # no number or list, which is put back after the untouched forward

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        if next(self.calls) == self.at:
            raise KeyboardInterrupt
        return value


def network(at: int) -> nn.Sequential:
    """Make a network with buffers, drawn numbers, and an interrupt in its middle."""
    torch.manual_seed(3)
    layers = [nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Dropout(0.5), Interrupted(at), nn.Conv2d(3, 2, 1)]
    return nn.Sequential(*layers)


def state() -> tuple[object, ...]:
    """Tell what an interrupted run could leave behind."""
    return _get_current_dispatch_mode_stack(), nn.Module.__call__, threading.enumerate(), torch.is_grad_enabled()


@pytest.mark.parametrize("engine", ["bulk", "event"])
@pytest.mark.parametrize(("at", "batches"), [(1, 0), (2, 1)], ids=["untouched", "watched"])
def test_an_interrupted_simulation_leaves_pytorch_as_it_was(at, batches, engine):
    """The untouched forward is undone; of the watched one, what the program itself has done until then stays."""
    model, picture, before = network(at), torch.randn(1, 2, 5, 5), state()
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    drawn = torch.get_rng_state()
    with pytest.raises(KeyboardInterrupt):
        eventnet.simulate(model, picture, engine=engine, baseline="dadiannao")
    assert state() == before
    assert model[1].num_batches_tracked == batches
    if not batches:
        assert all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers())
        assert torch.equal(torch.get_rng_state(), drawn)
    torch.manual_seed(4)
    plain = model(picture)
    torch.manual_seed(4)
    again = eventnet.simulate(model, picture, engine=engine)
    assert again.agreement
    assert state() == before
    assert torch.allclose(again.outputs, plain, atol=1e-5)


@pytest.mark.parametrize(("at", "count"), [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)])
def test_interrupted_samples_leave_pytorch_as_it_was_and_keep_what_was_done(at, count):
    model, before = network(at), state()
    samples = eventnet.simulate(model, samples=[torch.randn(1, 2, 5, 5) for _ in range(4)])
    assert (samples.count, samples.interrupted) == (count, True)
    assert state() == before
    assert eventnet.simulate(model, samples=[torch.randn(1, 2, 5, 5)]).count == 1


def test_an_interrupted_watch_leaves_pytorch_as_it_was():
    model, before = network(1), state()
    with pytest.raises(KeyboardInterrupt), eventnet.watch():
        model(torch.randn(1, 2, 5, 5))
    assert state() == before
    with eventnet.watch() as watcher:
        model(torch.randn(1, 2, 5, 5))
    assert watcher.run.agreement
    assert state() == before


@pytest.mark.parametrize(
    "moment",
    [
        "eventnet.progress.Bar.__init__",
        "eventnet.modules._Calls._watched_call",
        "eventnet.modes.OperatorMode.__enter__",
    ],
)
def test_an_interrupt_while_a_watch_begins_leaves_pytorch_as_it_was(monkeypatch, moment):
    before = state()

    def interrupt(*arguments, **keywords):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(moment, interrupt)
        with pytest.raises(KeyboardInterrupt), eventnet.watch():
            pass
    assert state() == before
    assert eventnet.simulate(nn.Linear(3, 2), torch.ones(1, 3)).agreement


@pytest.mark.parametrize(
    "moment",
    ["eventnet.progress.Bar.close", "eventnet.operations.Operations.forget", "eventnet.modules._Calls.end"],
)
def test_an_interrupt_while_a_watch_ends_leaves_pytorch_as_it_was(monkeypatch, moment):
    gc.collect()  # of bars that others have left, which close when they die
    before, interrupts = state(), []
    owner, name = moment.rsplit(".", 1)
    real = getattr(pkgutil.resolve_name(owner), name)

    def interrupted_once(*arguments):
        if not interrupts:
            interrupts.append(moment)
            raise KeyboardInterrupt
        return real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(moment, interrupted_once)
        with pytest.raises(KeyboardInterrupt), eventnet.watch():
            torch.ones(2) + 1
    assert state() == before
    assert eventnet.simulate(nn.Linear(3, 2), torch.ones(1, 3)).agreement
