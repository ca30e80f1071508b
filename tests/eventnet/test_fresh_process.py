"""What a process needs that has just begun: few imports, and no place to write."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

SIMULATE = """
import sys, torch, eventnet, scheduler.law
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 2, 1))
run = eventnet.simulate(model, torch.ones(1, 3, 5, 5), machine="cnvlutin", baseline="dadiannao")
print(run.ticks, bool(run.agreement))
"""


def told(program: str, **options) -> list[str]:
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, **options)
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()


def test_a_simulation_imports_nothing_that_it_does_not_need():
    """Each of these takes longer to import than a small network takes to run; PyTorch's compiler, longer than PyTorch itself."""
    needless = ("torch._dynamo", "torch._inductor", "sympy", "pandas", "onnx", "PIL", "skimage", "sklearn", "matplotlib")
    program = f"{SIMULATE}\nprint([name for name in {needless} if name in sys.modules])"
    assert told(program, env=os.environ | {"PYTHONPATH": str(ROOT)})[1:] == ["[]"]


COMPILED = """
import torch, eventnet
layer = torch.nn.Linear(4, 3)
function = torch.compile(lambda value: torch.relu(layer(value)) * 2, backend="eager")
value = torch.ones(1, 4)
runs = [eventnet.simulate(function, value, progress=False) for _ in range(2)]
print([[record.op for record in run.records] for run in runs], all(run.agreement for run in runs))
"""


def test_a_compiled_program_does_not_have_the_watcher_compiled():
    """That took seconds, and told what PyTorch's compiler thinks of our code."""
    process = subprocess.run(
        [sys.executable, "-c", COMPILED], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert process.stdout == "[['matmul', 'relu', 'mul'], ['matmul', 'relu', 'mul']] True\n"
    assert process.stderr == ""


@pytest.fixture
def nowhere(tmp_path) -> Path:
    """Give a copy of the packages in which nobody can make a cache, not even the superuser: files stand where folders would."""
    for package in ("eventnet", "scheduler", "hwmodel"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [path for path in tmp_path.rglob("*") if path.is_dir()]:
        (folder / "__pycache__").touch()
    (tmp_path / "home").touch()
    return tmp_path


@pytest.mark.slow
def test_where_no_compiled_loop_can_be_kept_a_simulation_works_all_the_same(nowhere):
    before = sorted(nowhere.rglob("*"))
    homes = {name: str(nowhere / "home") for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
    homes["NUMBA_CACHE_DIR"] += "/cache"  # below a file there is no folder
    program = f"{SIMULATE}\nprint(eventnet.__file__)\nprint(type(scheduler.law._advance._cache).__name__)"
    found = told(program, env=os.environ | homes | {"PYTHONPATH": str(nowhere)}, cwd=nowhere)
    assert found == [
        *told(SIMULATE, env=os.environ | {"PYTHONPATH": str(ROOT)}),
        f"{nowhere}/eventnet/__init__.py",
        "NullCache",
    ]
    assert sorted(nowhere.rglob("*")) == before
