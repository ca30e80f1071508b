"""eventnet: run any PyTorch program one sample at a time, as event-driven hardware would.

Every nonzero activation is an event; modelled units (`hwmodel`) do the work that events make, in the order in which a
discrete-event scheduler (`scheduler`) lets them; PyTorch judges every number.
"""

from eventnet import models
from eventnet.agreement import Agreement
from eventnet.chip import Chip
from eventnet.fixed16 import Fixed16
from eventnet.job import job, now
from eventnet.load import load
from eventnet.record import Record
from eventnet.run import Run
from eventnet.simulate import simulate, verify
from eventnet.watch import Watcher, watch
from hwmodel.errors import EventNetError
from scheduler.gating import PowerGating

__all__ = [
    "Agreement",
    "Chip",
    "EventNetError",
    "Fixed16",
    "PowerGating",
    "Record",
    "Run",
    "Watcher",
    "job",
    "load",
    "models",
    "now",
    "simulate",
    "verify",
    "watch",
]
