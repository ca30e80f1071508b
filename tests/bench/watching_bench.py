"""What watching costs an operator beyond the operator itself and its plan, in programs of tiny operators.

Watching is the time in a watched program less that of the same program in plain PyTorch, less that of the machine doing its tasks
(`Device.do`: plan, engine, prices, products of events) and less that of judging them (`judge`), which are measured in the same
pass; processor time of this thread, medians of pairs. Making a task and counting what its tensors hold are part of watching.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import thread_time

import torch
from timing import seconds
from torch import nn

import eventnet
import eventnet.devices
from eventnet.device import Device

OPERATORS = 2_000  # of each kind; the mixture has five times as many
GOAL_US = 60
REPEATS = 3
Program = Callable[[], object]


def measure() -> list[str]:
    rows = [
        "| program | values | plain us | the machine's us | the judge's us | watching us | goal |",
        "|---|---|---|---|---|---|---|",
    ]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            for name, (program, operators) in programs().items():
                for values in ("events", "reference"):
                    plain, *others = (1e6 * taken / operators for taken in parts(program, values))
                    shown = " | ".join(f"{one:.1f}" for one in others)
                    rows.append(f"| {name} | {values} | {plain:.2f} | {shown} | {GOAL_US} |")
    finally:
        torch.set_num_threads(threads)
    said = f"{OPERATORS:,} operators of a kind and {5 * OPERATORS:,} of a mixture, on tensors of 4 elements (linear: 4 to 4), on cnvlutin; microseconds an operator."
    return [said, "", *rows]


def programs() -> dict[str, tuple[Program, int]]:
    """Programs of one kind of operator, with how many operators each has."""
    value, other, weight = torch.ones(4), torch.ones(4), nn.Parameter(torch.eye(4))
    row, layer = torch.ones(1, 4), nn.Linear(4, 4)

    def repeated(body: Program, operators: int = 1, total: int = OPERATORS) -> tuple[Program, int]:
        def program() -> None:
            for _ in range(total // operators):
                body()

        return program, total

    def pipelined() -> None:
        made = row @ weight
        for _ in range(99):
            made = made.tanh()

    def mixed() -> None:
        made = layer(row).relu()
        (made + row).view(2, 2)

    return {
        "vector: add": repeated(lambda: value + other),
        "vector: relu": repeated(lambda: value.relu()),
        "pipelined: tanh": repeated(pipelined, operators=100),
        "view": repeated(lambda: value.view(2, 2)),
        "product: mm": repeated(lambda: row @ weight),
        "product: linear module": repeated(lambda: layer(row)),
        "linear module, relu, add, view": repeated(mixed, operators=4, total=5 * OPERATORS),
    }


def parts(program: Program, values: str) -> tuple[float, ...]:
    """Return the seconds of a program by itself, of the machine in it, of the judge, and of watching: the rest."""
    program(), watched(program, values)  # compile and warm up
    measured = []
    for _ in range(REPEATS):
        plain = seconds(program, thread_time)
        whole, machine, judge = watched(program, values)
        measured.append((plain, machine, judge, whole - machine - judge - plain))
    return tuple(median(one[place] for one in measured) for place in range(4))


def watched(program: Program, values: str) -> tuple[float, float, float]:
    """Return the seconds of a watched program, those in which the machine did its tasks, and those in which it was judged."""
    with timed(Device, "do") as machine, timed(eventnet.devices, "judge") as judge:
        begin = thread_time()
        with eventnet.watch(machine="cnvlutin", values=values, progress=False):
            program()
        return thread_time() - begin, sum(machine), sum(judge)


@contextmanager
def timed(owner: object, name: str) -> Iterator[list[float]]:
    """Hand out a list that grows by the seconds of every call of a function."""
    function, taken = getattr(owner, name), []

    def measured(*arguments, **keywords):
        begin = thread_time()
        try:
            return function(*arguments, **keywords)
        finally:
            taken.append(thread_time() - begin)

    setattr(owner, name, measured)
    try:
        yield taken
    finally:
        setattr(owner, name, function)
