import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import ClassVar

import pytest

import hwmodel
from hwmodel import DuplicateNameError, ParameterError, UnknownNameError, catalogue
from hwmodel.machines.dadiannao import DaDianNao


@pytest.fixture
def found_anew():
    """Let machines be looked for again, and forget afterwards what was found."""
    catalogue._machines.cache_clear()
    yield
    catalogue._machines.cache_clear()


@dataclass(frozen=True)
class Elsewhere(DaDianNao):
    """A machine of another package."""

    name: ClassVar[str] = "elsewhere"
    paper: ClassVar[str] = "unpublished"


@dataclass(frozen=True)
class Impostor(DaDianNao):
    """A machine of another package whose name is taken."""

    name: ClassVar[str] = "cnvlutin"


def offer_entry_points(monkeypatch, *classes):
    module = ModuleType("package_elsewhere")
    for one in classes:
        setattr(module, one.__name__, one)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    points = [
        EntryPoint(name=one.name, group="eventnet.machines", value=f"{module.__name__}:{one.__name__}") for one in classes
    ]
    monkeypatch.setattr(catalogue, "entry_points", lambda group: [point for point in points if point.group == group])


def test_machines_are_listed_in_order_with_a_line_about_each_paper():
    listed = hwmodel.machines()
    assert list(listed) == sorted(listed)
    assert listed["cnvlutin"] == "Cnvlutin, Albericio et al., ISCA 2016: DaDianNao whose lanes skip zero neurons"
    assert listed["dadiannao"] == "DaDianNao, Chen et al., MICRO 2014: dense, 16 tiles of 16 lanes by 16 filters"
    assert listed["eie"] == "EIE, Han et al., ISCA 2016: compressed fully connected layers, zeros of both operands skipped"
    assert listed["eyeriss"] == "Eyeriss, Chen et al., JSSC 2017: row-stationary passes on 12 x 14 elements, zeros gated"
    assert all(line and "\n" not in line for line in listed.values())


def test_a_machine_is_loaded_with_any_of_its_parameters():
    assert hwmodel.load("cnvlutin").lanes == 16
    assert hwmodel.load("cnvlutin", lanes=32).lanes == 32
    assert hwmodel.load("dadiannao", clock_hz=1e9, units=4).units == 4


@pytest.mark.parametrize(("name", "hint"), [("cnvlutln", " Did you mean 'cnvlutin'?"), ("CNVLUTIN", ""), ("", ""), ("tpu", "")])
def test_a_machine_that_nobody_knows_is_refused(name, hint):
    with pytest.raises(UnknownNameError) as error:
        hwmodel.load(name)
    known = ", ".join(hwmodel.machines())
    assert str(error.value) == f"hwmodel.load: no machine is called {name!r}, expected one of {known}.{hint}"


@pytest.mark.parametrize(("parameter", "hint"), [("lane", " Did you mean 'lanes'?"), ("bricks", ""), ("paper", "")])
def test_a_parameter_that_a_machine_lacks_is_refused(parameter, hint):
    with pytest.raises(ParameterError) as error:
        hwmodel.load("dadiannao", **{parameter: 1})
    assert str(error.value) == (
        f"hwmodel.load: machine 'dadiannao' has no parameter {parameter!r}, expected one of clock_hz, filters_per_unit, "
        f"lanes, link_bytes_per_second, synapse_bytes_per_unit, units, vector_lanes.{hint}"
    )


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"lanes": 0},
            "machine 'cnvlutin': lanes is 0, expected an integer of at least 1 "
            "(neuron lanes of a tile; all tiles get the same neurons).",
        ),
        (
            {"brick": 2.5},
            "machine 'cnvlutin': brick is 2.5, expected an integer of at least 1 (neurons of a brick).",
        ),
        (
            {"clock_hz": -1.0},
            "machine 'cnvlutin': clock_hz is -1.0, expected a number of at least 1.0 (clock frequency in hertz).",
        ),
        (
            {"assignment": "bricks"},
            "machine 'cnvlutin': assignment is 'bricks', expected one of 'slice', 'brick'.",
        ),
        (
            {"skip_fully_connected": 1},
            "machine 'cnvlutin': skip_fully_connected is 1, expected True or False "
            "(skip zeros in fully connected layers too, as Cnvlutin2 does).",
        ),
    ],
)
def test_a_parameter_of_the_wrong_kind_or_out_of_range_is_refused(parameters, message):
    with pytest.raises(ParameterError) as error:
        hwmodel.load("cnvlutin", **parameters)
    assert str(error.value) == message


@pytest.mark.usefixtures("found_anew")
def test_machines_of_other_packages_come_in_through_entry_points(monkeypatch):
    offer_entry_points(monkeypatch, Elsewhere)
    assert hwmodel.machines()["elsewhere"] == "unpublished"
    assert isinstance(hwmodel.load("elsewhere", lanes=2), Elsewhere)


@pytest.mark.usefixtures("found_anew")
def test_a_name_from_another_package_that_is_taken_is_refused(monkeypatch):
    offer_entry_points(monkeypatch, Elsewhere, Impostor)
    with pytest.raises(DuplicateNameError) as error:
        hwmodel.machines()
    assert str(error.value) == (
        "hwmodel.machines: the name 'cnvlutin' is taken twice, by hwmodel.machines.cnvlutin "
        f"and {Impostor.__module__}. Rename one of them."
    )


@pytest.mark.usefixtures("found_anew")
def test_a_name_taken_by_two_files_is_refused_with_both_named(monkeypatch):
    second = ModuleType("hwmodel.machines.zzz")
    second.Impostor = type("Impostor", (DaDianNao,), {"name": "dadiannao", "__module__": second.__name__})
    modules = catalogue.modules_of(catalogue.machine_files)
    monkeypatch.setattr(catalogue, "modules_of", lambda _package: [*modules, second])
    with pytest.raises(DuplicateNameError) as error:
        hwmodel.load("dadiannao")
    assert str(error.value) == (
        "hwmodel.machines: the name 'dadiannao' is taken twice, by hwmodel.machines.dadiannao "
        "and hwmodel.machines.zzz. Rename one of them."
    )


def test_modules_are_found_by_their_presence_in_sorted_order(monkeypatch, tmp_path):
    folder = tmp_path / "found_by_presence"
    folder.mkdir()
    for name in ("__init__", "second", "first"):
        (folder / f"{name}.py").write_text(f'"""{name}"""')
    monkeypatch.syspath_prepend(tmp_path)
    package = __import__("found_by_presence")
    try:
        assert [one.__name__ for one in catalogue.modules_of(package)] == [
            "found_by_presence.first",
            "found_by_presence.second",
        ]
    finally:
        for name in ("", ".first", ".second"):
            sys.modules.pop(f"found_by_presence{name}", None)
