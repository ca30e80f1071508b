"""What the tests of the engines share: random plans and the law of time as a plain recurrence (plans.py)."""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from hwmodel import Plan
from scheduler import Outcome, play

sys.path.insert(0, str(Path(__file__).parent))
import plans


@pytest.fixture(scope="session")
def random_plan() -> Callable[[Random], plans.PlainPlan]:
    """Return a function that makes a random plan with a `random.Random`."""
    return plans.random_plan


@pytest.fixture(scope="session")
def law() -> type[plans.Law]:
    """Return the recurrence: from a plain plan to its times."""
    return plans.Law


@pytest.fixture(scope="session")
def stage() -> type[plans.PlainStage]:
    """Return the class of stages as plain data: from rounds, each a list of jobs (copy, ticks), and its parameters."""
    return plans.PlainStage


@pytest.fixture(scope="session")
def plain_plan() -> type[plans.PlainPlan]:
    """Return the class of plans as plain data: from plain stages, and a drain."""
    return plans.PlainPlan


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., Plan]:
    """Return a function that makes a plan of plain stages."""
    return lambda *stages, drain=0: plans.PlainPlan(list(stages), drain).plan()


@pytest.fixture(scope="session")
def logged() -> Callable[..., tuple[Outcome, list[list[int | None]]]]:
    """Return a function that plays a plain plan and tells when each job was finished."""
    return plans.logged


@pytest.fixture(scope="session")
def finishes_of() -> Callable[..., list[list[int | None]]]:
    """Return a function that plays plain stages and tells when each job of each was finished."""
    return lambda *stages: plans.logged(plans.PlainPlan(list(stages)))[1]


@pytest.fixture(scope="session")
def ticks_of() -> Callable[..., int]:
    """Return a function that plays plain stages and tells how many ticks they took."""
    return lambda *stages, drain=0: play(plans.PlainPlan(list(stages), drain).plan()).ticks
