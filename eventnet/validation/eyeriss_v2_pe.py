"""One element of Eyeriss v2 (Chen et al., JETCAS 2019) on layers of a sparse MobileNet, from Sparseloop's artifact.

The artifact has the masks of three layers and the true cycles of the element, which the tests hold to the last one
(`tests/hwmodel/machines/test_eyeriss_v2_pe.py`). Here the zeros of both operands are placed independently at the masks'
densities, which takes 1 to 7 % fewer ticks, since channels with many nonzero inputs are those with many nonzero weights.
"""

from collections.abc import Iterator

import numpy as np

from eventnet.validation.row import MachineNamed, Row
from hwmodel.task import Task
from scheduler import run

# Channels, filters and size of the map, shares of inputs and weights that are nonzero, and the true cycles.
LAYERS = {
    "L07": (64, 64, 32, 0.7281, 0.5203, 1_702_140),
    "L13": (128, 256, 8, 0.8329, 0.6443, 1_144_158),
    "L27": (512, 512, 4, 0.5829, 0.2999, 775_316),
}


def rows(named: MachineNamed) -> Iterator[Row]:
    """Yield the figures of the element."""
    machine = named("eyeriss_v2_pe")
    generator = np.random.default_rng(2019)
    for name, (channels, filters, size, inputs, weights, published) in LAYERS.items():
        events = generator.random((channels, size, size)) < inputs
        kept = generator.random((filters, channels, 1, 1)) < weights
        ticks = run(machine, Task.convolution(events, kept, name=name)).ticks
        figure = f"{name}: ticks, zeros of both operands placed independently"
        yield Row("eyeriss_v2_pe", figure, published, ticks, 0.08, "Sparseloop, MICRO 2022, artifact", "run")
