"""What both engines say of a plan that cannot be played: rounds that never come, ticks that no integer holds."""

from hwmodel.errors import CountError, ParameterError
from hwmodel.plan import EARLIEST, Block, Stage


def refuse_undeclared(stage: Stage, block: Block) -> None:
    """Raise ParameterError if a job takes the earliest copy in a stage that does not say so."""
    if not stage.earliest and block.jobs and block.copy.min() == EARLIEST:
        raise ParameterError(
            f"stage {stage.unit.name!r}: a job takes the earliest copy, expected a named one. "
            "Declare the stage with earliest=True."
        )


def no_such_round(stage: Stage, number: int, need: int, rounds_before: int) -> ParameterError:
    """Return the error of a round that needs one which the stage before does not have."""
    return ParameterError(
        f"stage {stage.unit.name!r}: round {number} needs round {need} of the stage before, "
        f"expected at most {rounds_before - 1}, its last."
    )


def nothing_can_happen() -> ParameterError:
    """Return the error of stages that wait for each other for ever."""
    return ParameterError(
        "scheduler.play: nothing more can happen, and a stage still waits to issue a round, expected every round to become "
        "ready. Check what the rounds of its stages need, and their slots."
    )


def too_many_ticks() -> CountError:
    """Return the error of a plan that lasts longer than 64 bits can count."""
    return CountError("scheduler.run: a task takes more than 2^63 ticks, expected fewer. Cut it into smaller ones.")
