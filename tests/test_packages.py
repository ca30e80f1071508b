"""The packages know only what they may, and everything public in them says what it is."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "hwmodel": {"hwmodel", "numpy", "numba", "llvmlite"},  # llvmlite is how numba is told of vectors
    "scheduler": {"scheduler", "hwmodel", "simpy", "sortedcontainers", "numpy", "numba"},
}
FILES = {package: sorted((ROOT / package).rglob("*.py")) for package in ("hwmodel", "scheduler", "eventnet")}
DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    """Give the first name of every import of a file, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written in full"
            yield str(node.module).partition(".")[0]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (one.value.partition(".")[0] for one in node.args if isinstance(one, ast.Constant))


def undocumented(tree: ast.Module) -> Iterator[str]:
    """Give the public classes, functions and methods of a file that have no docstring, and the file itself."""
    if not ast.get_docstring(tree):
        yield "the module"
    places: list[tuple[str, ast.Module | ast.ClassDef]] = [("", tree)]
    while places:
        path, place = places.pop()
        for node in place.body:
            if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
                if not ast.get_docstring(node) and not is_overload_or_setter(node):
                    yield path + node.name
                if isinstance(node, ast.ClassDef):
                    places.append((f"{path}{node.name}.", node))


def is_overload_or_setter(node: DEFINITIONS) -> bool:
    return any(ast.unparse(one).endswith(("overload", ".setter")) for one in node.decorator_list)


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_imports_point_one_way(package):
    assert FILES[package]
    allowed = ALLOWED[package] | set(sys.stdlib_module_names)
    found = {name_of(path): set(imported(ast.parse(path.read_text()))) - allowed for path in FILES[package]}
    assert {path: sorted(names) for path, names in found.items() if names} == {}


@pytest.mark.parametrize("package", sorted(FILES))
def test_everything_public_has_a_docstring(package):
    found = {name_of(path): list(undocumented(ast.parse(path.read_text()))) for path in FILES[package]}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_reading_of_imports_sees_every_kind():
    source = """
import os.path, torch
from simpy.events import Event
def later():
    import eventnet.ops
    importlib.import_module("pandas.core")
"""
    assert sorted(imported(ast.parse(source))) == ["eventnet", "os", "pandas", "simpy", "torch"]


def test_the_reading_of_docstrings_sees_every_kind():
    source = '''
"""A module."""
class Public:
    def method(self): ...
    def _private(self): ...
    def __eq__(self, other): ...
    class Inner:
        """Documented."""
        def deep(self): ...
def _hidden(): ...
async def function(): ...
def documented():
    """Do nothing."""
    def local(): ...
'''
    assert sorted(undocumented(ast.parse(source))) == ["Public", "Public.Inner.deep", "Public.method", "function"]
    assert list(undocumented(ast.parse("x = 1"))) == ["the module"]
