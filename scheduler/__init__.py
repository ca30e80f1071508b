"""When work is done: the law of time, played job by job on SimPy or solved over whole arrays.

This package knows `hwmodel`, whose plans it plays, and never `eventnet`.
"""

from scheduler.chip import Chip
from scheduler.engine import play, play_process
from scheduler.engines import run
from scheduler.gating import PowerGating
from scheduler.job import JobError, Step
from scheduler.law import solve
from scheduler.outcome import Outcome
from scheduler.profile import Profile
from scheduler.ready import ReadyQueue
from scheduler.request import Request, Result
from scheduler.trace import Span, Trace

__all__ = [
    "Chip",
    "JobError",
    "Outcome",
    "PowerGating",
    "Profile",
    "ReadyQueue",
    "Request",
    "Result",
    "Span",
    "Step",
    "Trace",
    "play",
    "play_process",
    "run",
    "solve",
]
