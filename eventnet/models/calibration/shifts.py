"""Shift a layer's outputs so that a share of each channel's values falls to or below zero."""

import torch
from torch import Tensor, nn

from eventnet.models.calibration.layer import Layer

# Steps of the golden ratio, modulo one, are spread evenly over [0, 1) however many are taken.
GOLDEN_STEP = 0.6180339887498949


class OutputQuantiles:
    """Quantiles of one layer's outputs, sorted once for as long as the outputs stay the same.

    A convolution has one quantile for each channel, over all places and samples. A linear layer has one over all its
    outputs, because a channel is a single value there; so has a convolution with a single place.
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self._dimensions = 0 if isinstance(layer.module, nn.Linear) else len(layer.module.kernel_size)
        self._outputs: Tensor | None = None
        self._sorted = torch.empty(0)
        self._dither = torch.empty(0)

    def thresholds(self, outputs: Tensor, share: float) -> Tensor:
        """Return what to subtract so that this share of each channel is zero or less: shape (F,), or (1,) if joint.

        A channel of n values can only have whole numbers of them at or below its threshold. Channels are rounded up or
        down in turn, so that the share over all of them is met much more finely than one part in n.

        Parameters
        ----------
        outputs
            The layer's outputs, (N, F, *spatial), (F, *spatial), or (*, F) for a linear layer.
        share
            From 0, which leaves every value above zero, to 1, which leaves none.

        Notes
        -----
        Cost: one sort of the outputs when they have changed since the last call, a comparison otherwise.
        """
        if self._outputs is None or not torch.equal(outputs, self._outputs):
            self._sort(outputs)
        values = self._sorted.shape[1] - 2
        at_or_below = (share * values + self._dither).floor().long().clamp(0, values)
        # Halfway between two neighbours: rounding cannot carry a value across when the bias takes the shift over.
        below = self._sorted.gather(1, at_or_below[:, None])
        above = self._sorted.gather(1, at_or_below[:, None] + 1)
        return ((below + above) / 2).flatten()

    def shift(self, outputs: Tensor, thresholds: Tensor) -> Tensor:
        """Return the outputs as they would be if the layer's bias were less by the thresholds."""
        return outputs - thresholds.view(-1, *[1] * self._dimensions)

    def _sort(self, outputs: Tensor) -> None:
        ordered = self._by_channel(outputs).sort(dim=1).values
        lowest, highest = ordered[:, :1], ordered[:, -1:]
        margin = (highest - lowest) / ordered.shape[1]
        self._sorted = torch.cat([lowest - margin, ordered, highest + margin], dim=1)
        turns = torch.arange(len(ordered), dtype=torch.float64, device=outputs.device) + 0.5
        self._dither = turns * GOLDEN_STEP % 1
        self._outputs = outputs.clone()

    def _by_channel(self, outputs: Tensor) -> Tensor:
        if self._dimensions:
            channels = outputs.movedim(-1 - self._dimensions, 0).flatten(1)
            if channels.shape[1] > 1:
                return channels
        return outputs.reshape(1, -1)
