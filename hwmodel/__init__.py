"""Where work is done, and at what cost: tasks, machines, their plans, and what actions are priced at.

This package knows numpy and numba and neither of the others: time passes in `scheduler`, programs live in `eventnet`.
"""

from hwmodel.catalogue import load, machines
from hwmodel.compressed import Compressed
from hwmodel.errors import (
    CountError,
    DataError,
    DuplicateNameError,
    EventNetError,
    ParameterError,
    PriceError,
    ShapeError,
    UnknownNameError,
    UnsupportedError,
    ValuesError,
)
from hwmodel.ledger import Ledger
from hwmodel.machine import Machine, ZeroPolicy
from hwmodel.plan import EARLIEST, Block, Counts, Lockstep, Plan, Shares, Stage, Times, Unit
from hwmodel.pricing import Price, PriceTable, StaticPower
from hwmodel.products import Products
from hwmodel.task import Task
from hwmodel.vector import VectorTask

__all__ = [
    "EARLIEST",
    "Block",
    "Compressed",
    "CountError",
    "Counts",
    "DataError",
    "DuplicateNameError",
    "EventNetError",
    "Ledger",
    "Lockstep",
    "Machine",
    "ParameterError",
    "Plan",
    "Price",
    "PriceError",
    "PriceTable",
    "Products",
    "ShapeError",
    "Shares",
    "Stage",
    "StaticPower",
    "Task",
    "Times",
    "Unit",
    "UnknownNameError",
    "UnsupportedError",
    "ValuesError",
    "VectorTask",
    "ZeroPolicy",
    "load",
    "machines",
]
