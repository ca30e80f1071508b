"""The backend node tests of the `onnx` package: every one that applies passes, but for those that say why they do not."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason='the extra is not installed: pip install -c constraints.txt -e ".[onnx]"')

sys.path.insert(0, str(Path(__file__).parent))
from node_cases import DIFFER, FAMILIES, OUTSIDE, cases, failure, of_family


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_cases_that_apply_pass(family, tmp_path):
    applying = [case for case in of_family(family) if not case.obstacle]
    assert applying
    failures = {case.test.name: why for case in applying if (why := failure(case, tmp_path))}
    expected = {case.test.name for case in applying}.intersection(DIFFER)
    assert set(failures) == expected, failures
    assert all("Not equal to tolerance" in failures[name] for name in expected)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_the_cases_that_do_not_apply_are_refused(family, tmp_path):
    refused = {case.test.name: failure(case, tmp_path) for case in of_family(family) if case.obstacle}
    assert {name: why for name, why in refused.items() if not why.startswith("UnsupportedError: ")} == {}


def test_every_case_has_a_family_or_is_outside_of_the_list():
    assert len(cases()) == 1884
    assert sum(case.family != OUTSIDE for case in cases()) == 1482
