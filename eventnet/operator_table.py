"""The table of operators in `eventnet/ops/README.md`, made from the code: `make operators` writes it."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import eventnet.ops as op_files
from hwmodel.catalogue import load, machines, modules_of
from hwmodel.machine import Machine
from hwmodel.task import Task
from hwmodel.vector import VectorTask

HEAD = """# Operators

One file each; this table is made from them by `make operators`. A *product* is computed from its events and judged by PyTorch.
*Vector work* has no products: it takes ticks and energy, and PyTorch's kernel runs on what flows. A *fused* operator or a
function is watched as the plain ones that it is made of, or taken for one operation. In-place and `out=` variants are
included. The machines are those that can run the kind of task. Whatever is not here runs in PyTorch, is listed as `other`, and
is refused by `strict`.

| file | what it takes | form | records call it | machines | in PyTorch |
|---|---|---|---|---|---|
"""


def markdown() -> str:
    """Return the whole document."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for module in modules_of(op_files) for row in _rows(module))


def _rows(module: ModuleType) -> Iterator[tuple[str, ...]]:
    """Yield a row for each kind of entry that a file has."""
    file = f"`{module.__name__.split('.')[-1]}.py`"
    assert module.__doc__ is not None
    what = " ".join(module.__doc__.split("\n\n")[0].split()).rstrip(".")
    for op in dict.fromkeys(form.op for form in getattr(module, "FORMS", ())):
        names = [name for form in module.FORMS if form.op == op for name in form.aten]
        kind = "convolution" if op == "convolution" else "matmul"
        yield file, what, "product", op, _machines_for(kind), _code(names)
    for op in dict.fromkeys(form.op for form in getattr(module, "VECTORS", ())):
        forms = [form for form in module.VECTORS if form.op == op]
        tags = [f"whatever is tagged `{form.tag.name}`" for form in forms if form.tag is not None]
        listed = ", ".join([*tags, *filter(None, [_code([name for form in forms for name in form.aten])])])
        yield file, what, "vector work", op or "its own name", _machines_for("vector"), listed
    rewrites = list(getattr(module, "REWRITES", ()))
    if rewrites:
        yield file, what, "fused", "those of its parts", _machines_for("matmul"), _code(rewrites)
    for op, functions in getattr(module, "FUNCTIONS", {}).items():
        names = [f"{function.__module__}.{function.__name__}" for function in functions]
        yield file, what, "function", op, _machines_for("vector"), _code(names)


def _machines_for(kind: str) -> str:
    return ", ".join(name for name in sorted(machines()) if _can_run(load(name), kind))


def _can_run(machine: Machine, kind: str) -> bool:
    if kind == "vector":
        return machine.vector_plan(VectorTask("copy", 1, 1)) is not None
    task = Task.convolution((1, 3, 3), (1, 1, 3, 3)) if kind == "convolution" else Task.matmul((2,), (2, 2))
    return machine.cannot_map(task) is None


def _code(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


if __name__ == "__main__":
    (Path(op_files.__path__[0]) / "README.md").write_text(markdown())
