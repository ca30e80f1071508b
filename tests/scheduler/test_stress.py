"""The stress tests on a range of seeds, and that they would notice what breaks: see stress.py, which replays any of them."""

import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import stress

SCRIPT = Path(stress.__file__)


@pytest.mark.parametrize("name", stress.STRESSES)
def test_two_hundred_seeds_add_up_after_every_step(name):
    for seed in range(200):
        stress.run(name, seed)


@pytest.mark.parametrize("fault", stress.FAULTS)
def test_what_is_broken_is_noticed_by_the_very_next_check(fault):
    """By ``check()``, before anything else has happened; in every seed in which there is something to break."""
    broken = 0
    for seed in range(60):
        steps = list_until_raised(seed, fault)
        if fault.upper() not in steps[-1]:
            assert not any(fault.upper() in step for step in steps)
            continue
        broken += 1
        with pytest.raises(stress.StressError) as noticed:
            stress.run("plan", seed, fault=fault)
        assert isinstance(noticed.value.__cause__, AssertionError)
        assert frames(noticed.value.__cause__)[1].startswith(("check", "_check"))
        assert noticed.value.step == len(steps) + 1
    assert broken >= 10


def list_until_raised(seed: int, fault: str) -> list[str]:
    told = []
    try:
        for step in stress.plan(Random(f"plan {seed}"), fault):
            told.append(step)  # what was told before the error is wanted
    except AssertionError:
        pass
    return told


def frames(error: BaseException) -> list[str]:
    """Name the functions from the stress inwards that an error came through."""
    names, trace = [], error.__traceback__
    while trace is not None:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    return names[names.index("plan") :]


def test_a_failure_prints_the_command_that_has_it_again(capsys):
    assert stress.main(["plan", "--seed", "0", "--fault", "overbook"]) == 1
    printed = capsys.readouterr().out.splitlines()
    command, step = printed[-1], printed[-1].split("--steps ")[1].split()[0]
    assert command == f"Again: python tests/scheduler/stress.py plan --seed 0 --steps {step} --fault overbook"
    again = subprocess.run([sys.executable, str(SCRIPT), *command.split()[3:]], capture_output=True, text=True)
    assert again.returncode == 1
    assert again.stdout.splitlines()[-2:] == printed[-2:]


def test_fewer_steps_end_before_the_failure():
    with pytest.raises(stress.StressError) as noticed:
        stress.run("plan", 0, fault="overbook")
    assert stress.run("plan", 0, steps=noticed.value.step - 1, fault="overbook") == noticed.value.step - 1
