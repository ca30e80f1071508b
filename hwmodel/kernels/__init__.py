"""Event-driven values: compress the activations into events, and add their products up.

    multiply      both, in blocks of channels that suit the task
    compress      activations -> events, in runs: row by row and block of channels by block of channels
    accumulate    events, weights in tiles, reach -> sums, and how many products each sum received

Nothing else of the project knows how events and weights lie in memory here, so that other kernels can take their place.
"""

from hwmodel.kernels.accumulate import accumulate
from hwmodel.kernels.compress import Events, compress
from hwmodel.kernels.multiply import channels_per_block, multiply
from hwmodel.kernels.reach import Reach
from hwmodel.kernels.tiles import Tiles, worth_cutting

__all__ = ["Events", "Reach", "Tiles", "accumulate", "channels_per_block", "compress", "multiply", "worth_cutting"]
