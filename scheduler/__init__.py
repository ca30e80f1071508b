"""When work is done: the law of time, played job by job on SimPy or solved over whole arrays.

This package knows `hwmodel`, whose plans it plays, and never `eventnet`.
"""

from scheduler.engine import play, play_process
from scheduler.engines import run
from scheduler.law import solve
from scheduler.outcome import Outcome
from scheduler.ready import ReadyQueue
from scheduler.trace import Span, Trace

__all__ = ["Outcome", "ReadyQueue", "Span", "Trace", "play", "play_process", "run", "solve"]
